"""The search for one image's nearest tie by labels: it asks, is told, and believes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from attacks.access import Decision
from attacks.decision.belief import HOME, OTHER, TIE, Belief
from attacks.decision.image_directions import OwnImages
from attacks.search.landing import half_band
from targets.smoothing import ABSTAIN

if TYPE_CHECKING:
    from attacks.decision.level_set import LevelSet

Floats = NDArray[np.float64]

WITHIN = 1 - 1e-4
"""Share of epsilon that is gone, so that rounding in float32 never leaves the ball."""


class TieSearch:
    """The search for one image's nearest tie: it asks and is told, until it is done."""

    def __init__(
        self,
        settings: LevelSet,
        model: Decision,
        own: OwnImages,
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
        self._agreed = 0  # how often in a row the point just asked was an ABSTAIN inside epsilon
        self._ways = own.towards(image, settings.starts)
        self._started = 0
        self._since_attempt = settings.rest
        self._crossings: list[Floats] = []
        self._nearest = np.inf  # distance of the nearest
        self._places = np.zeros(0)  # along a direction, where its crossing is looked for
        self._tie: Floats | None = None

    def ask(self) -> Floats:
        """The next question: an image (D,) in [0, 1]."""
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
        """The target's answer to the last question: a label or ABSTAIN."""
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
        """The image (D,) inside epsilon that is most likely to be a tie."""
        if self.done or not self._crossings:
            return self._asked if self.done else self.image
        images = [*self._inside, self._image_at(self._nearest_tie(), self.epsilon)]
        points = (np.stack(images) - self.image) @ self.own.directions
        result: Floats = images[int(np.argmax(self._belief.tie_probability(points)))]
        return result

    def _image_at(self, point: Floats, radius: float = np.inf) -> Floats:
        """The image (D,) at a point (m,), drawn into the radius and the box."""
        shrink = min(1.0, WITHIN * radius / max(_norm(point), 1e-12))
        result: Floats = np.clip(self.image + self.own.directions @ (shrink * point), 0, 1)
        return result

    def _towards_another_class(self) -> Floats:
        """Far out, towards an own image or along a random direction; a little farther each time."""
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
        """Random directions (count, m), the more along those where more of the gradient is expected."""
        drawn = self._generator.standard_normal((count, len(self.own.weights)))
        result: Floats = drawn * self.own.weights**self.settings.focus
        return result

    def _informative(self, tie: Floats) -> Floats:
        """A point (m,) on the believed boundary, ``probe`` from the nearest tie, where it is least known."""
        slope = _unit(self._belief.gradient(tie))
        sideways = self._sideways(self.settings.candidates)
        sideways -= (sideways @ slope)[:, None] * slope
        points = tie + self._probe * sideways / np.linalg.norm(sideways, axis=1, keepdims=True).clip(1e-12)
        chosen: Floats = points[int(np.argmax(self._belief.variance(points)))]
        length = _norm(chosen)
        crossing = self._crossing(chosen / length)
        return chosen if crossing is None else crossing / length * chosen

    def _nearest_tie(self) -> Floats:
        """The nearest point (m,) where the belief's mean is zero: a fixed point of following its gradient."""
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
        """How far along a direction (m,) of norm 1 the belief's mean first falls to zero, if it does."""
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
    """The ℓ2 norm of a vector (m,), as ``np.linalg.norm`` computes it: there are dozens for each question."""
    return math.sqrt(vector.dot(vector))
