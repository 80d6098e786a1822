"""The ceiling: an upper bound on the probability that PREDICT abstains, for all attacks within ε.

**What it is, and is not.** It bounds the probability over PREDICT's noise, and no attack within ε reaches a higher one.
It is not the maximum: no attack need come near it. It rests on confidence bounds from samples, so for an image it may
fail with probability at most 1 - ``confidence``. The proof below is for exact arithmetic, in which neither the base
classifier nor the noise is computed: see Voráček and Hein 2023, "Sound Randomized Smoothing in Floating-Point
Arithmetics", https://arxiv.org/abs/2207.07209. Machines that round differently count a few votes differently. Their
published ceilings differ by up to 0.006.

**All images at once.** Each image of a board has the same fixed share of error, :data:`ERROR`. By the union bound all
N images of a row hold at once with probability at least 1 - N · ERROR: 99.98% for 200 images, 99.9% for 1,000. The
share does not depend on N, since one stored image may count in rows of 50 and of 200 images, in any shard, and may be
proven before anybody knows of the others. It costs little, as a bound depends on the logarithm of the error: for images
whose votes all agree, the limit on 1 - p_A rises by the factor log(ERROR / 40) / log(0.001 / 40) = 1.65 against an
error of 0.001 an image, and by 1.1 against a share of exactly 0.001 / 200 (ten classes).

**The bound.** For every class c the map x ↦ Φ⁻¹(p_c(x)) of a smoothed classifier is 1/σ-Lipschitz in ℓ2 (Salman et al.
2019, "Provably Robust Deep Learning via Adversarially Trained Smoothed Classifiers", https://arxiv.org/abs/1906.04584,
Lemma 1). So with confidence bounds on the class probabilities at the clean image, every x' with ‖x' - x‖₂ ≤ ε has

    p_A(x') ≥ a   = Φ(Φ⁻¹(p_A_low) - ε/σ)
    p_B(x') ≤ b_B = min(1 - a, Φ(Φ⁻¹(p_B_high) + ε/σ))          for each other class B.

PREDICT abstains only if some B's count is not significantly below A's (if A's count were significantly above
each other count, A would be the leader and every test against a runner-up would reject). By the union bound

    P[abstain at x'] ≤ Σ_B P[(n_A, n_B) does not reject in A's favour].

**Monotonicity.** Let R = {(n_A, n_B): the test rejects in A's favour}. If (n_A, n_B) ∈ R then (n_A + 1, n_B),
(n_A, n_B - 1) and (n_A + 1, n_B - 1) are in R too: each raises the smallest-tail evidence for A, since
P[Bin(m, ½) ≤ n_B] falls when m grows at fixed n_B, and falls when n_B shrinks and m with it (the event
"at most n_B - 1 among m - 1" is contained in "at most n_B among m" on the same coin flips). Take n independent
voters, each casting A, B or something else with (p_A, p_B), and couple them voter by voter with (a, b_B), a ≤ p_A,
b_B ≥ p_B: voters move only from A to another side or from elsewhere to B, so n_A can only fall and n_B only rise.
Hence P[R] is smallest at (a, b_B), and the trinomial at (a, b_B) bounds each term of the sum.

A second bound needs p_A alone: all votes not for A may go to one rival, so P[abstain] ≤ P[Bin(n, a) < t] with t
the smallest count out of n that rejects. With n_A ≥ t and n_B ≤ n - t for each B, (n_A, n_B) ∈ R by the
monotonicity above, so the bound holds for any number of classes; it falls as p_A rises.

**Second order.** The Lipschitz bounds are attained by half-spaces. At x, these are as steep as a class of their
probability can be, and trained classifiers are less steep. With an upper bound on the gradient's length, every class
moves less (:func:`targets.gradient.after_shift`). Then a and b_B are computed from that; the rest of the proof stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from targets.binomial import largest_loser
from targets.confidence import lower_confidence_bound, upper_confidence_bound
from targets.gradient import Halves, after_shift, gradient_bounds

FloatArray = NDArray[np.float64]

ERROR = 1e-6
"""The probability with which an image's ceilings on a board may fail."""


def no_rejection(a: float, b: float, n: int, alpha: float) -> float:
    """P[the test does not reject in A's favour] for (n_A, n_B) trinomial with n trials at (a, b).

    The sum is exact: m = n_A + n_B ~ Bin(n, a + b) and n_B | m ~ Bin(m, b / (a + b)).

    Args:
        a, b: probabilities of the two classes, with a + b at most 1 up to rounding.
        n, alpha: PREDICT's.
    """
    total = min(a + b, 1.0)
    if total <= 0:
        return 1.0
    from scipy.stats import binom  # slow to import, and most commands prove no ceiling

    totals = np.arange(n + 1)
    loser = largest_loser(n, alpha)
    weight = binom.pmf(totals, n, total)
    # Most totals are so far from the likely ones that their weight is 0 in float64.
    chosen = np.flatnonzero((loser >= 0) & (weight > 0))
    rejects = np.zeros(n + 1)
    rejects[chosen] = bdtr(loser[chosen].astype(np.float64), totals[chosen], b / total)
    return float(np.clip(1.0 - np.sum(weight * rejects), 0.0, 1.0))


