from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.special import ndtri
from scipy.stats import binom, norm
from targets_linear import Slabs, image_at, linear, slab_probabilities

from targets import InputError, SmoothedClassifier
from targets.binomial import decide
from targets.ceiling import ceilings
from targets.confidence import lower_confidence_bound, upper_confidence_bound
from targets.gradient import OFFSETS, HalfSums, Halves, after_shift, deviation, gradient_bounds

ALPHA = 0.001


def bounds_of(votes: np.ndarray, halves: Halves, level: float) -> np.ndarray:
    samples = np.broadcast_to(votes.sum(1, keepdims=True), votes.shape)
    low, high = (bound(votes, samples, level) for bound in (lower_confidence_bound, upper_confidence_bound))
    return gradient_bounds(halves, int(votes[0].sum()), low, high, level)


def slab(sigma: float, cuts: tuple[float, float] = (-0.4, 0.5)) -> SmoothedClassifier:
    """Three classes; the one in the middle is a slab, whose gradient vanishes at its centre."""
    return SmoothedClassifier(Slabs(cuts), sigma=sigma, num_classes=3, name="slab")


def slab_gradients(cuts: tuple[float, float], position: float, sigma: float) -> np.ndarray:
    """Exact σ‖∇p_c‖ of ``Slabs(cuts)``."""
    inner = norm.pdf((np.array(cuts) - position) / sigma)
    return np.abs(np.diff([0, *inner, 0]))


# --- the deviation


@pytest.mark.parametrize("q", [1.0, 0.5, 0.1, 0.003])
@pytest.mark.parametrize("price", [1e-5, 1e-3, 0.1])
def test_the_deviation_is_chernoff_s_with_the_expectation_over_the_tails(q, price):
    c = norm.ppf(1 - q / 2)

    def psi(t: float) -> float:
        return 2 * quad(lambda z: (np.exp(t * z) - 1 - t * z) * norm.pdf(z), c, c + 30, epsabs=1e-15)[0]

    best = min((psi(t) + price) / t for t in np.geomspace(3e-3, 5, 60))
    got = float(deviation(20, np.array([q]), float(np.exp(-20 * price)))[0])
    assert best * 0.99 <= got <= 1.2 * best


@pytest.mark.parametrize("region", ["half-space", "tails", "middle", "everything"])
def test_the_mean_falls_short_by_more_than_the_deviation_no_oftener_than_its_level(region):
    generator = np.random.default_rng(0)
    m, runs, level = 400, 4000, 0.05
    z = generator.standard_normal((runs, m))
    inside = {"half-space": z > 0.5, "tails": np.abs(z) > 1.6, "middle": np.abs(z) < 1, "everything": z < 9}[region]
    p = {"half-space": norm.sf(0.5), "tails": 2 * norm.sf(1.6), "middle": 1 - 2 * norm.sf(1), "everything": 1.0}[region]
    slope = norm.pdf(0.5) if region == "half-space" else 0.0
    for offset, q, scale in ((0.0, p, 1.0), (0.5, 1.0, 0.5), (1.0, 1 - p, 1.0)):
        means = ((inside - offset) * z).mean(1)
        allowed = scale * float(deviation(m, np.array([q]), level)[0])
        misses = int((means < slope - allowed).sum())
        assert misses <= binom.ppf(0.999, runs, level)
        if (region, offset) in {("everything", 0.0), ("everything", 0.5), ("tails", 0.0)}:
            assert misses > 0.04 * level * runs  # where |W| is as large as it can be, little is given away


def test_a_handful_of_samples_bounds_nothing_and_raises_nothing():
    assert (deviation(1, np.array([1e-9, 0.5, 1.0]), 1e-6) > 1).all()


# --- the bound on the gradient


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_gradient_bounds_hold_and_are_near_the_exact_gradient(sigma):
    cuts = (-0.4, 0.5)
    places = np.linspace(-0.9, 1.0, 9)
    votes, halves = slab(sigma, cuts).evidence(image_at(*places), 20_000)
    exact = np.array([slab_gradients(cuts, x, sigma) for x in places])
    found = bounds_of(votes, halves, 1e-4)
    assert (found >= exact).all()
    assert (found - exact).max() < 0.12
    assert np.median(found - exact) < 0.06
    more = bounds_of(*slab(sigma, cuts).evidence(image_at(*places), 160_000, seed=1), 1e-4)
    assert np.median(more - exact) < 0.7 * np.median(found - exact)


def test_gradient_bounds_fail_no_oftener_than_they_may():
    generator = np.random.default_rng(3)
    runs, n, d, level = 600, 100, 3, 0.05
    z = generator.standard_normal((runs, n, d)).astype(np.float32)
    sums = HalfSums(np.zeros((runs, d), np.float32), n, 1.0, 2)
    classes = (z[..., 0] < 0.3).astype(np.int64)
    for row in range(runs):
        sums.add(row, z[row], classes[row])
    p = np.broadcast_to(norm.cdf([-0.3, 0.3]), (runs, 2))
    found = gradient_bounds(sums.halves, n, p, p, level / 6)
    misses = int((found < norm.pdf(0.3)).any(1).sum())
    assert misses <= binom.ppf(0.999, runs, 2 * level)


