"""A base classifier may write into its input: nothing that is counted, proven or attacked notices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from targets import SmoothedClassifier
from targets.ceiling import ceilings
from targets.engine import Engine, engine
from targets.models import SmallCNN
from targets.precision import Bfloat16

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")

TWINS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "clamp": (lambda x: x.clamp(0, 1), lambda x: x.clamp_(0, 1)),
    "normalise": (lambda x: (x - 0.5) / 0.25, lambda x: x.sub_(0.5).div_(0.25)),
    "relu": (nn.ReLU(), nn.ReLU(inplace=True)),
    "erase": (lambda x: x * 1.0, lambda x: (x * 1.0, x.zero_())[0]),
}
"""Steps before a network, out of place and in place, that give it the same."""


class Stepped(nn.Module):
    """A network behind a step; it has memory for ``room`` images, and finds out after the step."""

    def __init__(self, step: Callable[[Tensor], Tensor], room: int = 10_000) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.step, self.room, self.network = step, room, SmallCNN()

    def forward(self, images: Tensor) -> Tensor:
        stepped = self.step(images)
        if len(stepped) > self.room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")
        logits: Tensor = self.network(stepped)
        return logits


def twins(name: str, **options: int) -> list[SmoothedClassifier]:
    return [SmoothedClassifier(Stepped(step, **options), 0.5, 10, name="twin") for step in TWINS[name]]


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", TWINS)
def test_votes_answers_and_proofs_are_those_of_the_twin_out_of_place(name, images):
    plain, writing = twins(name)
    before = images.clone()
    for n in (10, 1500):  # a padded batch, and whole ones
        (votes, halves), (votes_too, halves_too) = (twin.evidence(images, n) for twin in (plain, writing))
        np.testing.assert_array_equal(votes, votes_too)
        np.testing.assert_array_equal(halves.products, halves_too.products)
        np.testing.assert_array_equal(halves.lengths, halves_too.lengths)
        proven = [ceilings(votes, 0.1, 0.5, 100, 0.001, halves=found) for found in (halves, halves_too)]
        np.testing.assert_array_equal(*proven)
    for ask in ("predict", "predict_sequentially", "certify"):
        answers, answers_too = (np.vstack(getattr(twin, ask)(images, n=200)) for twin in (plain, writing))
        np.testing.assert_array_equal(answers, answers_too)
    assert torch.equal(images, before)


def test_a_pass_that_ran_out_of_memory_is_made_again_on_unspoilt_samples(images):
    plain, _ = twins("normalise")
    _, writing = twins("normalise", room=40)
    with pytest.warns(UserWarning, match="does not fit in memory"):
        votes, halves = writing.evidence(images, 300)
    expected, proven = plain.evidence(images, 300)
    np.testing.assert_array_equal(votes, expected)
    np.testing.assert_allclose(halves.products, proven.products, rtol=1e-6)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("kept", [1, engine.KEPT], ids=["computed again", "kept"])
def test_gradients_are_those_of_the_twin_out_of_place(name, kept, images, monkeypatch):
    monkeypatch.setattr(engine, "KEPT", kept)
    found = []
    for twin in twins(name):
        for count in (3, 90):  # a padded batch, and several
            points = images.repeat(count // 3, 1, 1, 1).requires_grad_()
            passes = Engine(twin.base_classifier, 10, batch=40).logits
            (gradient,) = torch.autograd.grad(passes(points + 0.1).logsumexp(1).sum(), points)
            found.append(gradient)
            assert torch.equal(points.detach(), images.repeat(count // 3, 1, 1, 1))
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])
    assert found[0].abs().max() > 0


def test_in_bfloat16_too_where_the_cast_may_copy_nothing(images):
    plain, writing = (Engine(Bfloat16(Stepped(step)).requires_grad_(False), 10) for step in TWINS["normalise"])
    points = images.repeat(20, 1, 1, 1)
    cast = points.to(torch.bfloat16).to(memory_format=torch.channels_last)
    cast = cast.as_strided(cast.shape, (64, 1, 8, 1))
    for given in (points, cast):
        before = given.clone()
        assert torch.equal(plain.answers(given), writing.answers(given))
        assert torch.equal(plain.logits(given), writing.logits(given))
        assert torch.equal(given, before)
