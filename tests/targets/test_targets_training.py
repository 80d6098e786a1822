from __future__ import annotations

import pytest
import torch
from torch import nn

from targets import DATA, load
from targets.data import Split
from targets.models import SmallCNN
from targets.training import Recipe, noisy, train
from targets.weights import module_digest


@pytest.fixture(scope="module")
def split() -> Split:
    everything = DATA["digits"].split("train")
    return Split(everything.images[:320], everything.labels[:320])


def trained(split: Split, *, seed: int = 0, sigma: float = 0.25, epochs: int = 2) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(3)
    losses: list[float] = []
    module = train(
        SmallCNN(),
        split,
        sigma,
        Recipe(epochs=epochs, batch=8),
        seed=seed,
        progress=lambda _, loss: losses.append(loss),
    )
    return module, losses


def loss_of(module: nn.Module, split: Split) -> float:
    with torch.no_grad():
        return float(nn.functional.cross_entropy(module(split.images), split.labels))


def test_two_epochs_lower_the_loss(split):
    torch.manual_seed(3)
    before = loss_of(SmallCNN().eval(), split)
    module, losses = trained(split)
    assert len(losses) == 2
    assert losses[1] < losses[0] - 0.1
    assert loss_of(module, split) < 0.9 * before
    assert not module.training


def test_training_is_deterministic(split):
    digest = module_digest(trained(split)[0])
    assert module_digest(trained(split)[0]) == digest
    assert module_digest(trained(split, seed=1)[0]) != digest
    assert module_digest(trained(split, sigma=0.5)[0]) != digest


def test_progress_counts_the_epochs(split):
    epochs: list[int] = []
    train(SmallCNN(), split, 0.25, Recipe(epochs=3), progress=lambda epoch, _: epochs.append(epoch))
    assert epochs == [0, 1, 2]


def test_noise_is_added_and_not_clipped():
    images = torch.full((50, 1, 8, 8), 0.5)
    result = noisy(images, 0.7, torch.Generator().manual_seed(4))
    expected = 0.5 + 0.7 * torch.randn(images.shape, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(result, expected)
    assert result.min() < -1
    assert result.max() > 2
    assert noisy(images, 0, torch.Generator()) is images


@pytest.mark.parametrize(("sigma", "floor"), [("0.12", 0.93), ("0.25", 0.94), ("0.50", 0.88), ("1.00", 0.70)])
def test_the_shipped_targets_reach_their_accuracy(sigma, floor):
    evaluation = DATA["digits"].split("evaluation")
    labels = load(f"digits-sigma{sigma}", "cpu").predict(evaluation.images, n=200)
    assert (labels == evaluation.labels.numpy()).mean() >= floor
