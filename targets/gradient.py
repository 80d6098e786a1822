"""How steep a smoothed classifier is at an image: bounds on its gradient, from the noise samples behind its votes.

Let h(z) be 1 where the base classifier answers c to x + σz, z ~ N(0, I), else 0; p = E h. Then σ∇p_c(x) = E[h z] =: v
(Stein's lemma). Its length is at most φ(Φ⁻¹(p)), which half-spaces attain. An upper bound on ‖v‖ below that gives the
ceiling of second order (:mod:`targets.ceiling`).

**The bound.** Since E z = 0, E[(h - γ) z] = v for any constant γ. Let X and Y be the means of (h - γ) z over the first
and the second half of the samples, m each, and s(m) such that the mean of m independent copies of W = (h - γ) u·z falls
short of its expectation u·v by more than s(m) with probability at most δ, for every fixed unit vector u. Then

    X·v ≥ ‖v‖² - ‖v‖ s        with u = v / ‖v‖, and
    X·v ≤ X·Y + ‖X‖ s         with u = X / ‖X‖, which is independent of the second half,

so ‖v‖ ≤ (s + √(s² + 4 (X·Y + ‖X‖ s))) / 2, except with probability 2δ.

**The deviation.** With k(y) = e^y - 1 - y, and log(1 + x) ≤ x,

    log E exp(-t (W - E W)) ≤ E[exp(-t W) - 1 + t E W] = E k(-t W) ≤ E k(t |W|) =: ψ(t),

so s = (ψ(t) + log(1/δ) / m) / t is valid for any t > 0 (Chernoff). Three values of γ are tried, and the best is taken:

    γ = 0    |W| = h |u·z|, and among all h of mean q, E[h k(t |u·z|)] is largest for h = 1 where |u·z| > c,
             c = Φ⁻¹(1 - q/2): ψ_q(t) = 2 (e^{t²/2} Φ(t - c) - Φ(-c) - t φ(c)), which rises with q;
    γ = 1    the same for 1 - h;
    γ = ½    |W| = |u·z| / 2 whatever h is: ψ_1(t/2).

For q, a confidence bound from the same samples is used. That is valid wherever q ≥ p. There ψ_q ≥ ψ_p, so the s found
is at least the smallest valid s at p itself, and that one does not depend on the samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

FloatArray = NDArray[np.float64]

OFFSETS = (0.0, 0.5, 1.0)
"""The values of γ. Stored sums depend on them and on where the samples are halved, so their key holds a version."""


@dataclass(frozen=True)
class Halves:
    """What is kept of the noise, for each image, class and γ. X and Y are the means over the two halves of the samples.

    Attributes:
        products: X·Y, (N, K, 3).
        lengths: ‖X‖, (N, K, 3).
    """

    products: FloatArray
    lengths: FloatArray


FEW = 32
"""Up to so many classes, all are summed in one matrix product, whether or not they have a vote, as in stored sums."""

BYTES = 2**28
"""Memory for an image's sums, in bytes: room for 111 classes of 3×224×224 pixels, or 1,000 classes of 16,000 pixels."""

CHUNK = 2**20
"""How many values of the sums are processed at a time."""


