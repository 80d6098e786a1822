"""A Gaussian process that predicts the distance to the tie from labels alone.

The latent function is the signed distance to the tie, σ/2 (Φ⁻¹(p_home) - Φ⁻¹(p of the best other class)). It is
positive where ``home`` leads, and close to zero where PREDICT abstains. It is 1-Lipschitz and smooth over lengths of
several σ, so a hundred answers say much about it in the directions that matter. The posterior is Laplace's
approximation: Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", http://gaussianprocess.org/gpml/,
Algorithm 3.1.
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
"""Most of Newton's method for the posterior's mode."""

SETTLED = 1e-3
"""It ends where no value moves by more than this share of the prior's standard deviation."""


class Belief:
    """What is known of one image's boundary.

    Points are displacements from the original in coordinates (m,) along orthonormal directions, so that their norm is
    the ℓ2 distance.

    Args:
        weights: (m,), sum 1: the share of the gradient's squared norm that is expected along each direction.
        spread: prior standard deviation of the latent function; its prior mean is 0.
        length: length scale on which it changes, in the norm that ``weights`` defines.
        band: distance from the tie at which PREDICT abstains half of the time.
        blur: standard deviation of the model's error.

    Attributes:
        answers: so far, (M,).
        covariance: the prior's, of the latent function at their points, (M, M).
        values: the posterior's mode there, (M,).
        pull: covariance⁻¹ values, (M,), by which the mean elsewhere is computed.
    """

    def __init__(self, weights: Floats, *, spread: float, length: float, band: float, blur: float) -> None:
        self.spread, self.band, self.blur = spread, band, blur
        self._scale = np.sqrt(weights) / length
        self._points = np.zeros((0, len(weights)))  # scaled
        self._squares = np.zeros(0)  # their squared norms
        self.covariance = np.zeros((0, 0))
        self.values = np.zeros(0)
        self.answers = np.zeros(0)

    def add(self, point: Floats, answer: int) -> None:
        """Learn the answer at a point (m,)."""
        scaled = (point * self._scale)[None]
        column = self.kernel(point[None])[0]
        known, covariance = len(column), np.full((len(column) + 1, len(column) + 1), self.spread**2)
        covariance[:known, :known] = self.covariance
        covariance[known, :known] = covariance[:known, known] = column
        self.covariance = covariance
        self._points = np.concatenate([self._points, scaled])
        self._squares = (self._points**2).sum(1)
        self.answers = np.append(self.answers, answer)
        self.values = np.append(self.values, 0.0)
        self._fit()

    def mean(self, points: Floats) -> Floats:
        """Expected distance to the tie (N,) at points (N, m)."""
        result: Floats = self.kernel(points) @ self.pull
        return result

    def mean_along(self, direction: Floats, places: Floats) -> Floats:
        """The same (R,) at ``places`` (R,) times one direction (m,), at a fraction of the cost."""
        scaled = direction * self._scale
        along = -2 * places[:, None] * (self._points @ scaled) + places[:, None] ** 2 * (scaled @ scaled)
        result: Floats = self._covariances(self._squares + along) @ self.pull
        return result

    def gradient(self, point: Floats) -> Floats:
        """The mean's gradient (m,) at a point (m,)."""
        scaled = point * self._scale
        pull = self.kernel(point[None])[0] * self.pull
        result: Floats = self._scale * (pull @ (self._points - scaled))
        return result

    def variance(self, points: Floats) -> Floats:
        """Posterior variance (N,) at points (N, m)."""
        weighed = self._root[:, None] * self.kernel(points).T
        explained = (weighed * _solve(self._factor, weighed)).sum(0)
        result: Floats = np.maximum(self.spread**2 - explained, 1e-12)
        return result

    def tie_probability(self, points: Floats) -> Floats:
        """Probability (N,) that points (N, m) lie in the band where PREDICT abstains more often than not."""
        mean, deviation = self.mean(points), np.sqrt(self.variance(points))
        result: Floats = ndtr((self.band - mean) / deviation) - ndtr((-self.band - mean) / deviation)
        return result

    def kernel(self, points: Floats) -> Floats:
        """Prior covariance (N, M) of the latent function at points (N, m) with that at the points answered."""
        scaled = points * self._scale
        products = -2 * scaled @ self._points.T
        return self._covariances(products + (scaled**2).sum(1)[:, None] + self._squares)

    def _covariances(self, squared_distances: Floats) -> Floats:
        result: Floats = self.spread**2 * np.exp(-np.maximum(squared_distances, 0) / 2)
        return result

    def _fit(self) -> None:
        """The posterior's mode and curvature, by Newton's method from the last mode."""
        identity, values = np.eye(len(self.values)), self.values
        for _ in range(ITERATIONS):
            slope, curvature = self.likelihood(values)
            root = np.sqrt(curvature)
            factor = cholesky(identity + root[:, None] * self.covariance * root)
            wanted = curvature * values + slope
            pull = wanted - root * _solve(factor, root * (self.covariance @ wanted))
            step = self.covariance @ pull - values
            longest = float(np.abs(step).max()) / self.spread
            if longest < SETTLED:
                break
            values = values + step * min(1.0, 1 / longest)
        self.values, self.pull, self._root, self._factor = values, pull, root, factor

    def likelihood(self, values: Floats) -> tuple[Floats, Floats]:
        """Slope of log P[answers | values] and curvature of its negative, (M,) each.

        A label's probability is a probit, that of ABSTAIN a Gaussian around 0.
        """
        margin = (self.answers * values - self.band) / self.blur
        hazard = np.exp(-(margin**2) / 2 - np.log(2 * np.pi) / 2 - log_ndtr(margin))
        curvature = np.maximum(hazard * (hazard + margin) / self.blur**2, 1e-6)
        precision = 1 / (self.band**2 / 3 + self.blur**2)  # the variance of a uniform distribution over the band
        tie = self.answers == TIE
        return (
            np.where(tie, -values * precision, self.answers * hazard / self.blur),
            np.where(tie, precision, curvature),
        )


def cholesky(matrix: Floats) -> Floats:
    """The Cholesky factor of a positive definite matrix (M, M), above the diagonal.

    LAPACK is called directly: there are several small matrices for each answer, and SciPy's checks would take longer.

    Raises:
        numpy.linalg.LinAlgError: it is not positive definite.
    """
    factor, info = dpotrf(matrix, clean=False)
    if info:
        raise np.linalg.LinAlgError(f"the belief's covariance is not positive definite (LAPACK's potrf says {info})")
    result: Floats = factor
    return result


def _solve(factor: Floats, right: Floats) -> Floats:
    """The solution (M,) or (M, N) of linear equations whose matrix has this Cholesky factor."""
    result: Floats = dpotrs(factor, right)[0]
    return result
