"""A belief about the boundary: what labels alone say of the distance to the tie, as a Gaussian process.

The latent function is the signed distance to the tie, σ/2 (Φ⁻¹(p_home) - Φ⁻¹(p of the best other class)): positive
where ``home`` leads, and within half a band of zero where PREDICT abstains. It is 1-Lipschitz and smooth over lengths
of several σ, so that a few hundred answers pin it down in the directions that matter. Laplace's approximation as in
Rasmussen & Williams 2006, Algorithm 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.special import log_ndtr, ndtr

Floats = NDArray[np.float64]

HOME, OTHER, TIE = 1, -1, 0
"""Answers: the class that leads at the original, another class, ABSTAIN."""

ITERATIONS = 20
SETTLED = 1e-3
"""Newton's method ends where no value moves by more than this share of the prior's spread."""


class Belief:
    """What is believed of one image's boundary.

    Points are displacements from the original in coordinates (m,) along orthonormal directions, so that their norm is
    the ℓ2 distance.

    Args:
        weights: (m,), sum 1, how much of the gradient is expected along each direction.
        spread: standard deviation of the latent function, its prior mean being 0.
        length: over which it changes, in the norm that ``weights`` gives.
        band: distance from the tie at which PREDICT abstains with probability one half.
        blur: standard deviation of what the model leaves out.
    """

    def __init__(self, weights: Floats, *, spread: float, length: float, band: float, blur: float) -> None:
        self.spread, self.band, self.blur = spread, band, blur
        self._scale = np.sqrt(weights) / length
        self._points = np.zeros((0, len(weights)))  # scaled
        self._squares = np.zeros(0)  # their squared norms
        self._covariance = np.zeros((0, 0))
        self._values = np.zeros(0)
        self.answers = np.zeros(0)

    def add(self, point: Floats, answer: int) -> None:
        """Learn the answer at a point (m,)."""
        scaled = (point * self._scale)[None]
        column = self._kernel(scaled)[0]
        known, covariance = len(column), np.full((len(column) + 1, len(column) + 1), self.spread**2)
        covariance[:known, :known] = self._covariance
        covariance[known, :known] = covariance[:known, known] = column
        self._covariance = covariance
        self._points = np.concatenate([self._points, scaled])
        self._squares = (self._points**2).sum(1)
        self.answers = np.append(self.answers, answer)
        self._values = np.append(self._values, 0.0)
        self._fit()

    def mean(self, points: Floats) -> Floats:
        """Expected distance to the tie (M,) at points (M, m)."""
        result: Floats = self._kernel(points * self._scale) @ self._pull
        return result

    def mean_along(self, direction: Floats, places: Floats) -> Floats:
        """The same at ``places`` (R,) times one direction (m,), at a fraction of the cost."""
        scaled = direction * self._scale
        along = -2 * places[:, None] * (self._points @ scaled) + places[:, None] ** 2 * (scaled @ scaled)
        result: Floats = self._covariances(self._squares + along) @ self._pull
        return result

    def gradient(self, point: Floats) -> Floats:
        """The mean's gradient (m,) at a point (m,)."""
        scaled = point * self._scale
        pull = self._kernel(scaled[None])[0] * self._pull
        result: Floats = self._scale * (pull @ (self._points - scaled))
        return result

    def variance(self, points: Floats) -> Floats:
        """Posterior variance (M,) at points (M, m)."""
        weighed = self._root[:, None] * self._kernel(points * self._scale).T
        explained = (weighed * _solve(self._factor, weighed)).sum(0)
        result: Floats = np.maximum(self.spread**2 - explained, 1e-12)
        return result

    def tie_probability(self, points: Floats) -> Floats:
        """Probability (M,) that points (M, m) lie in the band where PREDICT abstains more often than not."""
        mean, deviation = self.mean(points), np.sqrt(self.variance(points))
        result: Floats = ndtr((self.band - mean) / deviation) - ndtr((-self.band - mean) / deviation)
        return result

    def _kernel(self, scaled: Floats) -> Floats:
        products = -2 * scaled @ self._points.T
        return self._covariances(products + (scaled**2).sum(1)[:, None] + self._squares)

    def _covariances(self, squared_distances: Floats) -> Floats:
        result: Floats = self.spread**2 * np.exp(-np.maximum(squared_distances, 0) / 2)
        return result

    def _fit(self) -> None:
        """The posterior's mode and curvature, from the last mode on."""
        identity, values = np.eye(len(self._values)), self._values
        for _ in range(ITERATIONS):
            slope, curvature = self._likelihood(values)
            root = np.sqrt(curvature)
            factor = _factor(identity + root[:, None] * self._covariance * root)
            wanted = curvature * values + slope
            pull = wanted - root * _solve(factor, root * (self._covariance @ wanted))
            step = self._covariance @ pull - values
            longest = float(np.abs(step).max()) / self.spread
            if longest < SETTLED:
                break
            values = values + step * min(1.0, 1 / longest)
        self._values, self._pull, self._root, self._factor = values, pull, root, factor

    def _likelihood(self, values: Floats) -> tuple[Floats, Floats]:
        """Slope and curvature of -log P[answers | values]: a probit for a label, a Gaussian at 0 for ABSTAIN."""
        margin = (self.answers * values - self.band) / self.blur
        hazard = np.exp(-(margin**2) / 2 - np.log(2 * np.pi) / 2 - log_ndtr(margin))
        curvature = np.maximum(hazard * (hazard + margin) / self.blur**2, 1e-6)
        precision = 1 / (self.band**2 / 3 + self.blur**2)  # a band of even chances has a third of its square
        tie = self.answers == TIE
        return (
            np.where(tie, -values * precision, self.answers * hazard / self.blur),
            np.where(tie, precision, curvature),
        )


def _factor(matrix: Floats) -> Floats:
    """The Cholesky factor of a positive definite matrix, above the diagonal; by LAPACK itself, as a belief asks for one
    of a few dozen rows after each answer, and SciPy's checks of it take longer.

    Raises:
        numpy.linalg.LinAlgError: it is not positive definite.
    """
    factor, info = dpotrf(matrix, clean=False)
    if info:
        raise np.linalg.LinAlgError(f"the belief's covariance is not positive definite (LAPACK's potrf says {info})")
    result: Floats = factor
    return result


def _solve(factor: Floats, right: Floats) -> Floats:
    """The solution (N,) or (N, M) of equations whose matrix has that factor."""
    result: Floats = dpotrs(factor, right)[0]
    return result
