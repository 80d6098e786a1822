"""What cells share is not theirs to change: data, surrogates and the process; and a target may write into its input."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from benchmark_helpers import by_attack, define, images, records, run, suite_file
from torch import Tensor, nn

import targets
from attacks import ATTACKS, Decision, NoAccess, Transfer
from leaderboard import Store
from targets import DATA
from targets.models import SmallCNN
from targets.weights import FOLDER, load_weights

SETTINGS: dict[str, dict[str, Any]] = {
    "margin": {"steps": 3, "samples": 20, "settle_steps": 1, "settle_samples": 20},
    "level-set": {"queries": 8},
}
"""Cheap ones, of attacks that are registered, and so run, before what the tests define."""


def alone_and_after(tmp_path: Path, guilty: str, *innocent: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Each innocent one's records where they run alone, and where a guilty one has run on another target before."""
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in innocent}
    for folder, chosen in (("alone", []), ("after", [guilty])):
        suite = suite_file(
            tmp_path / f"{folder}.toml",
            {attack: SETTINGS[attack] for attack in innocent if attack in SETTINGS},
            targets=["digits-sigma0.25", "digits-sigma0.50"],
            attacks=[*chosen, *innocent],
            images=2,
        )
        assert run(suite, tmp_path / folder) == 0
        store = Store.read(tmp_path / folder)
        for cell in store.cells():
            if cell.settings["attack"] in innocent and cell.settings["target"] == "digits-sigma0.50":
                found[cell.settings["attack"]].append(store.records(cell.key).drop(columns="seconds"))
    yield from ((alone, after) for alone, after in found.values())


def ruin(tensor: Tensor) -> None:
    """Write into a tensor, and into what it may be a view of."""
    tensor.mul_(0)
    if tensor._base is not None:
        tensor._base.mul_(0)


def spoil_images(model: Decision, given: Tensor) -> None:
    ruin(model.images())
    ruin(given)


def spoil_splits(model: object, given: Tensor) -> None:
    for name in ("train", "adversary", "evaluation"):
        split = DATA["digits"].split(name)  # type: ignore[arg-type]
        ruin(split.images)
        ruin(split.labels)


@pytest.mark.parametrize(("granted", "act"), [(Decision, spoil_images), (NoAccess, spoil_splits)])
def test_images_that_one_attack_ruins_are_whole_for_the_next(tmp_path: Path, granted: Any, act: Callable[..., None]):
    define("guilty", granted, act)
    for alone, after in alone_and_after(tmp_path, "guilty", "clean", "level-set"):
        pd.testing.assert_frame_equal(alone, after)