def test_half_sums_are_the_means_over_the_halves_however_they_are_fed():
    generator = np.random.default_rng(1)
    n, sigma = 75, 0.5
    image = generator.random((2, 1, 2, 3)).astype(np.float32)
    noise = generator.standard_normal((2, n, 1, 2, 3)).astype(np.float32)
    classes = generator.integers(0, 3, (2, n))
    sums = HalfSums(image, n, sigma, 3)
    for begin, end in ((0, 20), (20, 50), (50, 75)):
        for row in (1, 0):
            sums.add(row, image[row] + sigma * noise[row, begin:end], classes[row, begin:end])
    cut = n // 2
    for row in range(2):
        flat = noise[row].reshape(n, -1).astype(np.float64)
        for c in range(3):
            for i, offset in enumerate(OFFSETS):
                weighted = ((classes[row] == c) - offset)[:, None] * flat
                x, y = weighted[:cut].mean(0), weighted[cut:].mean(0)
                assert sums.halves.products[row, c, i] == pytest.approx(x @ y, abs=1e-5)
                assert sums.halves.lengths[row, c, i] == pytest.approx(np.linalg.norm(x), abs=1e-5)


def test_evidence_counts_the_votes_and_takes_two_samples_at_least():
    target, images = slab(0.5), image_at(-0.5, 0.0, 0.7)
    votes, halves = target.evidence(images, 301, seed=4, indices=[5, 6, 7])
    np.testing.assert_array_equal(votes, target.votes(images, 301, seed=4, purpose="ceiling", indices=[5, 6, 7]))
    one, alone = target.evidence(images[1:2], 301, seed=4, indices=[6])
    np.testing.assert_array_equal(one[0], votes[1])
    np.testing.assert_allclose(alone.products[0], halves.products[1], atol=1e-6)
    with pytest.raises(InputError, match="at least 2"):
        target.evidence(images, 1)
    with pytest.raises(InputError, match=r"torch\.Tensor"):
        target.evidence(images.numpy(), 10)
    votes, halves = target.evidence(images[:0], 10)
    assert (votes.shape, halves.lengths.shape) == ((0, 3), (0, 3, 3))


# --- what it leaves of a class


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.8, 0.99])
@pytest.mark.parametrize("shift", [0.1, 0.5, 2.0])
def test_after_shift_is_the_optimum_of_the_linear_program(p, share, shift):
    z = np.linspace(-9, 9, 1801)
    weight = norm.pdf(z) * (z[1] - z[0])
    gradient = share * norm.pdf(ndtri(p))
    gain = weight * np.exp(shift * z - shift**2 / 2)
    found = linprog(-gain, A_ub=[weight * z], b_ub=[gradient], A_eq=[weight], b_eq=[p], bounds=(0, 1), method="highs")
    assert found.status == 0
    assert after_shift(p, gradient, shift) == pytest.approx(-found.fun, abs=1e-4)


def test_after_shift_of_a_half_space_and_at_the_ends():
    for p, shift in ((0.2, 0.7), (0.8, 0.1)):
        half_space = norm.cdf(norm.ppf(p) + shift)
        assert after_shift(p, np.inf, shift) == pytest.approx(half_space, abs=1e-12)
        assert after_shift(p, norm.pdf(norm.ppf(p)) * (1 - 1e-9), shift) == pytest.approx(half_space, abs=1e-4)
        assert after_shift(p, 0.1, 0.0) == pytest.approx(p, abs=1e-9)
    assert after_shift(0.0, 0.1, 1.0) == 0.0
    assert after_shift(1.0, 0.1, 1.0) == 1.0


def test_after_shift_rises_with_each_of_its_arguments():
    values = np.linspace(0, 1, 12)
    for rising in (
        [after_shift(p, 0.1, 0.5) for p in values],
        [after_shift(0.3, g, 0.5) for g in values / 2],
        [after_shift(0.3, 0.1, r) for r in 3 * values],
    ):
        assert (np.diff(rising) >= -1e-12).all()
        assert rising[-1] > rising[0] + 0.05


# --- the ceiling of second order


@pytest.mark.parametrize("epsilon", [0.1, 0.2, 0.3])
def test_ceilings_with_gradients_hold_and_prove_more_than_without(epsilon):
    cuts, sigma = (-0.4, 0.5), 0.5
    places = np.linspace(-0.3, 0.4, 8)
    votes, halves = slab(sigma, cuts).evidence(image_at(*places), 40_000)
    first = ceilings(votes, epsilon, sigma, 1000, ALPHA)
    second = ceilings(votes, epsilon, sigma, 1000, ALPHA, halves=halves)
    for place, bound in zip(places, second, strict=True):
        for shift in np.linspace(-epsilon, epsilon, 9):
            p = slab_probabilities(cuts, place + shift, sigma)
            rate = abstention_frequency(p)
            assert bound >= rate - 4 * np.sqrt(rate * (1 - rate) / 2000) - 1e-9
    assert (second <= first + 0.02).all()
    assert second.sum() < first.sum() - 0.3


def abstention_frequency(p: np.ndarray) -> float:
    counts = np.random.default_rng(0).multinomial(1000, p, size=2000)
    return float((decide(counts, ALPHA, -1) == -1).mean())


def test_a_linear_base_classifier_is_as_steep_as_can_be():
    votes, halves = linear(0.5).evidence(image_at(0.1, 0.4, 0.8), 10_000)
    first = ceilings(votes, 0.25, 0.5, 1000, ALPHA)
    np.testing.assert_allclose(ceilings(votes, 0.25, 0.5, 1000, ALPHA, halves=halves), first, atol=0.1)


def test_ceilings_with_gradients_take_one_number_of_votes_at_a_time():
    votes, halves = slab(0.5).evidence(image_at(0.1, 0.4), 100)
    votes[0, 0] += 1
    with pytest.raises(ValueError, match="different numbers of votes"):
        ceilings(votes, 0.1, 0.5, 100, ALPHA, halves=halves)


def test_ceilings_of_no_images_with_gradients():
    nothing = Halves(np.zeros((0, 10, 3)), np.zeros((0, 10, 3)))
    assert ceilings(np.zeros((0, 10), dtype=np.int64), 0.1, 0.5, 1000, ALPHA, halves=nothing).shape == (0,)
