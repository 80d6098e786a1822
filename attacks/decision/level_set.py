"""The tie as a level set, learnt from labels alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from attacks.access import Decision
from attacks.base import Attack, register
from attacks.decision.image_directions import OwnImages
from attacks.decision.tie_search import TieSearch
from targets.noise import Streams


@register("level-set")
class LevelSet(Attack):
    """Bayesian search for the nearest tie by labels alone, started from the adversary's own images.

    A Gaussian process learns the distance to the tie from the answers (Bryan et al. 2005's level-set estimation;
    Shukla et al. 2021 attack with labels by Bayesian optimisation). Questions are put where the boundary is believed
    to be and least known, far from each other: near the image every answer is the same, and far along a direction
    the slope shows above the band in which PREDICT abstains. As soon as the nearest tie is believed to lie within
    epsilon, it is asked; ABSTAIN there ends the search.

    Attributes:
        queries: most label queries an image.
        confirm: how often more an ABSTAIN inside epsilon must come again; one may be luck.
        attempt: the nearest tie is asked where it is believed to be within this many epsilon (or out of all reach).
        rest: after that failed, at least this many questions serve the belief.
        own_images, dimensions, decay: see :meth:`attacks.decision.image_directions.OwnImages.of`.
        starts: own images tried before random directions, for a first label other than the original's.
        start, probe: how far along the starting directions, and from the nearest tie sideways, the questions lie, in
            σ, and at most half and two fifths of the own images' extent.
        candidates: random questions, of which the one with the least certain answer is put.
        focus: they keep to the directions of large weight by this power of it.
        spread, length, blur: the belief's, in σ.
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
        own = OwnImages.of(model.images(), model.sigma, self.own_images, self.dimensions, self.decay)
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
