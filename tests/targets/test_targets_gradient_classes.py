"""The sums behind a ceiling where there are many classes: of those that had a vote, in bounded memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from targets import SmoothedClassifier, gradient
from targets.ceiling import ceilings
from targets.gradient import BYTES, OFFSETS, HalfSums, Halves, gradient_bounds

N, CLASSES, SHAPE, SIGMA = 64, 40, (2, 3, 5), 0.5
IMAGES = np.random.default_rng(0).integers(0, 5, (3, *SHAPE)).astype(np.float32) / 4
NOISE = np.random.default_rng(1).integers(-8, 9, (3, N, *SHAPE)).astype(np.float32) / 4
"""Numbers whose sums and products are exact, in whatever order they are added up."""

VOTES = np.minimum(np.random.default_rng(2).geometric(0.15, (3, N)) - 1, CLASSES - 2)


def fed(batch: int, classes: int = CLASSES) -> HalfSums:
    sums = HalfSums(IMAGES, N, SIGMA, classes)
    for begin, row in itertools.product(range(0, N, batch), range(3)):
        part = slice(begin, begin + batch)
        sums.add(row, IMAGES[row] + np.float32(SIGMA) * NOISE[row, part], VOTES[row, part])
    return sums


def slowly(classes: int = CLASSES) -> Halves:
    """The definition, class by class."""
    found = Halves(np.zeros((3, classes, 3)), np.zeros((3, classes, 3)))
    for row, c, (i, offset) in itertools.product(range(3), range(classes), enumerate(OFFSETS)):
        weighted = ((VOTES[row] == c) - offset)[:, None] * NOISE[row].reshape(N, -1).astype(np.float64)
        x, y = weighted[: N // 2].mean(0), weighted[N // 2 :].mean(0)
        found.products[row, c, i] = (x * y).sum()
        found.lengths[row, c, i] = np.sqrt((x * x).sum())
    return found


@pytest.mark.parametrize("few", [0, CLASSES], ids=["those that had a vote", "all"])
@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("chunk", [1, 100, 10_000])
def test_the_sums_are_those_of_the_definition_to_the_last_bit(few, batch, chunk, monkeypatch):
    monkeypatch.setattr(gradient, "FEW", few)
    monkeypatch.setattr(gradient, "CHUNK", chunk)
    found, expected = fed(batch).halves, slowly()
    np.testing.assert_array_equal(found.products, expected.products)
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    silent = np.setdiff1d(np.arange(CLASSES), VOTES[0])
    assert len(silent) > 5
    assert len(np.unique(found.products[0, silent], axis=0)) == 1


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_classes_that_come_when_the_memory_is_full_are_left_out_whatever_the_batch(batch, monkeypatch):
    values = int(np.prod(SHAPE))
    monkeypatch.setattr(gradient, "BYTES", 4 * 2 * values * 8 + 1)
    found, expected = fed(batch).halves, slowly()
    for row in range(3):
        first = list(dict.fromkeys(VOTES[row].tolist()))
        kept, left_out = first[:4], first[4:]
        assert len(left_out) > 5
        known = np.setdiff1d(np.arange(CLASSES), left_out)
        assert set(kept) <= set(known)
        for one, other in ((found.products, expected.products), (found.lengths, expected.lengths)):
            np.testing.assert_array_equal(one[row, known], other[row, known])
            assert np.isposinf(one[row, left_out]).all()


def test_memory_is_bounded_by_the_classes_that_had_a_vote_and_by_a_number():
    large = gradient._Sums(1000, 3 * 224 * 224)
    assert large._sums.nbytes <= BYTES + 2 * 8 * 3 * 224 * 224
    assert large._sums.shape[1] > 100
    assert gradient._Sums(1000, 10**9 // 16)._sums.shape[1] == 2  # one class, and the others together
    small = gradient._Sums(1000, 8)
    for answers in ([3, 3, 999], [3, 5, 5]):
        small.add(0, np.ones((3, 8), np.float32), np.array(answers))
    assert small.classes == [3, 999, 5]
    assert not small._sums[:, 3:].any()  # and of what is never written to, the system gives no memory
    np.testing.assert_array_equal(small.everything()[:, 0, 0], [6, 0])


def test_of_a_class_that_was_left_out_a_ceiling_of_first_order_is_proven(monkeypatch):
    class Wide(torch.nn.Module):
        """Forty classes, of which three have most of the votes."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            place = (20 + 12 * (images.flatten(1).mean(1) - 0.5)).round().long().clamp(0, CLASSES - 1)
            return torch.nn.functional.one_hot(place, CLASSES).float()

    images = torch.full((2, 1, 8, 8), 0.5)
    target = SmoothedClassifier(Wide(), sigma=0.25, num_classes=CLASSES, name="wide")
    votes, halves = target.evidence(images, 20_000)
    whole = ceilings(votes, 0.2, 0.25, 1000, 0.001, halves=halves)
    monkeypatch.setattr(gradient, "BYTES", 2 * 64 * 8)
    again, fewer = target.evidence(images, 20_000)
    np.testing.assert_array_equal(votes, again)
    left_out = np.isposinf(fewer.lengths[..., 0])
    assert left_out.any()
    level = np.full(votes.shape, 0.5)
    bounds = gradient_bounds(fewer, 20_000, 0 * level, level, 1e-6)
    np.testing.assert_array_equal(np.isposinf(bounds), left_out)
    partly = ceilings(votes, 0.2, 0.25, 1000, 0.001, halves=fewer)
    nothing = Halves(np.full_like(halves.products, np.inf), np.full_like(halves.lengths, np.inf))
    first_order = ceilings(votes, 0.2, 0.25, 1000, 0.001, halves=nothing)
    assert (whole <= partly).all()
    assert (partly <= first_order).all()
    assert (whole < 0.5 * first_order).all()
