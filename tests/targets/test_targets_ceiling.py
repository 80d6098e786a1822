from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom, binomtest, norm
from targets_exact import answers, exact_abstention, simulated_abstention, trinomial
from targets_linear import image_at, linear, slab_probabilities

from targets import ceiling
from targets.ceiling import abstention_bound, ceilings, no_rejection

ALPHA = 0.001


def rejects_in_favour(n: int, alpha: float) -> np.ndarray:
    """R of the proof, as an (n + 1, n + 1) array over (n_A, n_B)."""
    first = np.arange(n + 1)
    return answers(n, alpha) & (first[:, None] > first[None, :])


# --- the steps of the proof


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.5])
def test_rejection_in_a_s_favour_survives_a_vote_more_for_a_or_less_for_b(alpha):
    region = rejects_in_favour(150, alpha)
    assert region.any()
    assert not (region[:-1] & ~region[1:]).any()  # (n_A + 1, n_B)
    assert not (region[:, 1:] & ~region[:, :-1]).any()  # (n_A, n_B - 1)
    assert not (region[:-1, 1:] & ~region[1:, :-1]).any()  # (n_A + 1, n_B - 1)


def test_abstention_needs_a_rival_that_is_not_significantly_below():
    counts, _ = trinomial(np.array([0.4, 0.4, 0.2]), 60)
    region, apart = rejects_in_favour(60, 0.05), answers(60, 0.05)
    ordered = np.sort(counts, axis=1)
    abstained = ~apart[ordered[:, 2], ordered[:, 1]]
    beaten = region[counts[:, 0], counts[:, 1]] & region[counts[:, 0], counts[:, 2]]
    assert abstained.any()
    assert beaten.any()
    assert not (abstained & beaten).any()


# --- the trinomial sum


@pytest.mark.parametrize("n", [11, 12, 25, 60])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
@pytest.mark.parametrize(
    ("a", "b"), [(0.6, 0.1), (0.9, 0.1), (0.5, 0.5), (0.3, 0.4), (0.8, 0.0), (0.0, 0.7), (1.0, 0.0), (0.0, 1.0)]
)
def test_no_rejection_is_the_double_sum(a, b, n, alpha):
    counts, weight = trinomial(np.array([a, b, max(0.0, 1 - a - b)]), n)
    rejected = rejects_in_favour(n, alpha)[counts[:, 0], counts[:, 1]]
    assert no_rejection(a, b, n, alpha) == pytest.approx(weight[~rejected].sum(), abs=1e-10)


@pytest.mark.parametrize(("a", "b", "n"), [(0.5, 0.35, 300), (0.4, 0.3, 1000), (0.51, 0.49, 20_000)])
def test_no_rejection_is_the_simulated_frequency(a, b, n):
    counts = np.random.default_rng(1).multinomial(n, [a, b, 1 - a - b], size=50_000)
    pairs, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    p = np.minimum(1.0, 2 * binom.cdf(pairs.min(1), pairs.sum(1), 0.5))
    kept = times[(p > ALPHA) | (pairs[:, 0] <= pairs[:, 1])].sum() / 50_000
    expected = no_rejection(a, b, n, ALPHA)
    assert 0.02 < expected < 0.98
    assert abs(kept - expected) < 4 * np.sqrt(expected * (1 - expected) / 50_000)


@pytest.mark.parametrize("n", [50, 1000])
def test_no_rejection_falls_with_a_and_rises_with_b(n):
    grid = np.linspace(0, 1, 21)
    table = np.array([[no_rejection(a, b, n, ALPHA) if a + b <= 1 + 1e-12 else np.nan for b in grid] for a in grid])
    along_a, along_b = np.diff(table, axis=0), np.diff(table, axis=1)
    assert (along_a[~np.isnan(along_a)] <= 1e-12).all()
    assert (along_b[~np.isnan(along_b)] >= -1e-12).all()
    assert np.nanmin(table) < 1e-9
    assert np.nanmax(table) > 1 - 1e-9