def abstention_bound(
    p_low: float,
    p_high: FloatArray,
    epsilon: float,
    sigma: float,
    n: int,
    alpha: float,
    gradient: float = np.inf,
    gradients: FloatArray | None = None,
) -> float:
    """An upper bound on P[PREDICT abstains] within ``epsilon`` of an image, from bounds on its class probabilities.

    Args:
        p_low: lower bound on the probability of class A at the image.
        p_high: upper bounds on the other classes' probabilities, shape (K - 1,).
        epsilon: ℓ2 budget, in [0, 1] pixel units like ``sigma``.
        n, alpha: PREDICT's.
        gradient: upper bound on σ times the length of class A's gradient at the image; infinite for none.
        gradients: the same for the other classes, shape (K - 1,); None for none.

    Returns:
        A number in [0, 1]; 1 says nothing.
    """
    steepest = np.full(len(p_high), np.inf) if gradients is None else gradients
    shift = epsilon / sigma
    a = 1.0 - after_shift(1.0 - p_low, gradient, shift)
    moved = [after_shift(float(p), float(g), shift) for p, g in zip(p_high, steepest, strict=True)]
    rivals = np.minimum(1.0 - a, moved)
    single = _most_votes(a, n, alpha)
    # Nearly equal rivals share one term. Rounding them up keeps the sum an upper bound.
    union = 0.0
    for b, times in zip(*np.unique(np.ceil(rivals * 1e9) / 1e9, return_counts=True), strict=True):
        if a <= b:
            return min(1.0, single)
        union += times * no_rejection(a, float(b), n, alpha)
        if union >= single:
            break
    return float(min(1.0, single, union))


def one_rival(p_low: float, shift: float, n: int, alpha: float) -> float:
    """The second bound on P[PREDICT abstains] within distance ``shift`` · σ, from a lower bound on p_A alone.

    Args:
        p_low: in [0, 1].
        shift: distance in units of σ.
        n, alpha: PREDICT's.
    """
    return _most_votes(1.0 - after_shift(1.0 - p_low, np.inf, shift), n, alpha)


def _most_votes(a: float, n: int, alpha: float) -> float:
    """P[Bin(n, a) < t], t the smallest count out of n that rejects; 1 where none does."""
    loser = int(largest_loser(n, alpha)[n])
    return float(bdtr(n - loser - 1, n, a)) if loser >= 0 else 1.0


def ceilings(
    votes: NDArray[np.int64],
    epsilon: float,
    sigma: float,
    n: int,
    alpha: float,
    confidence: float = 0.999,
    halves: Halves | None = None,
) -> FloatArray:
    """Upper bounds on P[abstain] within ``epsilon`` of each image.

    Each image's votes bound all its probabilities together with probability ``confidence``. So the bounds of one image
    for several ``epsilon``, n or alpha hold together, and those of N images with probability 1 - N · (1 - confidence).

    Args:
        votes: counts at the clean images on noise that nothing else uses, shape (N, K).
        epsilon: ℓ2 budget, in [0, 1] pixel units like ``sigma``.
        n, alpha: PREDICT's.
        confidence: in (0, 1).
        halves: sums of that noise, which bound the gradients; None for bounds of first order.

    Returns:
        Bounds in [0, 1], shape (N,); 1 where nothing can be said.

    Raises:
        ValueError: with ``halves``, images have different numbers of votes.
    """
    counts = np.asarray(votes, dtype=np.int64)
    samples = counts.sum(1, keepdims=True)
    if halves is not None and len(np.unique(samples)) > 1:
        raise ValueError("the images have different numbers of votes; gradients are bounded for one number at a time")
    # Bonferroni over the classes, over both sides of each, and over their gradients, which get half of the risk. All
    # are counted because the same votes decide which class needs which side.
    risk = (1 - confidence) / counts.shape[1]
    level = risk / 2 if halves is None else risk / 4
    low = lower_confidence_bound(counts, np.broadcast_to(samples, counts.shape), level)
    high = upper_confidence_bound(counts, np.broadcast_to(samples, counts.shape), level)
    steepest = np.full(counts.shape, np.inf)
    if halves is not None and len(counts):
        steepest = gradient_bounds(halves, int(samples[0, 0]), low, high, risk / 12)
    bounds = np.ones(len(counts))
    for i, leader in enumerate(counts.argmax(1)):
        rivals, others = np.delete(high[i], leader), np.delete(steepest[i], leader)
        own = float(low[i, leader]), float(steepest[i, leader])
        bounds[i] = abstention_bound(own[0], rivals, epsilon, sigma, n, alpha, own[1], others)
    return bounds
