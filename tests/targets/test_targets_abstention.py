from __future__ import annotations

import numpy as np
import pytest
import torch
from targets_exact import abstains, exact_abstention, simulated_abstention, trinomial

from targets import abstention
from targets.abstention import abstention_probability, log_abstention_probability

ALPHA = 0.001


def of(p, n: int, alpha: float = ALPHA) -> np.ndarray:
    return abstention_probability(torch.as_tensor(np.array(p)), n, alpha).numpy()


def spread(n: int, shares: list[float], lead: float, fade: float = 0.0) -> np.ndarray:
    """Classes in these shares, the first one's raised by ``lead`` / √n, the second's by ``fade`` / √n."""
    p = np.array(shares) / np.sum(shares)
    p[0] += lead / np.sqrt(n)
    p[1] += fade / np.sqrt(n)
    return p / p.sum()


THREE = [1, 1, 1]
TWO_OF_TEN = [4, 4] + [0.25] * 8
THREE_OF_TEN = [2, 2, 2] + [4 / 7] * 7
ONE_SMALL_THIRD = [5, 5, 1]


@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize(
    ("shares", "lead", "fade"),
    [
        (THREE, 1.0, 0.0),  # one above a tie of two
        (THREE, 1.2, 0.4),
        (THREE, 0.0, 0.0),
        (ONE_SMALL_THIRD, 1.3, 0.0),
        ([5, 4, 0.5, 0.5], 0.0, 0.0),
        (TWO_OF_TEN, 1.6, 0.0),
        (TWO_OF_TEN, 0.0, 0.0),
        (THREE_OF_TEN, 0.9, 0.0),
        (THREE_OF_TEN, 0.5, 0.5),
        (TWO_OF_TEN, 0.5, 0.0),
        ([6, 5, 4, 1, 1, 1], 0.3, 0.0),
    ],
)
def test_probability_is_the_simulated_frequency(n, shares, lead, fade):
    p = spread(n, shares, lead, fade)
    assert abs(of(p[None], n)[0] - simulated_abstention(p, n, ALPHA, 200_000)) < 0.004


@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize("alpha", [ALPHA, 0.05])
def test_two_classes_the_probability_is_the_exact_sum(n, alpha):
    p = np.linspace(0.5, 0.5 + 4 / np.sqrt(n), 30)
    p = np.stack([p, 1 - p], 1)
    expected = [exact_abstention(row, n, alpha) for row in p]
    assert min(expected) < 0.1
    # Continuity at small n costs most; it falls with n.
    np.testing.assert_allclose(of(p, n, alpha), expected, atol=0.2 / n)
    np.testing.assert_allclose(of(p[:, ::-1].copy(), n, alpha), expected, atol=0.2 / n)


@pytest.mark.parametrize("n", [60, 100, 150, 200, 320])
def test_three_classes_the_probability_is_the_exact_sum(n):
    # n = 150 and 320 lie where the totals are just, and just not, all summed over.
    p = np.array([spread(n, THREE, lead, fade) for lead in np.linspace(0, 12, 13) for fade in (0.0, 0.5, 1.0)])
    counts, _ = trinomial(p[0], n)
    abstained = abstains(counts, ALPHA)
    expected = np.array([trinomial(row, n)[1][abstained].sum() for row in p])
    assert expected.min() < 0.5
    np.testing.assert_allclose(of(p, n), expected, atol=0.004)


def test_a_draw_among_the_runners_up_counts_once():
    # Counted for both pairs it would lift this by the probability of a draw, 0.016.
    p = [0.364, 0.318, 0.318]
    counts, weight = trinomial(np.array(p), 400)
    assert of([p], 400)[0] == pytest.approx(weight[abstains(counts, ALPHA)].sum(), abs=0.003)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_level_classes_abstain(n, classes):
    assert of([[1 / classes] * classes], n)[0] == pytest.approx(1.0, abs=0.015)


def test_the_order_of_the_classes_does_not_matter():
    p = np.array([0.45, 0.3, 0.15, 0.07, 0.03])
    orders = [np.random.default_rng(seed).permutation(5) for seed in range(5)]
    np.testing.assert_array_equal(of([p[order] for order in orders], 200), of([p] * 5, 200))


def test_rows_do_not_depend_on_one_another():
    p = np.random.default_rng(0).dirichlet(np.ones(6), size=8)
    np.testing.assert_allclose(of(p, 300), [of(row[None], 300)[0] for row in p], rtol=1e-12)
    assert of(np.zeros((0, 6)), 300).shape == (0,)


def test_single_precision_is_computed_in_double():
    p = torch.tensor([[0.55, 0.45]], dtype=torch.float32)
    result = abstention_probability(p, 1000, ALPHA)
    assert result.dtype == torch.float64
    assert float(result) == pytest.approx(of([[0.55, 0.45]], 1000)[0], abs=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
@pytest.mark.parametrize("n", [100, 1000])
def test_gradient_is_that_of_finite_differences(classes, n):
    logits = 1.5 * torch.rand(4, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(classes))
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_abstention_probability(x.softmax(1), n, ALPHA), (logits,))