def test_what_surrogates_are_trained_on_and_are_is_whole_for_the_next(tmp_path: Path):
    seen: list[Tensor] = []

    def spoil(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        seen.append(images.clone())
        ruin(images)
        ruin(answers)

    def spoil_split(module: nn.Module, split: targets.Split, seed: int, checkpoint: Path) -> None:
        seen.append(split.images.clone())
        ruin(split.images)
        ruin(split.labels)

    def act(model: Transfer, images: Tensor) -> None:
        for key in ("one", "two"):
            for module in (
                model.surrogate(key, lambda: SmallCNN(num_classes=11), spoil),
                model.same_data_surrogate(key, SmallCNN, spoil_split),
            ):
                assert not module.training
                seen.append(next(module.parameters()).clone())
                with torch.no_grad():
                    next(module.parameters()).zero_()
                module.train()

    define("guilty", Transfer, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["guilty"], epsilons=[0.5, 1.0], images=1, samples=20)
    assert run(suite, tmp_path / "r") == 0
    expected = [DATA["digits"].split(name).images for name in ("adversary", "train")]  # type: ignore[arg-type]
    fitted, modules = [t for t in seen if t.ndim == 4 and len(t) > 100], [t for t in seen if len(t) < 100]
    assert len(fitted) == 4
    assert all(torch.equal(found, expected[i % 2]) for i, found in enumerate(fitted))
    assert len(modules) == 8  # of two cells
    assert all(torch.equal(first, again) for first, again in zip(modules[:4], modules[4:], strict=True))


def test_a_tensor_that_an_attack_goes_on_writing_into_is_evaluated_and_kept_as_it_was_returned(tmp_path: Path):
    buffer = torch.empty(2, 1, 8, 8)

    @targets.register("digits-writer", sigma=0.5, data="digits")
    def build() -> nn.Module:
        class Writer(nn.Module):
            """Forgets what the attack beside it returned, at every pass."""

            def forward(self, images: Tensor) -> Tensor:
                buffer.zero_()
                return images.flatten(1)[:, :10]

        return Writer()

    def act(model: object, images: Tensor) -> Tensor:
        return buffer.copy_(images * 0.9)

    define("guilty", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", targets=["digits-writer"], attacks=["guilty"], epsilons=[5.0], images=2)
    assert run(suite, tmp_path / "r") == 0
    evaluation = DATA["digits"].split("evaluation").images
    for index, image in images(tmp_path / "r", "guilty").items():
        np.testing.assert_array_equal(image, (evaluation[index] * 0.9).numpy())


def change_everything(*_: object) -> None:
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(3)
    np.seterr(all="raise")
    os.chdir("/")
    os.environ["ABSTENTION_BENCH_DATA"] = "/nowhere"
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)


def test_what_an_attack_does_to_the_process_is_nobody_else_s_affair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    define("guilty", NoAccess, change_everything)
    for alone, after in alone_and_after(tmp_path, "guilty", "margin", "gaussian"):
        pd.testing.assert_frame_equal(alone, after)
    assert Path.cwd() == tmp_path
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


PLUGIN = '''
import os, warnings
import numpy as np, torch
torch.set_grad_enabled(False)
torch.set_default_dtype(torch.float64)
np.seterr(all="raise")
os.chdir("/")
os.environ["FOR_A_LIBRARY"] = "1"

import targets
from attacks import Attack, NoAccess, register
from targets.models import SmallCNN
FIRST = torch.rand(1).item()

@register("guilty")
class Guilty(Attack):
    """Does nothing more."""
    access = NoAccess
    def __call__(self, model, images, labels, epsilon, generator):
        return images

@targets.register("digits-random", sigma=0.5, data="digits")
def build():
    torch.set_grad_enabled(False)
    return SmallCNN()
'''


def test_what_a_plugin_does_to_the_process_ends_with_its_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOR_A_LIBRARY", "0")
    (tmp_path / "p.py").write_text(PLUGIN, encoding="utf-8")
    suite = suite_file(tmp_path / "s.toml", {"margin": SETTINGS["margin"]}, attacks=["margin"], images=2)
    assert run(suite, tmp_path / "alone") == 0
    assert run(suite, tmp_path / "r", "--plugin", "p.py") == 0  # the file and the folder lie in the current folder
    pd.testing.assert_frame_equal(records(tmp_path / "alone", "margin"), records(tmp_path / "r", "margin"))
    assert Path.cwd() == tmp_path
    assert os.environ["FOR_A_LIBRARY"] == "1"  # libraries that it imports later are told by it what to be


def test_a_network_of_random_weights_is_the_same_in_every_run(tmp_path: Path):
    (tmp_path / "p.py").write_text(PLUGIN, encoding="utf-8")
    suite = suite_file(tmp_path / "s.toml", targets=["digits-random"], attacks=["clean"], images=2)
    digests = set()
    for folder in ("a", "b"):
        torch.rand(1)
        assert run(suite, tmp_path / folder, "--plugin", tmp_path / "p.py") == 0
        digests.add(by_attack(tmp_path / folder)["clean"].settings["weights"])
    assert len(digests) == 1


def test_an_attack_that_draws_from_global_generators_repeats(tmp_path: Path):
    def act(model: object, images: Tensor) -> Tensor:
        noise = torch.randn(images.shape) + random.gauss() + float(np.random.randn())  # noqa: NPY002
        return (images + 0.01 * noise).clamp(0, 1)

    define("guilty", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["guilty"])
    found = []
    for folder in ("a", "b"):
        assert run(suite, tmp_path / folder) == 0
        found.append(records(tmp_path / folder, "guilty"))
    pd.testing.assert_frame_equal(*found)
    assert run(suite, tmp_path / "c", "--seed", 1) == 0
    assert not np.allclose(records(tmp_path / "c", "guilty").l2, found[0].l2)


class Clamped(nn.Module):
    """The digits network behind a clamp of its noisy input."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place
        self.network = load_weights(SmallCNN(), FOLDER / "digits-sigma0.50.safetensors", SHA256)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.clamp_(0, 1) if self.in_place else images.clamp(0, 1))
        return logits


SHA256 = targets.TARGETS["digits-sigma0.50"].sha256 or ""


def test_attacks_and_ceilings_are_the_same_whether_a_target_writes_into_its_input(tmp_path: Path):
    found = []
    attacks = ["clean", "cw", "margin", "tv", "apgd", "fmn", "level-set", "nes"]
    cheap = {"steps": 2, "samples": 20, "search_steps": 1, "evaluations": 2, "settle_steps": 1, "settle_samples": 20}
    settings = {}
    for name in attacks:
        fields = ATTACKS[name]().parameters()
        settings[name] = {key: value for key, value in cheap.items() if key in fields}
    registered = targets.TARGETS.snapshot()
    for in_place in (False, True):
        targets.TARGETS.restore(registered)
        targets.register("digits-clamped", sigma=0.5, data="digits")(lambda in_place=in_place: Clamped(in_place))
        folder = tmp_path / str(in_place)
        suite = suite_file(
            tmp_path / "s.toml", settings, targets=["digits-clamped"], attacks=attacks, images=2, query_budgets=[10]
        )
        assert run(suite, folder) == 0
        found.append({name: records(folder, name) for name in attacks})
    for name in attacks:
        pd.testing.assert_frame_equal(found[0][name], found[1][name])
    assert any(found[1][name].changed.any() for name in attacks)
