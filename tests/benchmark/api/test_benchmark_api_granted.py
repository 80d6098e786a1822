"""An attack called by hand returns what it returns in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from api_own import Brightness
from benchmark_helpers import TARGET

from attacks import ATTACKS, BudgetExhausted
from attacks.control.gaussian import Gaussian
from attacks.decision.level_set import LevelSet
from attacks.score.nes import NES
from attacks.transfer.tv_transfer import TVTransfer
from attacks.white_box.margin import Margin
from benchmark import grant, run
from targets import DATA, InputError, SmoothedClassifier, load

BY_HAND: list[Any] = [
    Gaussian(),
    Margin(steps=2),
    NES(queries=6),
    LevelSet(queries=4),
    TVTransfer(evaluations=2, search_steps=1),
]


@pytest.fixture
def split():
    return DATA["digits"].split("evaluation")


def test_it_returns_what_it_returns_in_a_run(split):
    result = run(TARGET, BY_HAND, epsilons=0.5, images=2, samples=1000, ceiling_samples=200, device="cpu")
    assert result.errors == []
    target = load(TARGET, "cpu")
    for attack in BY_HAND:
        name = next(name for name in ATTACKS if ATTACKS[name] is type(attack))
        indices, returned = result.images(TARGET, name, 0.5)
        images, labels = split.images[indices], split.labels[indices]
        model, generator, meter = grant(attack, target, images, 0.5, indices=indices)
        assert type(model) is attack.access
        assert torch.equal(attack(model, images, labels, 0.5, generator), torch.from_numpy(returned)), name
        records = result.records[result.records.attack == name]
        assert meter.queries.tolist() == records.queries.tolist()
        answers = target.predict(torch.from_numpy(returned), indices=indices.tolist(), purpose="evaluation")
        kept = (records.validity == "valid").to_numpy()  # for the others the run sends the original
        assert answers[kept].tolist() == records.outcome[kept].tolist()


def test_a_classifier_without_a_data_set_can_be_attacked():
    target = SmoothedClassifier(Brightness(), sigma=0.25, num_classes=3)
    images, labels = torch.full((2, 1, 3, 4), 0.3), torch.tensor([0, 1])
    model, generator, meter = grant(Margin(steps=2), target, images, 0.5, samples=100)
    adversarial = Margin(steps=2)(model, images, labels, 0.5, generator)
    assert adversarial.shape == images.shape
    assert (meter.backward > 0).all()
    assert "given" not in DATA
    with pytest.raises(InputError, match="an attack of decision access uses the data set"):
        grant(LevelSet(), target, images, 0.5)


def test_a_budget_holds(split):
    images = split.images[:1]
    model, _, _ = grant(NES(), load(TARGET, "cpu"), images, 0.5, query_budget=1)
    model.votes(images)  # type: ignore[attr-defined]
    with pytest.raises(BudgetExhausted):
        model.votes(images)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "given", [{"epsilon": 0}, {"samples": 0}, {"alpha": 0.6}, {"query_budget": 0}, {"indices": [1, 2]}]
)
def test_bad_arguments_are_told(split, given: dict[str, Any]):
    with pytest.raises(InputError):
        grant(**{"attack": NES(), "target": load(TARGET, "cpu"), "images": split.images[:1], "epsilon": 0.5, **given})


def test_its_folder_goes_with_it(split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    granted = grant(Gaussian(), load(TARGET, "cpu"), split.images[:1], 0.5)
    assert len(list(tmp_path.iterdir())) == 1
    del granted
    assert list(tmp_path.iterdir()) == []
