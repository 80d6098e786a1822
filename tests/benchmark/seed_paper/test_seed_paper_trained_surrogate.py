"""Surrogates: trained on nine tenths, the same after a kill, and measured as they are stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_tiny import CLASSES, SETTINGS, install

from benchmark.seed_paper import trained_surrogate
from benchmark.seed_paper.queries import query_set
from benchmark.seed_paper.stages import Stages
from benchmark.seed_paper.trained_surrogate import (
    predictions,
    smoothed_predictions,
    train_on_answers,
    train_on_labels,
)
from leaderboard import Store
from targets import ABSTAIN, InputError, Split, load

CPU = torch.device("cpu")
QUICK = replace(SETTINGS, epochs=2, images=2)


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    install()
    return Stages(Store.open(tmp_path / "results"), quiet=True)


def made_up(count: int) -> np.ndarray:
    """Answers of a black box, every fourth of them an abstention."""
    answers = np.arange(count) % CLASSES
    answers[::4] = ABSTAIN
    return answers


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Split, float]]:
    """What ``train`` is called with from now on."""
    seen: list[tuple[Split, float]] = []
    real = trained_surrogate.train

    def train(module, split, sigma, *arguments, **options):
        seen.append((split, sigma))
        return real(module, split, sigma, *arguments, **options)

    monkeypatch.setattr(trained_surrogate, "train", train)
    return seen


def test_the_held_out_tenth_is_not_trained_on_and_abstention_is_the_last_class(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
):
    seen, target, queries = spied(monkeypatch), load(SETTINGS.target, "cpu"), query_set(QUICK, "test")
    answers = made_up(len(queries.indices))
    surrogate = train_on_answers(stages, QUICK, target, queries, answers)
    held_out = queries.held_out(QUICK.seed)
    ((split, sigma),) = seen
    assert sigma == 0
    assert surrogate.trained_on == len(split.images) == len(answers) - held_out.sum() == 18
    assert torch.equal(split.images, queries.images[torch.from_numpy(~held_out)])
    wanted = np.where(answers == ABSTAIN, CLASSES, answers)[~held_out]
    assert split.labels.tolist() == wanted.tolist()
    assert surrogate.module(queries.images[:2]).shape == (2, CLASSES + 1)
    assert not surrogate.smoothed


def test_a_smoothed_surrogate_sees_the_targets_noise_and_no_abstention(stages: Stages, monkeypatch: pytest.MonkeyPatch):
    seen, target, queries = spied(monkeypatch), load(SETTINGS.target, "cpu"), query_set(QUICK, "test")
    answers = made_up(len(queries.indices))
    surrogate = train_on_answers(stages, QUICK, target, queries, answers, smoothed=True)
    used = ~queries.held_out(QUICK.seed) & (answers != ABSTAIN)
    ((split, sigma),) = seen
    assert sigma == target.sigma
    assert torch.equal(split.images, queries.images[torch.from_numpy(used)])
    assert split.labels.tolist() == answers[used].tolist()
    assert surrogate.module(queries.images[:2]).shape == (2, CLASSES)
    assert surrogate.smoothed
    said = smoothed_predictions(stages, QUICK, surrogate, queries, [3, 1])
    assert said.shape == (2,)
    assert set(said.tolist()) <= {ABSTAIN, *range(CLASSES)}


def test_nothing_but_abstentions_leaves_nothing_to_smooth(stages: Stages):
    queries = query_set(QUICK, "test")
    answers = np.full(len(queries.indices), ABSTAIN)
    with pytest.raises(InputError, match="abstained on all 20 test queries"):
        train_on_answers(stages, QUICK, load(SETTINGS.target, "cpu"), queries, answers, smoothed=True)


def test_true_labels_are_all_used_and_the_surrogate_learns_them(stages: Stages):
    settings = replace(SETTINGS, epochs=8)
    queries = query_set(settings, "train")
    surrogate = train_on_labels(stages, settings, queries, CPU)
    assert surrogate.trained_on == len(queries.indices) == 80
    assert queries.labels is not None
    right = predictions(stages, surrogate, queries) == queries.labels.numpy()
    assert right.mean() > 0.6  # guessing gives a third


def test_a_training_killed_after_an_epoch_ends_with_the_same_weights(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    queries = query_set(QUICK, "test")
    whole = train_on_labels(stages, QUICK, queries, CPU)
    killed = Stages(Store.open(tmp_path / "killed"), quiet=True)
    real = trained_surrogate.train

    def stopped(*arguments, progress, **options):
        def kill(epoch: int, loss: float) -> None:
            progress(epoch, loss)
            if epoch == 2:
                raise KeyboardInterrupt

        return real(*arguments, progress=kill, **options)

    with monkeypatch.context() as patch:
        patch.setattr(trained_surrogate, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_on_labels(killed, QUICK, queries, CPU)
    folder = killed.store.folder / "checkpoints"
    assert len(list(folder.iterdir())) == 1
    epochs = []

    def counted(*arguments, progress, **options):
        return real(*arguments, progress=lambda epoch, loss: epochs.append(epoch), **options)

    monkeypatch.setattr(trained_surrogate, "train", counted)
    again = train_on_labels(killed, QUICK, queries, CPU)
    assert epochs == list(range(3, QUICK.epochs_for(20)))
    assert list(folder.iterdir()) == []
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name


def test_a_stored_surrogate_answers_as_it_did(stages: Stages, monkeypatch: pytest.MonkeyPatch):
    queries = query_set(QUICK, "test")
    first = train_on_labels(stages, QUICK, queries, CPU)
    monkeypatch.setattr(trained_surrogate, "train", None)
    second = train_on_labels(stages, QUICK, queries, CPU)
    assert torch.equal(first.module(queries.images), second.module(queries.images))
    small = torch.cat([second.module(part) for part in queries.images.split(3)])
    assert torch.equal(small, first.module(queries.images))
    assert not first.module.training
    assert not any(p.requires_grad for p in first.module.parameters())
