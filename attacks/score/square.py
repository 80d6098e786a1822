"""Random search with square patches, on vote counts.

Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box adversarial attack via random search",
https://arxiv.org/abs/1912.00049.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from attacks.access import Score
from attacks.base import Attack, register
from attacks.search.geometry import project, unit
from attacks.search.vote_search import VoteSearch
from targets.noise import Streams


@register("square")
class Square(Attack):
    """Square attack (Andriushchenko et al. 2020) on vote counts, with smooth patches; then a line search to the tie.

    Every query adds a square patch at a random place, brighter or darker in each channel, to the best direction so
    far, and keeps the sum if the probit gap is lower there. Unlike in the paper the patches fade towards their edges,
    since the smoothed classifier's gradient is smooth; and directions are compared ``reach`` σ away from the image,
    where they differ by more than the noise of vote counts. The perturbation is the best direction, scaled to epsilon.

    Attributes:
        queries: most queries for each image, the landing's included.
        samples: noise samples for each query of the search.
        side: side of a patch, as a share of the image's.
        step: norm of a patch; that of the direction so far is 1.
        reach: distance from the image at which directions are compared, in σ; at least epsilon.
        trust: share of a measured improvement that is believed.
        landing_rounds, landing_share: see :class:`attacks.search.vote_search.VoteSearch`.
    """

    access = Score
    queries: int = 100
    samples: int = 50
    side: float = 0.6
    step: float = 0.8
    reach: float = 6.0
    trust: float = 0.7
    landing_rounds: int = 3
    landing_share: float = 0.25

    def __call__(self, model: Score, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        search = VoteSearch(model, images, self.queries, self.landing_rounds, self.landing_share)
        reach = max(epsilon, self.reach * model.sigma)
        clean = search.clean_gap.tolist()
        lowest = list(clean)
        best, adversarial = torch.zeros_like(images), images.clone()
        active = search.within_reach(epsilon)
        while active := [row for row in active if search.left(row)]:
            patches = torch.stack([patch(model.shape, self.side, generator[row]) for row in active]).to(images)
            tried = unit(best[active] + self.step * patches)
            gaps = search.gaps((images[active] + reach * tried).clamp(0, 1), active, self.samples)
            better = [i for i, (row, gap) in enumerate(zip(active, gaps, strict=True)) if gap < lowest[row]]
            hopeful = []
            for i in better:
                row = active[i]
                best[row] = tried[i]
                # The lowest of many noisy estimates is too low; if it were kept as it is, no later one would beat it.
                lowest[row] += self.trust * (gaps[i] - lowest[row])
                if clean[row] + (lowest[row] - clean[row]) * epsilon / reach < 0 and search.left(row) > 1:
                    hopeful.append(row)
            moved = [active[i] for i in better]
            adversarial[moved] = project(images[moved] + epsilon * best[moved], images[moved], epsilon)
            crossed = search.crossed(adversarial, hopeful)
            active = [row for row in active if row not in crossed]
        return search.land(adversarial)


def patch(shape: tuple[int, int, int], side: float, generator: np.random.Generator) -> Tensor:
    """A bump (C, H, W) of ℓ2 norm 1, with a random sign in each channel, at a random place inside the image.

    Args:
        side: its side, as a share of the image's.
    """
    channels, height, width = shape
    down, across = (max(1, round(side * size)) for size in (height, width))
    top, left = int(generator.integers(height - down + 1)), int(generator.integers(width - across + 1))
    fade = [np.sin(np.pi * (np.arange(size) + 0.5) / size) for size in (down, across)]
    bump = np.zeros(shape, dtype=np.float32)
    bump[:, top : top + down, left : left + across] = np.outer(*fade)
    bump *= generator.choice([-1, 1], size=(channels, 1, 1)) / np.linalg.norm(bump)
    return torch.from_numpy(bump)
