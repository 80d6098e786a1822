"""The belief about the boundary, against Rasmussen & Williams's algorithm written down with SciPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from attacks.decision.belief import HOME, ITERATIONS, OTHER, SETTLED, TIE, Belief, cholesky


def believed(count: int, told: int) -> tuple[Belief, np.ndarray]:
    """A belief that was told the first of ``count`` random answers, and their points."""
    generator = np.random.default_rng(count)
    weights = generator.random(6)
    belief = Belief(weights / weights.sum(), spread=0.6, length=2.0, band=0.03, blur=0.05)
    points = generator.normal(size=(count, 6))
    answers = generator.choice([HOME, OTHER, TIE], size=count)
    for point, answer in zip(points[:told], answers, strict=False):
        belief.add(point, int(answer))
    return belief, points[:told]


def newton(belief: Belief, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The posterior's mode by Newton's method from ``values``, and what the mean is computed by."""
    for _ in range(ITERATIONS):
        slope, curvature = belief.likelihood(values)
        root = np.sqrt(curvature)
        factor = cho_factor(np.eye(len(values)) + root[:, None] * belief.covariance * root)
        wanted = curvature * values + slope
        pull = wanted - root * cho_solve(factor, root * (belief.covariance @ wanted))
        step = belief.covariance @ pull - values
        longest = float(np.abs(step).max()) / belief.spread
        if longest < SETTLED:
            break
        values = values + step * min(1.0, 1 / longest)
    return values, pull


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_posterior_is_the_algorithms_to_the_last_bit(count: int) -> None:
    before, after = believed(9, count - 1)[0], believed(9, count)[0]
    points = believed(9, count)[1]
    values, pull = newton(after, np.append(before.values, 0.0))
    assert np.array_equal(after.values, values)
    assert np.array_equal(after.pull, pull)
    assert np.array_equal(after.mean(points + 0.3), after.kernel(points + 0.3) @ pull)


def test_the_covariance_is_the_kernel_at_the_points_that_were_answered() -> None:
    belief, points = believed(9, 9)
    assert np.allclose(belief.covariance, belief.kernel(points), atol=1e-12)
    assert np.allclose(np.diag(belief.covariance), belief.spread**2)


def test_the_mean_along_a_direction_is_the_mean_there() -> None:
    belief, points = believed(9, 9)
    direction = points[0] / np.linalg.norm(points[0])
    places = np.linspace(0, 3, 7)
    assert np.allclose(belief.mean_along(direction, places), belief.mean(places[:, None] * direction), atol=1e-9)


def test_a_covariance_that_is_none_is_told() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        cholesky(np.array([[1.0, 2.0], [2.0, 1.0]]))


@pytest.fixture
def belief() -> Belief:
    rng = np.random.default_rng(1)
    belief = Belief(np.full(6, 1 / 6), spread=0.6, length=2.0, band=0.07, blur=0.05)
    slope = np.array([0.4, 0.2, 0.0, -0.1, 0.0, 0.3])
    for point in 3 * rng.standard_normal((60, 6)):
        distance = 0.3 - point @ slope
        belief.add(point, TIE if abs(distance) < 0.07 else HOME if distance > 0 else OTHER)
    return belief


def test_a_belief_learns_a_plane_from_labels(belief: Belief):
    slope = np.array([0.4, 0.2, 0.0, -0.1, 0.0, 0.3])
    learnt = -belief.gradient(np.zeros(6))
    assert learnt @ slope > 0.95 * np.linalg.norm(learnt) * np.linalg.norm(slope)
    tie = 0.3 * slope / (slope @ slope)
    points = np.stack([0 * tie, tie, 2.5 * tie])
    mean = belief.mean(points)
    assert mean[0] > 0.07 > abs(mean[1])
    assert mean[2] < -0.03
    assert belief.tie_probability(points).argmax() == 1


def test_a_belief_is_consistent(belief: Belief):
    point = np.array([0.3, -0.5, 0.2, 0.1, 0.9, -0.4])
    steps = 1e-5 * np.eye(6)
    numeric = (belief.mean(point + steps) - belief.mean(point - steps)) / 2e-5
    assert np.allclose(belief.gradient(point), numeric, atol=1e-6)
    places = np.array([0.0, 0.5, 2.0])
    assert np.allclose(belief.mean_along(point, places), belief.mean(places[:, None] * point))
    before = belief.variance(point[None])
    belief.add(point, TIE)
    assert 0 < belief.variance(point[None]) < before
