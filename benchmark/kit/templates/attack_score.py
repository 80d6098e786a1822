"""my-attack: one line on the idea, and where it is from (title, address)."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks import Attack, Score, register
from targets.noise import Streams


@register("my-attack")
class MyAttack(Attack):
    """Random search for evenly split votes: this line is shown on the board."""

    # `model` offers votes(images, rows, samples) and queries_left(row), beside the public facts num_classes, shape,
    # sigma, n and alpha.
    access = Score

    # Hyper-parameters: each with a type and a default, which is a number, a text, True, False or None. A line without a
    # type would be no hyper-parameter. Users set them in a suite file, or by
    # --set my-attack.queries=30 on the command line.
    queries: int = 60  # at most, an image; a run may allow fewer
    samples: int = 200  # of noise, a query

    def __call__(self, model: Score, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images (N, C, H, W) in [0, 1], at most epsilon from `images` in ℓ2 norm; N may be 0.

        `labels` are the true labels (N,); the target's own answer may be another. Work on copies, and draw random
        numbers from `generator` only: it has one stream an image, so that results do not depend on the batch.
        """
        adversarial = images.clone()
        gap = torch.full((len(images),), torch.inf)  # between the shares of the two leading classes
        for _ in range(self.queries):
            # `rows` says which image of the batch each query is for. One over the budget raises BudgetExhausted.
            rows = [row for row in range(len(images)) if model.queries_left(row) >= 1 and gap[row] > 0]
            if not rows:
                break
            direction = generator.normal(images.shape[1:], rows).to(images)
            moved = _within(adversarial[rows] + epsilon / 2 * _unit(direction), images[rows], epsilon)
            points = torch.where(_per_image(gap[rows]).to(images) == torch.inf, images[rows], moved)
            votes = model.votes(points, rows, self.samples)  # (N, K) counts of the smoothed classifier's votes
            top = votes.topk(2, dim=1).values
            found = (top[:, 0] - top[:, 1]) / self.samples
            for row, point, value in zip(rows, points, found, strict=True):
                if value < gap[row]:
                    adversarial[row], gap[row] = point, value
        return adversarial


def _within(points: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """The nearest points to these that keep the budget: in the ℓ2 ball of radius epsilon, and in [0, 1]."""
    delta = points - images
    norms = delta.flatten(1).norm(dim=1).clamp_min(1e-12)
    # A hair inside the budget: what rounding puts over it counts as the original.
    return (images + delta * _per_image((epsilon * (1 - 1e-5) / norms).clamp_max(1.0))).clamp(0, 1)


def _unit(direction: Tensor) -> Tensor:
    """Directions (N, C, H, W) of length 1; zero stays zero."""
    return direction / _per_image(direction.flatten(1).norm(dim=1).clamp_min(1e-12))


def _per_image(values: Tensor) -> Tensor:
    """(N,) → (N, 1, 1, 1)."""
    return values[:, None, None, None]
