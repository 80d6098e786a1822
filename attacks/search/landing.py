"""Landing: between an image and another one across the boundary lies a tie, and at the tie PREDICT abstains.

The smoothed classifier's probabilities are continuous, so the gap between the class that leads at the original image
and the best of the others passes zero on the way to any image where another class leads. However that image was found,
landing finds the tie by estimates of the probabilities; :mod:`attacks.search.bisection` finds it by labels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.search.estimates import Probabilities
from attacks.search.geometry import norms, per_image, unit
from attacks.search.probit_gap import probit_gap

NEAR = 0.5
"""Probit gap at which an estimate weighs e^-½ times what one at the tie weighs: the curve is straight only nearby."""

STRAIGHT = 1.0
"""Largest probit gap from which a line leads to the tie. Beyond it a few hundred votes are nearly all for one class."""

BISECTIONS = 8
"""Most halvings of a segment until an estimate lies within that gap."""


@dataclass(frozen=True)
class Segments:
    """The lines on which the ties are looked for, one for each image.

    Attributes:
        images: originals (N, C, H, W), where the segments start.
        adversarial: (N, C, H, W), where they end. An image that equals its original is left alone.
        home: the class that leads at each original, (N,).
        clean_gap: its probit gap there, (N,).
        end_gap: its probit gap at the end, (N,), where that is known.
    """

    images: Tensor
    adversarial: Tensor
    home: Tensor
    clean_gap: Tensor
    end_gap: Tensor | None = None


@dataclass(frozen=True)
class Landing:
    """Move each adversarial image along the line to its original until the top two classes tie.

    A segment many σ long is halved first, with a quarter of a round's samples each time, until the gap at one end is
    small enough to show a slope. Then each round looks where a straight line through all estimates so far, weighted
    towards the tie, crosses zero. So does the answer, which uses every estimate.

    Attributes:
        probabilities: the estimates; they are asked only for images that move.
        samples: noise samples for each image and round.
        rounds: looks on the line, at least 1. Where the gap at the end is not known, the first round looks there.
        beyond: probit gap beyond the tie at which to land.
        halvings: most halvings of each image, for callers to whom every look costs a query; without,
            :data:`BISECTIONS`.
    """

    probabilities: Probabilities
    samples: int
    rounds: int
    beyond: float = 0.0
    halvings: Sequence[int] | None = None

    def __call__(self, segments: Segments) -> Tensor:
        """The images (N, C, H, W). Where ``home`` still leads at the end of its segment, the end itself: no point of
        the segment is known to be nearer to a tie."""
        line = _Line(self, segments)
        rounds = self.rounds if segments.end_gap is not None else self.rounds - 1
        for halving in range(BISECTIONS):
            if not line.halve(halving):
                break
        secant = line.secant()
        place = line.length.clone()
        for round_ in range(rounds + 1):
            if not line.moving:
                break
            place[line.moving] = line.crossing(secant)
            if round_ < rounds:
                line.look(place, line.moving, self.samples)
        return line.at(place)


class _Line:
    """What is known so far of the gap along each segment.

    Places are distances from the original, in float64 on the CPU.

    Attributes:
        length: of each segment, (N,).
        moving: the images whose segments cross the tie.
        places, gaps, counts: where was looked, the gap estimated there, less what is wanted beyond the tie, and from
            how many noise samples, (N, looks) each. The two ends come first.
        ends, end_gaps: the places (2, N) of a shorter segment on which the tie lies, and the gaps there.
    """

    def __init__(self, landing: Landing, segments: Segments) -> None:
        self.landing, self.segments = landing, segments
        delta = segments.adversarial - segments.images
        self.length = norms(delta).double().cpu()
        self.direction = unit(delta)
        clean_gap, end_gap = segments.clean_gap + landing.beyond, self._end_gap() + landing.beyond
        self.places = torch.stack([torch.zeros_like(self.length), self.length], 1)
        self.gaps = torch.stack([clean_gap, end_gap.to(clean_gap)], 1).double().cpu()
        self.counts = torch.ones_like(self.gaps)
        self.ends, self.end_gaps = self.places.T.clone(), self.gaps.T.clone()
        rows = range(len(self.length))
        self.moving = [row for row in rows if float(self.length[row]) > 0 and float(self.gaps[row, 1]) < 0]
        halvings = [BISECTIONS for _ in rows] if landing.halvings is None else landing.halvings
        self._halvings = [min(most, BISECTIONS) for most in halvings]

    def _end_gap(self) -> Tensor:
        """The gap at the end of each segment, (N,); asked for where it is not known and the segment has a length."""
        segments = self.segments
        if segments.end_gap is not None:
            return segments.end_gap
        away = [row for row in range(len(self.length)) if float(self.length[row]) > 0]
        result = torch.zeros_like(segments.clean_gap)
        estimates = self.landing.probabilities(segments.adversarial[away], away, self.landing.samples)
        result[away] = probit_gap(estimates, segments.home[away]).to(result)
        return result

    def at(self, place: Tensor) -> Tensor:
        """The images (N, C, H, W) at places (N,)."""
        images = self.segments.images
        return (images + per_image(place.to(images)) * self.direction).clamp(0, 1)

    def look(self, place: Tensor, rows: list[int], samples: int) -> None:
        """Estimate the gap of ``rows`` at their places (N,), and remember it."""
        seen, count = torch.zeros_like(self.length), torch.zeros_like(self.length)
        estimates = self.landing.probabilities(self.at(place)[rows], rows, samples)
        seen[rows] = probit_gap(estimates, self.segments.home[rows]).double().cpu() + self.landing.beyond
        count[rows] = samples
        self.places = torch.cat([self.places, place[:, None]], 1)
        self.gaps = torch.cat([self.gaps, seen[:, None]], 1)
        self.counts = torch.cat([self.counts, count[:, None]], 1)

    def halve(self, halving: int) -> bool:
        """Look halfway where neither end is near the tie. False where no image is so; ``halving`` counts from 0."""
        rows = [
            row
            for row in self.moving
            if halving < self._halvings[row] and float(self.end_gaps[:, row].abs().min()) > STRAIGHT
        ]
        if not rows:
            return False
        self.look(self.ends.mean(0), rows, max(1, self.landing.samples // 4))
        for row in rows:
            side = int(self.gaps[row, -1] < 0)
            self.ends[side, row], self.end_gaps[side, row] = self.places[row, -1], self.gaps[row, -1]
        return True

    def secant(self) -> tuple[Tensor, Tensor]:
        """The slope from end to end, and the distance between them, (N,) each."""
        width = (self.ends[1] - self.ends[0]).clamp_min(1e-12)
        return (self.end_gaps[1] - self.end_gaps[0]) / width, width

    def crossing(self, secant: tuple[Tensor, Tensor]) -> Tensor:
        """Where the gap of each of ``moving`` crosses zero, by all estimates so far, (len(moving),)."""
        rows, (slope, width) = self.moving, secant
        root = _root(self.places[rows], self.gaps[rows], self.counts[rows], slope[rows], width[rows])
        return torch.minimum(root.clamp_min(0), self.length[rows])


def _root(places: Tensor, gaps: Tensor, counts: Tensor, secant: Tensor, width: Tensor) -> Tensor:
    """Where the weighted least-squares line through (places, gaps), both (N, R), crosses zero, (N,).

    The slope ``secant`` over ``width``, (N,), enters with a hundredth of the weight of an estimate at the tie: it
    decides where all estimates are at one place.
    """
    weight = (torch.exp(-0.5 * (gaps / NEAR) ** 2) + 1e-9) * counts / counts.amax(1, keepdim=True)
    total = weight.sum(1)
    centre = (weight * places).sum(1) / total
    level = (weight * gaps).sum(1) / total
    spread = (weight * (places - centre[:, None]) ** 2).sum(1)
    prior = 0.01 * width**2
    covered = (weight * (places - centre[:, None]) * (gaps - level[:, None])).sum(1)
    slope = (covered + prior * secant) / (spread + prior)
    # The gap falls along the segment. Where noise makes the fitted slope rise, a quarter of the secant's is used.
    slope = torch.minimum(slope, 0.25 * secant).clamp_max(-1e-6)
    return centre - level / slope
