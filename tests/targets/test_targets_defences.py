"""Each loss against a slow transcription of the paper's formula, image by image."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import NormalDist

import pytest
import torch
from torch import Tensor, nn

from targets.data import Split
from targets.defences import Consistency, Defence, Ensemble, Gaussian, Macer, SmoothAdv, SmoothMix, Stability
from targets.defences.adversary import ascend, draws, logits_under
from targets.errors import InputError
from targets.models import SmallCNN
from targets.resnet import ResNet
from targets.training import Recipe, train
from targets.weights import module_digest

Draws = list[Tensor]


class Plain(nn.Sequential):
    """A linear network in double precision that counts how often it is asked in evaluation mode."""

    attacked = 0

    def forward(self, images: Tensor) -> Tensor:
        self.attacked += not self.training
        logits: Tensor = super().forward(images)
        return logits

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        self.eval()
        yield
        self.train()


def network() -> Plain:
    torch.manual_seed(5)
    return Plain(nn.Flatten(), nn.Linear(64, 4)).double()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    images = torch.rand(5, 1, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.tensor([0, 3, 1, 1, 2])


class Recorded:
    """Noise of σ = 0.5 that remembers what was drawn."""

    sigma = 0.5

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(7)
        self.draws: Draws = []
        self.shares: list[float] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.draws.append(self.sigma * torch.randn(images.shape, generator=self.generator, dtype=images.dtype))
        return images + self.draws[-1]

    def uniform(self, count: int) -> Tensor:
        drawn = torch.rand(count, generator=self.generator, dtype=torch.float64)
        self.shares = drawn.tolist()
        return drawn


def probabilities(module: nn.Module, image: Tensor) -> list[float]:
    logits = module(image[None])[0].tolist()
    total = sum(math.exp(value) for value in logits)
    return [math.exp(value) / total for value in logits]


def slow_gaussian(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    return -math.log(probabilities(module, image + deltas[0])[label])


def slow_consistency(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    answers = [probabilities(module, image + delta) for delta in deltas]
    mean = [sum(answer[c] for answer in answers) / len(answers) for c in range(4)]
    cross_entropy = sum(-math.log(answer[label]) for answer in answers) / len(answers)
    divergence = sum(sum(p * math.log(p / q) for p, q in zip(mean, answer, strict=True)) for answer in answers) / len(
        answers
    )
    entropy = -sum(p * math.log(p) for p in mean)
    return cross_entropy + 7 * divergence + 0.3 * entropy


def slow_stability(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    clean, noisy = probabilities(module, image), probabilities(module, image + deltas[0])
    return -math.log(clean[label]) - 2 * sum(p * math.log(q) for p, q in zip(clean, noisy, strict=True))


def mean_of(module: nn.Module, image: Tensor, deltas: Draws, scale: float = 1) -> list[float]:
    """The mean prediction over the noise, with logits times ``scale``."""
    answers = []
    for delta in deltas:
        exponentials = [math.exp(scale * value) for value in module(image[None] + delta[None])[0].tolist()]
        answers.append([value / sum(exponentials) for value in exponentials])
    return [sum(answer[c] for answer in answers) / len(answers) for c in range(4)]


def slow_attack(
    module: nn.Module, image: Tensor, label: int, deltas: Draws, step: float, steps: int, epsilon: float | None
) -> Tensor:
    """Normalised steps along the gradient of -log F̂_y, which is written down for a linear network."""
    weight = module[1].weight  # type: ignore[index]
    found = image
    for _ in range(steps):
        gradient = torch.zeros(64, dtype=torch.float64)
        for delta in deltas:
            answer = probabilities(module, found + delta)
            average = sum((answer[c] * weight[c] for c in range(4)), torch.zeros(64, dtype=torch.float64))
            gradient -= answer[label] * (weight[label] - average)
        found = (found + step * (gradient / gradient.norm()).reshape(image.shape)).clamp(0, 1)
        if epsilon is not None and (found - image).norm() > epsilon:
            found = image + epsilon * (found - image) / (found - image).norm()
    return found


def slow_smooth_adv(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    found = slow_attack(module, image, label, deltas, 2 * 0.7 / 5, 5, 0.7)
    return sum(-math.log(probabilities(module, found + delta)[label]) for delta in deltas) / len(deltas)


def slow_smooth_mix(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    found = slow_attack(module, image, label, deltas, 0.6, 3, None)
    mean = mean_of(module, image, deltas)
    mixed = image + share / 2 * (found - image)
    wanted = [(1 - share / 2) * p + share / 2 / 4 for p in mean]
    total = 0.0
    for delta in deltas:
        total -= math.log(probabilities(module, image + delta)[label])
        if max(mean) == mean[label]:
            answer = probabilities(module, mixed + delta)
            total += 5 * sum(p * math.log(p / q) for p, q in zip(wanted, answer, strict=True))
    return total / len(deltas)


def slow_macer(module: nn.Module, image: Tensor, label: int, deltas: Draws, share: float) -> float:
    loss = -math.log(mean_of(module, image, deltas)[label])
    sharp = mean_of(module, image, deltas, scale=3)
    first, second = sorted(sharp, reverse=True)[:2]
    distance = NormalDist().inv_cdf(first) - NormalDist().inv_cdf(second)
    if first == sharp[label] and distance <= 0.4:
        loss += 12 * 0.5 / 2 * (0.4 - distance)
    return loss


DEFENCES: list[tuple[Defence, Callable[[nn.Module, Tensor, int, Draws, float], float]]] = [
    (Gaussian(), slow_gaussian),
    (Consistency(weight=7, entropy=0.3, copies=3), slow_consistency),
    (Macer(weight=12, copies=4, scale=3, margin=0.4), slow_macer),
    (SmoothAdv(epsilon=0.7, steps=5, copies=3), slow_smooth_adv),
    (SmoothMix(weight=5, step=0.6, steps=3, copies=2), slow_smooth_mix),
    (Stability(weight=2), slow_stability),
]
ATTACKING = {"smooth-adv": 5, "smooth-mix": 3}
"""Steps of those that attack."""


@pytest.mark.parametrize(("defence", "slow"), DEFENCES, ids=lambda value: getattr(value, "name", ""))
def test_the_loss_is_the_papers(defence, slow):
    module = network()
    images, labels = batch()
    with torch.no_grad():
        labels[:3] = module(images)[:3].argmax(1)  # some that are answered correctly
    noise = Recorded()
    loss = defence.loss(module, images, labels, noise)
    assert module.attacked == ATTACKING.get(defence.name, 0)
    with torch.no_grad():
        shares = noise.shares or [0.0] * len(images)
        expected = [
            slow(module, images[i], int(labels[i]), [drawn[i] for drawn in noise.draws], shares[i])
            for i in range(len(images))
        ]
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
    assert float(loss.detach()) == pytest.approx(sum(expected) / len(expected), rel=1e-9)


@pytest.mark.parametrize("defence", [defence for defence, _ in DEFENCES], ids=lambda defence: defence.name)
def test_each_says_what_it_is_and_where_it_was_published(defence):
    assert defence.summary().endswith(".")
    assert re.search(r"20\d\d, \".+\".*https://arxiv\.org/abs/\d{4}\.\d{5}", defence.source())
    assert defence.identity["training"] == defence.name


class Answers(nn.Module):
    """A network that gives these logits, whatever it is shown."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        return self.logits

    evaluating = Plain.evaluating