def test_no_rejection_without_votes_for_either():
    assert no_rejection(0.0, 0.0, 100, ALPHA) == 1.0


# --- the bound from known probabilities


@pytest.mark.parametrize("sigma", [0.12, 0.5, 1.0])
@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3, 0.6])
def test_two_classes_the_bound_is_the_exact_optimum(sigma, n, margin):
    # On a linear base classifier the best attack walks straight to the tie. The bound also counts confident
    # answers of the other class, which at or before the tie have a probability of at most alpha / 2.
    p = norm.cdf(margin / sigma)
    for epsilon in (0.01, 0.05, 0.1, 0.35, 0.8):
        there = norm.cdf(max(0.0, margin - epsilon) / sigma)
        best = exact_abstention([there, 1 - there], n, ALPHA)
        bound = abstention_bound(p, np.array([1 - p]), epsilon, sigma, n, ALPHA)
        assert best - 1e-7 <= bound <= best + ALPHA


@pytest.mark.parametrize(
    ("cuts", "position", "leader"),
    [([-0.2, 0.25], 0.9, 2), ([-0.2, 0.25], -0.75, 0), ([-0.9, 0.8], 0.1, 1), ([0.0, 1.0], 0.5, 1)],
)
def test_three_slabs_no_shift_abstains_more_often_than_the_bound(cuts, position, leader):
    p = slab_probabilities(cuts, position, 0.5)
    assert p.argmax() == leader
    gaps = []
    for epsilon in (0.1, 0.2, 0.4, 0.8):
        bound = abstention_bound(p[leader], np.delete(p, leader), epsilon, 0.5, 100, ALPHA)
        shifts = np.linspace(-epsilon, epsilon, 9)
        best = max(exact_abstention(slab_probabilities(cuts, position + s, 0.5), 100, ALPHA) for s in shifts)
        assert bound >= best
        gaps.append(bound - best)
    assert min(gaps) < 0.2  # and it is not always 1


