"""Natural evolution strategies (NES) on vote counts.

Ilyas et al. 2018, "Black-box Adversarial Attacks with Limited Queries and Information",
https://arxiv.org/abs/1804.08598.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from attacks.access import Score
from attacks.base import Attack, register
from attacks.search.geometry import project, unit
from attacks.search.low_frequency import rotated_waves
from attacks.search.vote_search import VoteSearch
from targets.noise import Streams


@register("nes")
class NES(Attack):
    """NES (Ilyas et al. 2018) on vote counts, along low-frequency directions; then a line search back to the tie.

    Every query is ``difference`` σ away from the image, along a random direction: nearer, the noise of vote counts
    hides the change, and up to there the probit gap is close to linear. The directions are orthonormal, and their
    frequencies rise from round to round.

    Ilyas et al. query on both sides of a point. Here each direction has one query, which is compared with the mean of
    all queries: one such difference is noisier, but there are twice as many, and the gradient is better for the same
    number of queries. There is a gradient for each class; the step, of length epsilon, goes towards the class whose
    boundary is nearest by these gradients.

    Attributes:
        queries: most queries for each image, the landing's included.
        samples: noise samples for each query that serves the gradient.
        dimensions: number of waves that are used, lowest first; then they are used again.
        directions: queries between two steps.
        difference: distance of the queries from the image, in σ.
        landing_rounds, landing_share: see :class:`attacks.search.vote_search.VoteSearch`.
    """

    access = Score
    queries: int = 100
    samples: int = 50
    dimensions: int = 128
    directions: int = 16
    difference: float = 6.0
    landing_rounds: int = 3
    landing_share: float = 0.25

    def __call__(self, model: Score, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        search = VoteSearch(model, images, self.queries, self.landing_rounds, self.landing_share)
        gradients = [Gradients(p, (search.landing_samples, self.samples), model.shape) for p in search.clean]
        adversarial = images.clone()
        active = search.within_reach(epsilon)
        begin, dimensions = 0, min(self.dimensions, math.prod(model.shape))
        while active := [row for row in active if search.left(row)]:
            ways = []
            for row in active:
                end = min(begin + self.directions, begin + search.left(row), dimensions)
                way = rotated_waves(model.shape, begin, end, generator[row]).to(images)
                ways.append((images[row] + self.difference * model.sigma * way).clamp(0, 1) - images[row])
            owners = [row for row, way in zip(active, ways, strict=True) for _ in way]
            seen = search.probabilities(images[owners] + torch.cat(ways), owners, self.samples)
            hopeful = []
            for row, way, p in zip(active, ways, seen.split([len(way) for way in ways]), strict=True):
                gradients[row].add(way.cpu(), p)
                direction, distance = gradients[row].nearest_tie(int(search.home[row]))
                image = images[row : row + 1]
                adversarial[row] = project(image + epsilon * direction.to(images), image, epsilon)[0]
                if distance < epsilon and search.left(row) > 1:
                    hopeful.append(row)
            crossed = search.crossed(adversarial, hopeful)
            active = [row for row in active if row not in crossed]
            begin = begin + self.directions if begin + self.directions < dimensions else 0
        return search.land(adversarial)


class Gradients:
    """Estimates of the gradients of Φ⁻¹(p) of each class at one image, by its queries.

    Args:
        clean: estimates (K,) at the image.
        samples: noise samples of the query at the image, and of each after it.
        shape: (C, H, W) of the image.
    """

    def __init__(self, clean: Tensor, samples: tuple[int, int], shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.clean = torch.special.ndtri(clean)
        self._samples = samples[1]
        self._weight = samples[0] / samples[1]
        self._level = self._weight * self.clean
        self._rises = torch.zeros(len(clean), math.prod(shape), dtype=torch.float64)
        self._ways = torch.zeros(math.prod(shape), dtype=torch.float64)
        self._noise = torch.zeros_like(self.clean)

    def add(self, ways: Tensor, probabilities: Tensor) -> None:
        """Learn from estimates (M, K) at the image + ways (M, C, H, W), which the box may have shortened."""
        scores = torch.special.ndtri(probabilities)
        way = ways.flatten(1).double()
        squares = (way**2).sum(1, keepdim=True).clamp_min(1e-12)
        self._rises += scores.T @ (way / squares)
        self._ways += (way / squares).sum(0)
        self._level += scores.sum(0)
        self._weight += len(ways)
        density = torch.exp(-(scores**2) / 2) / math.sqrt(2 * math.pi)
        variance = probabilities * (1 - probabilities) / density**2 / self._samples
        self._noise += (variance / squares).sum(0)

    def nearest_tie(self, home: int) -> tuple[Tensor, float]:
        """The unit direction (1, C, H, W) of the nearest tie of another class with ``home``, and its distance."""
        gradients = self._rises - (self._level / self._weight)[:, None] * self._ways
        falls = gradients - gradients[home]
        lengths = falls.norm(dim=1).clamp_min(1e-12)
        # Noise makes an estimated gradient longer than the true one, the more the rarer the class.
        slopes = (lengths - (self._noise + self._noise[home]) / lengths).clamp_min(1e-12)
        distances = (self.clean[home] - self.clean) / slopes
        distances[home] = math.inf
        rival = int(distances.argmin())
        return unit(falls[rival].view(1, *self.shape)), float(distances[rival])