class HalfSums:
    """Adds up the noise behind each class, half by half. An image's sums are freed after its last sample.

    Only classes with a vote are summed. Those without share one value, that of h = 0. A class whose first vote comes
    when :data:`BYTES` are full is left out: its values are infinite, so the first-order bound applies to it. Each class
    has a bound of its own, so leaving out some does not affect the others. Little is lost: for a class with one vote in
    a hundred, 100,000 samples bound no gradient in so many dimensions.

    Args:
        images: the images (N, C, H, W) that the noise was added to.
        n: samples an image, at least 2.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        num_classes: K.
    """

    def __init__(self, images: NDArray[np.float32], n: int, sigma: float, num_classes: int) -> None:
        self._images = images.reshape(len(images), math.prod(images.shape[1:]))
        self._n, self._sigma, self._classes = n, sigma, num_classes
        self._sums: dict[int, _Sums] = {}
        self._seen = np.zeros(len(images), dtype=np.int64)
        shape = (len(images), num_classes, len(OFFSETS))
        self.halves = Halves(np.zeros(shape), np.zeros(shape))

    def add(self, row: int, samples: NDArray[np.float32], classes: NDArray[np.int64]) -> None:
        """Add the next noisy copies (M, C, H, W) of one image, and the base classifier's answers (M,) to them."""
        noise = (samples.reshape(len(samples), -1) - self._images[row]) / np.float32(self._sigma)
        if row not in self._sums:
            self._sums[row] = _Sums(self._classes, noise.shape[1])
        cut = max(0, self._n // 2 - int(self._seen[row]))
        for half, part in enumerate((slice(0, cut), slice(cut, None))):
            self._sums[row].add(half, noise[part], classes[part])
        self._seen[row] += len(samples)
        if self._seen[row] == self._n:
            self._finish(row, self._sums.pop(row))

    def _finish(self, row: int, sums: _Sums) -> None:
        everything = sums.everything()
        products, lengths = self.halves.products[row], self.halves.lengths[row]
        if len(sums.classes) < self._classes:
            products[:], lengths[:] = self._moments(np.zeros_like(everything), everything)
        for chosen, some in sums.chunks():
            products[chosen], lengths[chosen] = self._moments(some, everything)
        products[sums.left_out] = lengths[sums.left_out] = np.inf

    def _moments(self, sums: FloatArray, everything: FloatArray) -> tuple[FloatArray, FloatArray]:
        """X·Y and ‖X‖ (R, 3) of the classes with these sums (2, R, D)."""
        products, lengths = (np.empty((sums.shape[1], len(OFFSETS))) for _ in range(2))
        for i, offset in enumerate(OFFSETS):
            x = (sums[0] - offset * everything[0]) / (self._n // 2)
            y = (sums[1] - offset * everything[1]) / (self._n - self._n // 2)
            products[:, i] = (x * y).sum(1)
            lengths[:, i] = np.linalg.norm(x, axis=1)
        return products, lengths


class _Sums:
    """The sums of one image, one row for each class that has one.

    Attributes:
        classes: the classes in the order of their rows.
    """

    def __init__(self, num_classes: int, values: int) -> None:
        self._few = num_classes <= FEW
        self._room = num_classes if self._few else min(num_classes, max(1, BYTES // (2 * values * 8)))
        self.classes = list(range(num_classes)) if self._few else []
        self._rows = np.array(self.classes) if self._few else np.full(num_classes, -1)
        # The last row is for all classes without room. Rows that are never written to take no memory.
        self._sums = np.zeros((2, self._room + 1, values))

    def add(self, half: int, noise: NDArray[np.float32], classes: NDArray[np.int64]) -> None:
        """Add noise (M, D) to the sums of its classes (M,)."""
        if self._few:
            self._sums[half, : self._room] += _which(self._rows, classes) @ noise
            return
        present = list(dict.fromkeys(classes.tolist()))  # in the samples' order, which no batch size changes
        for new in (c for c in present if self._rows[c] < 0):
            self._rows[new] = len(self.classes)
            if len(self.classes) < self._room:
                self.classes.append(new)
        for row, total in zip(self._rows[present], _which(np.array(present), classes) @ noise, strict=True):
            self._sums[half, row] += total

    @property
    def left_out(self) -> NDArray[np.int64]:
        """The classes without a row."""
        return np.flatnonzero(self._rows == self._room)

    def everything(self) -> FloatArray:
        """The sums (2, 1, D) of all noise, half by half."""
        total: FloatArray = self._sums.sum(1, keepdims=True)
        return total

    def chunks(self) -> Iterator[tuple[list[int], FloatArray]]:
        """A few (R) classes at a time, with their sums (2, R, D)."""
        size = max(1, CHUNK // self._sums.shape[2])
        for begin in range(0, len(self.classes), size):
            chosen = self.classes[begin : begin + size]
            yield chosen, self._sums[:, begin : begin + len(chosen)]


def _which(rows: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    which: NDArray[np.float32] = (classes == rows[:, None]).astype(np.float32)
    return which


def gradient_bounds(halves: Halves, n: int, p_low: FloatArray, p_high: FloatArray, level: float) -> FloatArray:
    """Upper bounds (N, K) on σ‖∇p_c‖ at each image; each fails with probability at most ``6 * level``.

    Args:
        halves: of the samples.
        n: samples an image.
        p_low, p_high: confidence bounds (N, K) on the class probabilities. Where they fail, the result may fail too.
        level: δ above.
    """
    found = np.full(p_low.shape, np.inf)
    for i, (offset, q) in enumerate(zip(OFFSETS, (p_high, np.ones_like(p_low), 1 - p_low), strict=True)):
        scale = 0.5 if offset == 0.5 else 1.0
        first, second = (scale * deviation(m, q, level) for m in (n // 2, n - n // 2))
        most = halves.products[..., i] + halves.lengths[..., i] * second
        found = np.minimum(found, (first + np.sqrt(np.maximum(first**2 + 4 * most, 0.0))) / 2)
    return found


def deviation(m: int, q: FloatArray, level: float) -> FloatArray:
    """s for γ = 0, of the shape of ``q``: by how much the mean of ``m`` samples of W may fall short, where E h ≤ q."""
    q = np.clip(q, 1e-12, 1.0)
    c = -ndtri(q / 2)
    density = np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi)
    price = np.log(1 / level) / m
    best = np.full(q.shape, np.inf)
    # Any t is valid. The first would be the best if ψ were t²/2 times its second moment.
    for share in (1.0, 0.8, 0.6, 0.4, 0.2):
        t = np.minimum(5.0, share * np.sqrt(2 * price / (2 * (c * density + ndtr(-c)))))
        psi = 2 * (np.exp(t**2 / 2) * ndtr(t - c) - ndtr(-c) - t * density)
        best = np.minimum(best, (psi + price) / t)
    return best


def after_shift(p: float, gradient: float, shift: float) -> float:
    """An upper bound on a class's probability within distance ``shift`` · σ of an image where it is ``p``.

    Args:
        p: in [0, 1].
        gradient: upper bound on σ‖∇p‖ at the image; infinite for none, which gives Φ(Φ⁻¹(p) + shift).
        shift: distance in units of σ, at least 0.

    The class's probability along a line is E h(z + shift), z ~ N(0, 1), for some h of mean p whose E[h z] is at most
    ``gradient`` (h averaged over the other directions). By Lagrange's multipliers the best such h is 1 where
    exp(shift · z) exceeds a straight line in z, which is outside an interval (a, b). Two conditions fix the interval,
    whatever the shift: Φ(a) + Φ(-b) = p and φ(b) - φ(a) = gradient. The line's slope and height at 0, the two
    multipliers, are positive. So the maximum rises with ``gradient`` and with ``p``, and upper bounds may take the
    place of both. As φ(b) ≥ φ(a), a + b ≤ 0, so Φ(a - r) + Φ(r - b) rises with r ≥ 0 and is largest at the full shift.
    A half-space, a = -∞, is the steepest case. (Levine et al. 2020, "Tight Second-Order Certificates for Randomized
    Smoothing", https://arxiv.org/abs/2010.10549)
    """
    if p <= 0 or p >= 1:
        return min(1.0, max(0.0, p))
    steepest = _density(ndtri(p))
    if gradient >= steepest:
        return float(ndtr(ndtri(p) + shift))
    from scipy.optimize import brentq  # slow to import, and most commands prove no ceiling

    left = brentq(lambda t: _density(ndtri(p - t)) - _density(ndtri(t)) - gradient, 0.0, p / 2, xtol=1e-15 * p)
    return float(ndtr(ndtri(left) - shift) + ndtr(ndtri(p - left) + shift))


def _density(x: float) -> float:
    return float(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
