"""The belief about the boundary, against Rasmussen & Williams's algorithm written down with SciPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from attacks.decision.belief import HOME, ITERATIONS, OTHER, SETTLED, TIE, Belief, _factor


def _believed(count: int) -> tuple[Belief, np.ndarray]:
    generator = np.random.default_rng(count)
    weights = generator.random(6)
    belief = Belief(weights / weights.sum(), spread=0.6, length=2.0, band=0.03, blur=0.05)
    points = generator.normal(size=(count, 6))
    for point in points:
        belief.add(point, int(generator.choice([HOME, OTHER, TIE])))
    return belief, points


def _mode(belief: Belief, covariance: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for the posterior's mode, from ``values`` on, and what it pulls the mean by."""
    for _ in range(ITERATIONS):
        slope, curvature = belief._likelihood(values)
        root = np.sqrt(curvature)
        factor = cho_factor(np.eye(len(values)) + root[:, None] * covariance * root)
        wanted = curvature * values + slope
        pull = wanted - root * cho_solve(factor, root * (covariance @ wanted))
        step = covariance @ pull - values
        longest = float(np.abs(step).max()) / belief.spread
        if longest < SETTLED:
            break
        values = values + step * min(1.0, 1 / longest)
    return values, pull


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_posterior_is_the_algorithms_to_the_last_bit(count: int) -> None:
    belief, points = _believed(count)
    before, _ = _believed(count)
    covariance = before._kernel(before._points)
    np.fill_diagonal(covariance, before.spread**2)
    assert np.allclose(belief._covariance, covariance, atol=1e-12)

    before._values = np.append(before._values[:-1] if count > 1 else before._values[:0], 0.0)
    values, pull = _mode(before, belief._covariance, before._values)
    belief._values = before._values
    belief._fit()
    assert np.array_equal(belief._values, values)
    assert np.array_equal(belief._pull, pull)
    elsewhere = points + 0.3
    assert np.array_equal(belief.mean(elsewhere), belief._kernel(elsewhere * belief._scale) @ pull)


def test_the_mean_along_a_direction_is_the_mean_there() -> None:
    belief, points = _believed(9)
    direction = points[0] / np.linalg.norm(points[0])
    places = np.linspace(0, 3, 7)
    assert np.allclose(belief.mean_along(direction, places), belief.mean(places[:, None] * direction), atol=1e-9)


def test_a_covariance_that_is_none_is_told() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        _factor(np.array([[1.0, 2.0], [2.0, 1.0]]))
