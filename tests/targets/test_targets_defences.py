"""Each loss against a slow transcription of the paper's formula, image by image."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from targets.data import Split
from targets.defences import Consistency, Defence, Gaussian, Stability
from targets.errors import InputError
from targets.models import SmallCNN
from targets.training import Recipe, train
from targets.weights import module_digest

Draws = list[Tensor]


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).double()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    images = torch.rand(5, 1, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.tensor([0, 3, 1, 1, 2])


def recorded_noise() -> tuple[Callable[[Tensor], Tensor], Draws]:
    """Noise of σ = 0.5, and the list of all that was drawn."""
    generator = torch.Generator().manual_seed(7)
    draws: Draws = []

    def noise(images: Tensor) -> Tensor:
        draws.append(0.5 * torch.randn(images.shape, generator=generator, dtype=images.dtype))
        return images + draws[-1]

    return noise, draws


def probabilities(module: nn.Module, image: Tensor) -> list[float]:
    logits = module(image[None])[0].tolist()
    total = sum(math.exp(value) for value in logits)
    return [math.exp(value) / total for value in logits]


def slow_gaussian(module: nn.Module, image: Tensor, label: int, deltas: Draws) -> float:
    return -math.log(probabilities(module, image + deltas[0])[label])


def slow_consistency(module: nn.Module, image: Tensor, label: int, deltas: Draws) -> float:
    answers = [probabilities(module, image + delta) for delta in deltas]
    mean = [sum(answer[c] for answer in answers) / len(answers) for c in range(4)]
    cross_entropy = sum(-math.log(answer[label]) for answer in answers) / len(answers)
    divergence = sum(sum(p * math.log(p / q) for p, q in zip(mean, answer, strict=True)) for answer in answers) / len(
        answers
    )
    entropy = -sum(p * math.log(p) for p in mean)
    return cross_entropy + 7 * divergence + 0.3 * entropy


def slow_stability(module: nn.Module, image: Tensor, label: int, deltas: Draws) -> float:
    clean, noisy = probabilities(module, image), probabilities(module, image + deltas[0])
    return -math.log(clean[label]) - 2 * sum(p * math.log(q) for p, q in zip(clean, noisy, strict=True))


DEFENCES: list[tuple[Defence, Callable[[nn.Module, Tensor, int, Draws], float]]] = [
    (Gaussian(), slow_gaussian),
    (Consistency(weight=7, entropy=0.3, copies=3), slow_consistency),
    (Stability(weight=2), slow_stability),
]


@pytest.mark.parametrize(("defence", "slow"), DEFENCES, ids=lambda value: getattr(value, "name", ""))
def test_the_loss_is_the_papers(defence, slow):
    module = network()
    images, labels = batch()
    noise, draws = recorded_noise()
    with torch.no_grad():
        loss = defence.loss(module, images, labels, noise)
        expected = [slow(module, images[i], int(labels[i]), [drawn[i] for drawn in draws]) for i in range(len(images))]
    assert float(loss) == pytest.approx(sum(expected) / len(expected), rel=1e-9)


@pytest.mark.parametrize("defence", [defence for defence, _ in DEFENCES], ids=lambda defence: defence.name)
def test_each_says_what_it_is_and_where_it_was_published(defence):
    assert defence.summary().endswith(".")
    assert re.search(r"20\d\d, \".+\".*https://arxiv\.org/abs/\d{4}\.\d{5}", defence.source())
    assert defence.identity["training"] == defence.name


def test_a_certain_answer_costs_no_more_than_a_finite_loss():
    images, labels = batch()
    noise, _ = recorded_noise()
    certain = torch.zeros(len(images), 4, dtype=torch.float64)
    certain[torch.arange(len(images)), labels] = 1e4
    scaled = certain.repeat(2, 1).requires_grad_()
    loss = Consistency().loss(lambda _: scaled, images, labels, noise)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-9)
    assert scaled.grad is not None
    assert scaled.grad.isfinite().all()


def quick(defence: Defence | None, **options: object) -> nn.Module:
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    split = Split(images, torch.arange(40) % 10)
    torch.manual_seed(2)
    return train(SmallCNN(), split, 0.25, Recipe(epochs=2, batch=20), defence=defence, **options)  # type: ignore[arg-type]


def test_training_minimises_the_defences_loss():
    digests = {module_digest(quick(defence)) for defence, _ in DEFENCES}
    assert len(digests) == len(DEFENCES)
    assert module_digest(quick(None)) == module_digest(quick(Gaussian()))


def test_a_checkpoint_is_of_one_defence(tmp_path):
    checkpoint = tmp_path / "half.checkpoint"
    quick(Consistency(), checkpoint=checkpoint)
    with pytest.raises(InputError, match=r"another training \(weight 10.0, not 5.0\)"):
        quick(Consistency(weight=5.0), checkpoint=checkpoint)
    with pytest.raises(InputError, match=r"another training .*training consistency, not None"):
        quick(Gaussian(), checkpoint=checkpoint)