@pytest.mark.parametrize("certainty", [0.0, 10.0, 1e4])
def test_the_radius_of_certain_answers_and_of_ties_has_finite_gradients(certainty):
    images, labels = batch()
    logits = certainty * nn.functional.one_hot(labels.repeat(2), 4).double()
    logits.requires_grad_()
    loss = Macer(copies=2).loss(Answers(logits), images, labels, Recorded())
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_attacks_in_training_keep_the_budget_and_the_range_and_raise_the_loss():
    module, noise = network(), Recorded()
    images, labels = batch()
    deltas = draws(noise, images, 4)
    with torch.no_grad():
        before = logits_under(module, images, deltas).softmax(2).mean(0).gather(1, labels[:, None])
    found = ascend(module, images, labels, deltas, step=0.2, steps=5, epsilon=0.5)
    assert module.training
    assert not found.requires_grad
    assert ((found >= 0) & (found <= 1)).all()
    assert ((found - images).flatten(1).norm(dim=1) <= 0.5 * (1 + 1e-12)).all()
    with torch.no_grad():
        after = logits_under(module, found, deltas).softmax(2).mean(0).gather(1, labels[:, None])
    assert (after < before).all()
    flat = Answers(torch.zeros(20, 4, dtype=torch.float64, requires_grad=True))
    flat.forward = lambda images: flat.logits + 0 * images.sum()  # type: ignore[method-assign]
    assert torch.equal(ascend(flat, images, labels, deltas, step=0.2, steps=2), images)


def test_a_certain_answer_costs_no_more_than_a_finite_loss():
    images, labels = batch()
    certain = torch.zeros(len(images), 4, dtype=torch.float64)
    certain[torch.arange(len(images)), labels] = 1e4
    scaled = certain.repeat(2, 1).requires_grad_()
    loss = Consistency().loss(Answers(scaled), images, labels, Recorded())
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


@pytest.mark.parametrize("defence", [SmoothMix(steps=1), SmoothAdv(steps=1)], ids=lambda defence: defence.name)
def test_a_training_that_attacks_ends_alike_after_a_stop(defence, tmp_path):
    def stop(epoch: int, loss: float) -> None:
        raise KeyboardInterrupt

    checkpoint = tmp_path / "half.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        quick(defence, checkpoint=checkpoint, progress=stop)
    assert module_digest(quick(defence, checkpoint=checkpoint)) == module_digest(quick(defence))


@pytest.mark.parametrize(("defence", "passes"), [(SmoothAdv(steps=2), 1), (SmoothMix(steps=2), 2)])
def test_attacks_in_training_leave_batch_statistics_alone(defence, passes):
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    net = ResNet(8, (1, 8, 8), 10)
    train(net, Split(images, torch.arange(40) % 10), 0.25, Recipe(epochs=1, batch=20), defence=defence)
    assert int(net.bn1.num_batches_tracked or 0) == 2 * passes  # of its two steps


def test_a_checkpoint_is_of_one_defence(tmp_path):
    checkpoint = tmp_path / "half.checkpoint"
    quick(Consistency(), checkpoint=checkpoint)
    with pytest.raises(InputError, match=r"another training \(weight 10.0, not 5.0\)"):
        quick(Consistency(weight=5.0), checkpoint=checkpoint)
    with pytest.raises(InputError, match=r"another training .*training consistency, not None"):
        quick(Gaussian(), checkpoint=checkpoint)


def test_an_ensemble_s_member_is_trained_as_gaussian_is():
    images, labels = batch()
    assert Ensemble().members == 3
    assert Ensemble().identity == {"training": "ensemble", "members": 3}
    ours = Ensemble().loss(network(), images, labels, Recorded())
    assert torch.equal(ours, Gaussian().loss(network(), images, labels, Recorded()))