def permitted(p: np.ndarray, shift: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Probabilities that the Lipschitz bounds permit at a distance of ``shift`` · σ; class 0 leads."""
    a = ndtr(ndtri(p[0]) - shift)
    b = np.minimum(1 - a, ndtr(ndtri(p[1:]) + shift))
    found = []
    for order in (np.argsort(-p[1:]), np.argsort(p[1:]), generator.permutation(len(b))):
        rivals, left = np.zeros(len(b)), 1 - a
        for i in order:
            rivals[i] = min(b[i], left)
            left -= rivals[i]
        found.append(np.concatenate([[1 - rivals.sum()], rivals]))
    level = min(1.0, (1 - a) / b.sum())
    found.append(np.concatenate([[1 - (level * b).sum()], level * b]))
    return found


def test_no_permitted_probabilities_abstain_more_often_than_the_bound():
    generator = np.random.default_rng(2)
    informative = 0
    for trial in range(60):
        n = (50, 300, 1000)[trial % 3]
        p = np.sort(generator.dirichlet(np.ones(2 + trial % 5)))[::-1]
        shift = generator.uniform(0.02, 0.3)
        bound = abstention_bound(p[0], p[1:], shift, 1.0, n, ALPHA)
        informative += 0.02 < bound < 0.98
        for there in permitted(p, shift, generator):
            rate = simulated_abstention(there, n, ALPHA, 4000, seed=trial)
            assert rate <= bound + 5 * np.sqrt(bound * (1 - bound) / 4000) + 1e-9, (p, shift, there, n)
    assert informative >= 8


def test_level_rivals_count_each():
    # Any of the nine may keep the leader from being told apart.
    p = np.array([0.18] + [0.82 / 9] * 9)
    bound = abstention_bound(p[0], p[1:], 1e-9, 1.0, 1000, ALPHA)
    rate = simulated_abstention(p, 1000, ALPHA, 20_000)
    assert 0.08 < rate <= bound < 2 * rate
    assert bound == pytest.approx(9 * no_rejection(p[0], p[1], 1000, ALPHA), rel=1e-5)


def test_loose_limits_on_many_rivals_do_not_add_up_to_more_than_one_rival_with_everything():
    for epsilon in (0.05, 0.1, 0.2):
        single = abstention_bound(0.75, np.array([0.25]), epsilon, 0.5, 100, ALPHA)
        assert 0 < single < 0.9
        assert abstention_bound(0.75, np.full(9, 0.25), epsilon, 0.5, 100, ALPHA) == pytest.approx(single, rel=1e-6)


def test_knowing_the_rivals_helps():
    assert abstention_bound(0.55, np.full(9, 0.05), 0.05, 0.5, 100, ALPHA) < 0.2
    assert abstention_bound(0.55, np.array([0.45]), 0.05, 0.5, 100, ALPHA) > 0.9


@pytest.mark.parametrize("rivals", [[1.0], [0.2, 0.5]])
def test_nothing_is_proven_of_a_class_that_may_have_no_votes(rivals):
    assert abstention_bound(0.0, np.array(rivals), 0.1, 0.5, 100, ALPHA) == 1.0


def test_a_test_that_never_rejects_has_no_bound():
    assert abstention_bound(0.999, np.array([0.001]), 0.1, 0.5, 10, ALPHA) == 1.0


def test_the_bound_falls_to_nothing_as_the_leader_becomes_certain():
    bounds = [
        abstention_bound(1 - rest, np.array([rest / 2, rest / 2]), 0.5, 0.5, 1000, ALPHA)
        for rest in (0.4, 0.1, 0.05, 0.02, 1e-6, 0.0)
    ]
    assert (np.diff(bounds) <= 1e-12).all()
    assert bounds[0] == pytest.approx(1.0, abs=1e-6)
    assert bounds[-2] < 1e-9
    assert bounds[-1] == pytest.approx(0.0, abs=1e-12)


# --- the ceiling from votes


def test_ceilings_are_the_bound_at_clopper_pearson_s_limits():
    votes = np.array([[700, 200, 100], [30, 960, 10], [0, 0, 1000], [400, 390, 210]])
    result = ceilings(votes, 0.2, 0.5, 200, ALPHA, confidence=0.99)
    for row, got in zip(votes, result, strict=True):
        # 0.99 shared among two sides of three classes: each side misses with probability 0.01 / 6.
        limits = [binomtest(int(k), 1000).proportion_ci(1 - 2 * 0.01 / 6, "exact") for k in row]
        leader = int(row.argmax())
        rivals = np.array([limits[c].high for c in range(3) if c != leader])
        assert got == pytest.approx(abstention_bound(limits[leader].low, rivals, 0.2, 0.5, 200, ALPHA), abs=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_an_image_s_limits_hold_together_with_the_confidence(classes, monkeypatch):
    # The leader is chosen on the votes that bound it. Where all classes are level that choice matters most.
    used: list[tuple[float, np.ndarray]] = []

    def keep(p_low, p_high, *_):
        used.append((p_low, p_high))
        return 1.0

    monkeypatch.setattr(ceiling, "abstention_bound", keep)
    votes = np.random.default_rng(0).multinomial(1000, [1 / classes] * classes, size=4000)
    ceilings(votes, 0.1, 0.5, 100, ALPHA, confidence=0.9)
    misses = sum(low > 1 / classes or (high < 1 / classes).any() for low, high in used)
    assert 0 < misses <= binom.ppf(0.999, 4000, 0.1)


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_ceilings_hold_on_the_linear_base_classifier(sigma):
    margins = np.linspace(0, 1.4, 60)
    votes = linear(sigma).votes(image_at(*margins), 1000, purpose="ceiling")
    for n in (100, 1000):
        for epsilon in (0.05, 0.25, 0.5, 1.0):
            there = norm.cdf(np.maximum(0, margins - epsilon) / sigma)
            best = np.array([exact_abstention([p, 1 - p], n, ALPHA) for p in there])
            result = ceilings(votes, epsilon, sigma, n, ALPHA)
            assert (result >= best - 1e-9).all()
            assert (result <= 1).all()
            if epsilon <= 0.25:
                assert result.min() < 0.5  # proves something


def test_ceilings_are_near_the_optimum_with_many_votes():
    margins = np.linspace(0.2, 0.6, 9)
    p = norm.cdf(margins / 0.5)
    votes = np.stack([np.round(p * 10**8), np.round((1 - p) * 10**8)], 1).astype(np.int64)
    there = norm.cdf((margins - 0.2) / 0.5)
    best = [exact_abstention([q, 1 - q], 1000, ALPHA) for q in there]
    np.testing.assert_allclose(ceilings(votes, 0.2, 0.5, 1000, ALPHA), best, atol=0.005)


def test_ceilings_rise_with_epsilon_and_fall_with_sigma_and_n_and_the_votes():
    votes = np.array([[800, 100, 60, 40]])

    def of(epsilon=0.3, sigma=0.5, n=300, counts=votes):
        return ceilings(counts, epsilon, sigma, n, ALPHA)[0]

    rising = [
        [of(epsilon=e) for e in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)],
        [of(sigma=s) for s in (2.0, 1.0, 0.7, 0.5, 0.4, 0.3)],
        [of(n=n) for n in (3000, 1000, 300, 100, 30)],
        [of(counts=votes * times) for times in (100, 10, 3, 1)],
    ]
    for values in rising:
        assert values == sorted(values)
        assert values[0] < values[-1] - 0.1


def test_ceilings_of_a_tie_and_of_no_images():
    assert ceilings(np.array([[500, 500]]), 0.1, 0.5, 1000, ALPHA).tolist() == [pytest.approx(1.0, abs=1e-6)]
    assert ceilings(np.zeros((0, 10), dtype=np.int64), 0.1, 0.5, 1000, ALPHA).shape == (0,)


def test_all_images_of_a_row_hold_at_once_by_a_fixed_share_of_error_each():
    """On the linear base classifier, whose optimum is exact. The shares are large here, to see a failure at all."""
    images, error, rows = 20, 0.2, 150
    margins = np.random.default_rng(5).uniform(0.2, 0.7, images)
    p, there = norm.cdf(margins / 0.5), norm.cdf((margins - 0.15) / 0.5)
    best = np.array([exact_abstention([q, 1 - q], 100, ALPHA) for q in there])
    votes = np.random.default_rng(6).binomial(500, p, size=(rows, images))
    counts = np.stack([votes, 500 - votes], axis=2)

    def rows_that_fail(share: float) -> int:
        found = [ceilings(row, 0.15, 0.5, 100, ALPHA, confidence=1 - share) for row in counts]
        return int((np.array(found) < best - 1e-9).any(axis=1).sum())

    assert rows_that_fail(error / images) <= binom.ppf(0.999, rows, error)
    # With the whole error an image, as one is tempted to, most rows have an image whose ceiling is too low.
    assert rows_that_fail(error) > binom.ppf(0.999, rows, error)


def test_the_share_of_a_board_s_images_does_not_depend_on_the_others():
    votes = np.array([[990, 10], [700, 300], [1000, 0]])
    together = ceilings(votes, 0.3, 0.5, 1000, ALPHA, confidence=1 - ceiling.ERROR)
    alone = [ceilings(votes[[row]], 0.3, 0.5, 1000, ALPHA, confidence=1 - ceiling.ERROR)[0] for row in range(3)]
    assert together.tolist() == alone
    assert (together >= ceilings(votes, 0.3, 0.5, 1000, ALPHA)).all()  # of 99.9% an image
