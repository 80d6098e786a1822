"""Landing: between an image and another one across the boundary lies a tie, and at the tie PREDICT abstains.

The smoothed classifier's probabilities are continuous, so the gap between the class that leads at the original image
and the best of the others passes zero on the way to any image where another class leads. Whatever found that image,
landing finds the tie, by estimates of the probabilities or by labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from attacks.search.estimates import norms, per_image, unit
from targets.binomial import largest_loser
from targets.smoothing import ABSTAIN

NEAR = 0.5
"""Probit gap at which an estimate counts e^-½ times what one at the tie counts: the curve is straight only nearby."""

STRAIGHT = 1.0
"""Probit gap from which a line leads to the tie; beyond it a few hundred votes see hardly more than one class."""

BISECTIONS = 8
"""Halvings of the segment, at most, before an estimate within that gap is found."""

Probabilities = Callable[[Tensor, list[int], int], Tensor]
"""(points (B, C, H, W), their rows, noise samples) → estimates (B, K) of the class probabilities, none of them 0."""

Predict = Callable[[Tensor, list[int]], Tensor]
"""(points (B, C, H, W), their rows) → labels or ABSTAIN (B,)."""


def probit_gap(probabilities: Tensor, home: Tensor, rival: Tensor | None = None) -> Tensor:
    """Φ⁻¹(p_home) - Φ⁻¹(p of the best other class, or of ``rival``), (N,), for probabilities (N, K), classes (N,).

    It changes by at most 2/σ a unit of ℓ2 distance (Salman et al. 2019, Lemma 1), and is zero at the tie.
    """
    own = probabilities.gather(1, home[:, None])[:, 0]
    others = probabilities.scatter(1, home[:, None], 0.0)
    other = others.amax(1) if rival is None else others.gather(1, rival[:, None])[:, 0]
    scores = torch.special.ndtri(torch.stack([own, other]).clamp(1e-6, 1 - 1e-6))
    result: Tensor = scores[0] - scores[1]
    return result


def half_band(n: int, alpha: float) -> float:
    """How far from a tie of two classes, in σ, PREDICT abstains half the time; half the probit gap there."""
    sufficient = n - int(largest_loser(n, alpha)[n])
    return float(ndtri(min(sufficient, n - 0.5) / n))


def land(
    probabilities: Probabilities,
    images: Tensor,
    adversarial: Tensor,
    home: Tensor,
    clean_gap: Tensor,
    samples: int,
    rounds: int,
    end_gap: Tensor | None = None,
    halvings: Sequence[int] | None = None,
    beyond: float = 0.0,
) -> Tensor:
    """Move each adversarial image along the line to its original until the top two tie.

    Where ``home`` still leads at the adversarial image it stays, as the nearest point to a tie. A segment many σ long
    is halved first, at a quarter of a round's samples each time, until there is a slope to be seen. Each round looks
    where a straight line through all estimates so far, the ones near the tie counting most, crosses zero; so does the
    answer, and no sample is wasted.

    Args:
        images: originals (N, C, H, W).
        adversarial: (N, C, H, W), the ends of the segments.
        home: the class that leads at each original, (N,).
        clean_gap: its probit gap there, (N,).
        samples: noise samples a round.
        rounds: at least 1.
        end_gap: its probit gap at the adversarial image, (N,); without, the first round looks there.
        halvings: most of each image, for whom every look costs a query; :data:`BISECTIONS` without.
        beyond: the probit gap, with its sign changed, that stands for the tie: above 0 lies beyond it.
    """
    length = norms(adversarial - images).double().cpu()
    direction = unit(adversarial - images)
    if end_gap is None:
        away = [row for row in range(len(images)) if float(length[row]) > 0]
        end_gap, rounds = torch.zeros_like(clean_gap), rounds - 1
        end_gap[away] = probit_gap(probabilities(adversarial[away], away, samples), home[away]).to(clean_gap)
    clean_gap, end_gap = clean_gap + beyond, end_gap + beyond
    places = torch.stack([torch.zeros_like(length), length], 1)
    gaps = torch.stack([clean_gap, end_gap.to(clean_gap)], 1).double().cpu()
    counts = torch.ones_like(gaps)
    moving = [row for row in range(len(images)) if float(length[row]) > 0 and float(gaps[row, 1]) < 0]

    def at(place: Tensor) -> Tensor:
        return (images + per_image(place.to(images)) * direction).clamp(0, 1)

    def look(place: Tensor, rows: list[int], samples: int) -> None:
        nonlocal places, gaps, counts
        seen, count = torch.zeros_like(length), torch.zeros_like(length)
        seen[rows] = probit_gap(probabilities(at(place)[rows], rows, samples), home[rows]).double().cpu() + beyond
        count[rows] = samples
        places, gaps, counts = (
            torch.cat([old, new[:, None]], 1) for old, new in ((places, place), (gaps, seen), (counts, count))
        )

    # The ends of the segment on which the tie lies: (places, gaps), each (2, N).
    ends, end_gaps = places.T.clone(), gaps.T.clone()
    most = [BISECTIONS] * len(images) if halvings is None else [min(h, BISECTIONS) for h in halvings]
    for halving in range(BISECTIONS):
        blind = [r for r in moving if halving < most[r] and float(end_gaps[:, r].abs().min()) > STRAIGHT]
        if not blind:
            break
        look(ends.mean(0), blind, max(1, samples // 4))
        for row in blind:
            side = int(gaps[row, -1] < 0)
            ends[side, row], end_gaps[side, row] = places[row, -1], gaps[row, -1]
    width = (ends[1] - ends[0]).clamp_min(1e-12)
    secant = (end_gaps[1] - end_gaps[0]) / width
    place = length.clone()
    for round_ in range(rounds + 1):
        if not moving:
            break
        root = _root(places[moving], gaps[moving], counts[moving], secant[moving], width[moving])
        place[moving] = torch.minimum(root.clamp_min(0), length[moving])
        if round_ < rounds:
            look(place, moving, samples)
    return at(place)


def _root(places: Tensor, gaps: Tensor, counts: Tensor, secant: Tensor, width: Tensor) -> Tensor:
    """Where the weighted least-squares line through (places, gaps), both (N, R), crosses zero, (N,).

    A line of slope ``secant`` over ``width``, (N,), through the point nearest to the tie is worth a hundredth of an
    estimate at the tie: it decides where all estimates are at one place.
    """
    weight = (torch.exp(-0.5 * (gaps / NEAR) ** 2) + 1e-9) * counts / counts.amax(1, keepdim=True)
    total = weight.sum(1)
    centre = (weight * places).sum(1) / total
    level = (weight * gaps).sum(1) / total
    spread = (weight * (places - centre[:, None]) ** 2).sum(1)
    prior = 0.01 * width**2
    covered = (weight * (places - centre[:, None]) * (gaps - level[:, None])).sum(1)
    slope = (covered + prior * secant) / (spread + prior)
    # The gap falls on the way; where noise says otherwise, the ends know better.
    slope = torch.minimum(slope, 0.25 * secant).clamp_max(-1e-6)
    return centre - level / slope


def land_by_labels(
    predict: Predict,
    images: Tensor,
    adversarial: Tensor,
    home: Tensor,
    queries: Sequence[int],
    start: Tensor | None = None,
    confirm: int = 1,
) -> tuple[Tensor, NDArray[np.bool_]]:
    """The same by labels or ABSTAIN alone: bisection, which ends where the target abstains.

    Args:
        home: the label of each original, (N,).
        queries: most queries of each image.
        start: where to ask first, as a share of the way to the adversarial image, (N,); the far end without.
        confirm: how often more a point must abstain: the first to do so may lie on the edge of the band of ties, where
            it was luck.

    Returns:
        The images, and where another answer than ``home`` was seen on the way. Where the target never abstained:
        halfway between the nearest points known on either side, or the far end where that is on the near side itself.
    """
    near, far = np.zeros(len(images)), np.ones(len(images))
    crossed = np.zeros(len(images), dtype=bool)  # whether a point beyond the boundary is known
    abstained = np.zeros(len(images), dtype=np.int64)  # times at the present point
    share = np.ones(len(images)) if start is None else start.detach().double().cpu().clamp(0, 1).numpy().copy()
    left = np.array(queries, dtype=np.int64)
    while True:
        active = np.flatnonzero((abstained <= confirm) & (left > 0) & ((near < 1) | crossed)).tolist()
        if not active:
            break
        points = _between(images[active], adversarial[active], share[active])
        for row, answer in zip(active, predict(points, active).tolist(), strict=True):
            left[row] -= 1
            if answer == ABSTAIN:
                abstained[row] += 1
                continue
            abstained[row] = 0
            if answer == int(home[row]):
                near[row] = share[row]
            else:
                far[row], crossed[row] = share[row], True
            # Before anything beyond the boundary is known, the end of the segment is asked.
            share[row] = (near[row] + far[row]) / 2 if crossed[row] else 1.0
    return _between(images, adversarial, share), crossed | (abstained > 0)


def _between(images: Tensor, adversarial: Tensor, share: NDArray[np.float64]) -> Tensor:
    """The points at ``share`` of the way from images to adversarial images."""
    result: Tensor = images + per_image(torch.from_numpy(share).to(images)) * (adversarial - images)
    return result.clamp(0, 1)