def test_gradient_is_that_of_the_exact_probability():
    p = torch.tensor([[0.6, 0.4]], dtype=torch.float64, requires_grad=True)
    abstention_probability(p, 100, ALPHA).backward()
    slope = float(p.grad[0, 0] - p.grad[0, 1])  # of moving probability from the second to the first
    h = 1e-4
    expected = (exact_abstention([0.6 + h, 0.4 - h], 100, ALPHA) - exact_abstention([0.6 - h, 0.4 + h], 100, ALPHA)) / (
        2 * h
    )
    assert slope == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("n", [11, 100, 1000, 100_000])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_certainty_has_a_finite_value_and_gradient(n, classes):
    p = torch.zeros(2, classes, dtype=torch.float64)
    p[0, 0] = 1.0
    p[1, :2] = 0.5
    p.requires_grad_()
    value = log_abstention_probability(p, n, ALPHA)
    value.sum().backward()
    value = value.detach()
    assert bool(value.isfinite().all())
    assert bool(p.grad.isfinite().all())
    assert float(value[0]) < np.log(0.01)
    assert float(value[1]) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize("shares", [[1], [0.5, 0.5], [0.7, 0.2, 0.1]])
def test_the_logarithm_rises_all_the_way_to_the_tie(n, shares):
    # From certainty, where the probability itself underflows, an attack needs a slope to follow.
    lead = torch.linspace(1.0, 1.01 / (1 + 1 / max(shares)), 40, dtype=torch.float64)
    p = torch.cat([lead[:, None], (1 - lead)[:, None] * torch.tensor(shares, dtype=torch.float64)], 1)
    value = log_abstention_probability(p, n, ALPHA)
    assert bool((value.diff() > -1e-3).all())
    assert bool((value.diff()[value[:-1] < -0.1] > 0).all())
    assert float(value[0]) < -100
    assert (float(value[-1])) > -1.0


def test_the_gradient_points_from_the_leader_to_its_rival():
    p = torch.tensor([[0.9, 0.07, 0.03]], dtype=torch.float64, requires_grad=True)
    log_abstention_probability(p, 1000, ALPHA).sum().backward()
    leader, rival, third = p.grad[0].tolist()
    assert rival > third
    assert rival > leader


def _with_gradient(p: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    p = p.clone().requires_grad_()
    values = log_abstention_probability(p, n, ALPHA)
    (gradient,) = torch.autograd.grad(values.sum(), p)
    return values.detach(), gradient


def _estimates(count: int, classes: int) -> torch.Tensor:
    """Probabilities in float32, near a tie of two or of three and far from any."""
    generator = np.random.default_rng(classes)
    rows = [generator.dirichlet(np.full(classes, share)) for share in (0.1, 0.3, 1.0, 5.0) for _ in range(count)]
    return torch.from_numpy(np.array(rows, dtype=np.float32))


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("classes", [3, 10])
def test_what_is_left_out_changes_neither_value_nor_gradient(n, classes, monkeypatch):
    p, summed = _estimates(40, classes), []
    of_band = abstention._Band.log_sum
    monkeypatch.setattr(abstention._Band, "log_sum", lambda band: summed.append(len(band.totals)) or of_band(band))
    values, gradient = _with_gradient(p, n)
    some = sum(summed)
    summed.clear()
    monkeypatch.setattr(abstention, "NEGLIGIBLE", np.inf)
    every_value, every_gradient = _with_gradient(p, n)
    assert sum(summed) == 3 * len(p)
    assert some < 0.9 * sum(summed)
    torch.testing.assert_close(values, every_value, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, every_gradient, rtol=1e-6, atol=0)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_a_pair_that_is_left_out_weighs_no_more_than_is_said(n, monkeypatch):
    bands = []
    of_band = abstention._Band.log_sum
    monkeypatch.setattr(abstention, "NEGLIGIBLE", np.inf)  # leaves nothing out
    monkeypatch.setattr(abstention._Band, "log_sum", lambda band: bands.append(band) or of_band(band))
    log_abstention_probability(_estimates(100, 4), n, ALPHA)
    assert len(bands) == 3
    for band in bands:
        assert bool((band.most() >= of_band(band)).all())


def test_both_counts_gammas_have_their_own_gradients():
    width = torch.linspace(1, 40, 5, dtype=torch.float64)[:, None].requires_grad_()
    nodes = torch.tensor([-0.7, -0.2, 0.2, 0.7], dtype=torch.float64)
    a, b = (100 + width * nodes) / 2 + 1, (100 - width * nodes) / 2 + 1
    found, mirrored = abstention._LogGammas.apply(a, b)
    torch.testing.assert_close(found, torch.lgamma(a), rtol=1e-12, atol=0)
    torch.testing.assert_close(mirrored, torch.lgamma(b), rtol=1e-12, atol=0)
    weight = torch.arange(1.0, 5.0)
    (together,) = torch.autograd.grad((weight * found - 3 * mirrored).sum(), width, retain_graph=True)
    (apart,) = torch.autograd.grad((weight * torch.lgamma(a) - 3 * torch.lgamma(b)).sum(), width)
    assert torch.allclose(together, apart, rtol=1e-12)
