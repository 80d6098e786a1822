"""The tie as a level set, learnt from labels alone.

Bryan et al. 2005, "Active Learning For Identifying Function Threshold Boundaries",
https://papers.nips.cc/paper/2005/hash/8e930496927757aac0dbd2438cb3f4f6-Abstract.html, estimate level sets.
Shukla et al. 2021, "Simple and Efficient Hard Label Black-box Adversarial Attacks in Low Query Budget Regimes",
https://arxiv.org/abs/2007.07210, attack with labels by Bayesian optimisation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.access import Decision
from attacks.base import Attack, register
from attacks.budget import WELL_INSIDE
from attacks.decision.belief import HOME, OTHER, TIE, Belief
from attacks.decision.image_directions import ImageDirections
from attacks.search.probit_gap import half_band
from targets.noise import Streams
from targets.smoothing import ABSTAIN

Floats = NDArray[np.float64]


@register("level-set")
class LevelSet(Attack):
    """Learns the boundary from labels with a Gaussian process, and queries the nearest tie that it predicts.

    The Gaussian process predicts the distance to the tie from the answers so far. Queries are made on the predicted
    boundary, where it is least certain, and far from the image: nearby all answers are the same, and the band in which
    PREDICT abstains is narrow. The first query across the boundary starts from the adversary's own images. As soon as
    the nearest predicted tie lies within epsilon, it is queried; ABSTAIN there, several times, ends the search.

    Attributes:
        queries: most label queries for each image.
        confirm: how many more answers at a point inside epsilon must be ABSTAIN; one may be luck.
        attempt: the nearest predicted tie is queried if it is within this many epsilon, or farther than ``start``.
        rest: after such an attempt, at least this many queries serve the prediction.
        own_images, dimensions, decay: see :meth:`attacks.decision.image_directions.ImageDirections.of`.
        starts: own images that are tried, before random directions, until a label differs from the original's.
        start: distance of these first queries from the image, in σ; at most half of the own images' extent.
        probe: distance of later queries from the nearest predicted tie, in σ; at most 0.4 of that extent.
        candidates: random points, of which the one with the most uncertain prediction is queried.
        focus: they follow directions in proportion to this power of the direction's weight.
        spread, length, blur: see :class:`attacks.decision.belief.Belief`; in σ.
    """

    access = Decision
    queries: int = 100
    confirm: int = 2
    attempt: float = 1.1
    rest: int = 2
    own_images: int = 1000
    dimensions: int = 300
    decay: float = 1.5
    starts: int = 8
    start: float = 12.0
    probe: float = 6.0
    candidates: int = 16
    focus: float = 1.5
    spread: float = 1.2
    length: float = 4.0
    blur: float = 0.1

    def __call__(self, model: Decision, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        if not len(images):
            return images.clone()
        own = ImageDirections.of(model.images(), model.sigma, self.own_images, self.dimensions, self.decay)
        flat = images.flatten(1).double().cpu().numpy()
        searches = [TieSearch(self, model, own, image, epsilon, generator[row]) for row, image in enumerate(flat)]
        active = list(range(len(images)))
        for _ in range(self.queries):
            active = [row for row in active if not searches[row].done and model.queries_left(row) >= 1]
            if not active:
                break
            points = np.stack([searches[row].ask() for row in active])
            answers = model.predict(torch.from_numpy(points).float().view(-1, *model.shape).to(images), active)
            for row, answer in zip(active, answers.tolist(), strict=True):
                searches[row].tell(answer)
        found = np.stack([search.best() for search in searches])
        return torch.from_numpy(found).to(images).view_as(images).clamp(0, 1)


class TieSearch:
    """The search for one image's nearest tie: :meth:`ask` names a point, :meth:`tell` takes the answer, until ``done``.

    Points (m,) are coordinates along the own images' directions; images (D,) are flat.

    Attributes:
        done: whether a point inside epsilon has abstained often enough.
    """

    def __init__(
        self,
        settings: LevelSet,
        model: Decision,
        own: ImageDirections,
        image: Floats,
        epsilon: float,
        generator: np.random.Generator,
    ) -> None:
        self.settings, self.own, self.image, self.epsilon = settings, own, image, epsilon
        self._generator = generator
        self._start = min(settings.start * model.sigma, 0.5 * own.extent)
        self._probe = min(settings.probe * model.sigma, 0.4 * own.extent)
        self._belief = Belief(
            own.weights,
            spread=settings.spread * model.sigma,
            length=settings.length * model.sigma,
            band=half_band(model.n, model.alpha) * model.sigma,
            blur=settings.blur * model.sigma,
        )
        self.done = False
        self._home: int | None = None
        self._asked = image
        self._inside: list[Floats] = []
        self._agreed = 0  # how often in a row the last point, inside epsilon, has abstained
        self._ways = own.towards(image, settings.starts)
        self._started = 0
        self._since_attempt = settings.rest
        self._crossings: list[Floats] = []
        self._nearest = np.inf  # distance of the nearest of them
        self._places = np.zeros(0)  # distances at which a crossing is looked for along a direction
        self._tie: Floats | None = None

    def ask(self) -> Floats:
        """The next image (D,) to query, in [0, 1]."""
        if self._home is None or self._agreed:
            return self._asked
        if not self._crossings:
            self._asked = self._towards_another_class()
            return self._asked
        tie = self._nearest_tie()
        distance = _norm(tie)
        self._since_attempt += 1
        near, far = distance <= self.settings.attempt * self.epsilon, distance > self._start
        if (near or far) and self._since_attempt > self.settings.rest:
            self._since_attempt = 0
            self._asked = self._image_at(tie, self.epsilon if near else np.inf)
        else:
            self._asked = self._image_at(self._informative(tie))
        return self._asked

    def tell(self, answer: int) -> None:
        """Learn the target's answer to the last query: a label or ABSTAIN."""
        if self._home is None and answer != ABSTAIN:
            self._home = answer
        displacement = self._asked - self.image
        point = displacement @ self.own.directions
        outcome = TIE if answer == ABSTAIN else HOME if answer == self._home else OTHER
        self._belief.add(point, outcome)
        if outcome != HOME and np.any(displacement):
            self._crossings.append(point)
            if (distance := _norm(point)) < self._nearest:
                self._nearest, self._places = distance, np.linspace(0, max(1.5 * self._start, distance), 46)
        if _norm(displacement) <= self.epsilon:
            self._inside.append(self._asked)
            self._agreed = self._agreed + 1 if outcome == TIE else 0
            self.done = self._agreed > self.settings.confirm

    def best(self) -> Floats:
        """The image (D,) inside epsilon that is most likely to abstain."""
        if self.done or not self._crossings:
            return self._asked if self.done else self.image
        images = [*self._inside, self._image_at(self._nearest_tie(), self.epsilon)]
        points = (np.stack(images) - self.image) @ self.own.directions
        result: Floats = images[int(np.argmax(self._belief.tie_probability(points)))]
        return result

    def _image_at(self, point: Floats, radius: float = np.inf) -> Floats:
        """The image (D,) at a point (m,), moved into the ball of this radius and clipped to [0, 1]."""
        shrink = min(1.0, WELL_INSIDE * radius / max(_norm(point), 1e-12))
        result: Floats = np.clip(self.image + self.own.directions @ (shrink * point), 0, 1)
        return result

    def _towards_another_class(self) -> Floats:
        """An image (D,) far out, towards an own image or along a random direction; each time a little farther."""
        if self._started < len(self._ways):
            way = self._ways[self._started]
            farthest = _norm(way)
        else:
            way, farthest = self.own.directions @ self._sideways(1)[0], np.inf
        length = min(self._start * min(1 + self._started / 4, 2), farthest)
        self._started += 1
        result: Floats = np.clip(self.image + length * way / max(_norm(way), 1e-12), 0, 1)
        return result

    def _sideways(self, count: int) -> Floats:
        """Random directions (count, m), mostly along those in which most of the gradient is expected."""
        drawn = self._generator.standard_normal((count, len(self.own.weights)))
        result: Floats = drawn * self.own.weights**self.settings.focus
        return result

    def _informative(self, tie: Floats) -> Floats:
        """A point (m,) on the predicted boundary, about ``probe`` from the nearest tie, where it is least certain."""
        slope = _unit(self._belief.gradient(tie))
        sideways = self._sideways(self.settings.candidates)
        sideways -= (sideways @ slope)[:, None] * slope
        points = tie + self._probe * sideways / np.linalg.norm(sideways, axis=1, keepdims=True).clip(1e-12)
        chosen: Floats = points[int(np.argmax(self._belief.variance(points)))]
        length = _norm(chosen)
        crossing = self._crossing(chosen / length)
        return chosen if crossing is None else crossing / length * chosen

    def _nearest_tie(self) -> Floats:
        """The nearest point (m,) where the predicted distance is zero, by following its gradient from the last one."""
        nearest = min(self._crossings, key=_norm)
        point = nearest / 2 if self._tie is None else self._tie
        best: Floats | None = None
        for step in range(5):
            direction = -_unit(self._belief.gradient(point))
            if step:
                direction = _unit(0.6 * direction + 0.4 * _unit(point))
            length = self._crossing(direction)
            if length is None:
                break
            point = length * direction
            if best is None or length < _norm(best):
                best = point
        if best is None:
            length = self._crossing(_unit(nearest))
            best = nearest if length is None else length * _unit(nearest)
        self._tie = best
        return best

    def _crossing(self, direction: Floats) -> float | None:
        """How far along a unit direction (m,) the predicted distance first falls to zero; None where it does not."""
        places = self._places
        mean = self._belief.mean_along(direction, places)
        below = np.flatnonzero(mean <= 0)
        if not len(below):
            return None
        first = int(below[0])
        if first == 0:
            return 0.0
        before, after = mean[first - 1], mean[first]
        return float(places[first - 1] + (places[first] - places[first - 1]) * before / (before - after))


def _unit(direction: Floats) -> Floats:
    result: Floats = direction / max(_norm(direction), 1e-12)
    return result


def _norm(vector: Floats) -> float:
    """The ℓ2 norm of a vector (m,): equal to ``np.linalg.norm``, and faster, as each query needs dozens."""
    return math.sqrt(vector.dot(vector))
