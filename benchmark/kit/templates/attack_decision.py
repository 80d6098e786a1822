"""my-attack: one line on the idea, and where it is from (title, address)."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks import Attack, Decision, register
from targets.noise import Streams

ABSTAIN = -1


@register("my-attack")
class MyAttack(Attack):
    """Bisect towards images of one's own with another answer: this line is shown on the board."""

    # `model` offers predict(images, rows), images() and queries_left(row), beside the public facts num_classes, shape,
    # sigma, n and alpha.
    access = Decision

    # Hyper-parameters: each with a type and a default, which is a number, a text, True, False or None. A line without a
    # type would be no hyper-parameter. Users set them in a suite file, or by
    # --set my-attack.halvings=4 on the command line.
    ways: int = 4  # images of one's own that are tried
    halvings: int = 6

    def __call__(self, model: Decision, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images (N, C, H, W) in [0, 1], at most epsilon from `images` in ℓ2 norm; N may be 0.

        `labels` are the true labels (N,); the target's own answer may be another. Work on copies, and draw random
        numbers from `generator` only: it has one stream an image, so that results do not depend on the batch.
        """
        own = model.images().to(images)  # the adversary's own images (M, C, H, W), unlabelled
        adversarial = images.clone()
        for row in range(len(images)):
            for _ in range(self.ways):
                other = own[int(generator[row].integers(len(own)))]
                point, abstains = self._bisect(model, row, images[row], other, epsilon)
                if abstains:
                    adversarial[row] = point
                    break
        return adversarial

    def _bisect(self, model: Decision, row: int, image: Tensor, other: Tensor, epsilon: float) -> tuple[Tensor, bool]:
        """A point (C, H, W) between an image and the end of the budget towards another; whether the target abstains."""
        delta = other - image
        # A hair inside the budget: what rounding puts over it counts as the original.
        far = image + delta * min(1.0, epsilon * (1 - 1e-5) / max(float(delta.norm()), 1e-12))
        home: int | None = None
        low, high = torch.zeros(()), torch.ones(())
        for share in (low, high, *([None] * self.halvings)):
            if model.queries_left(row) < 1:  # a query over the budget raises BudgetExhausted
                break
            at = (low + high) / 2 if share is None else share
            point = (image + at.to(image) * (far - image)).clamp(0, 1)
            answer = int(model.predict(point[None], [row])[0])  # a label, or ABSTAIN; `rows` names the image asked for
            if answer == ABSTAIN:
                return point, True
            home = answer if home is None else home
            if share is None:
                low, high = (at, high) if answer == home else (low, at)
            elif share is high and answer == home:
                break  # the boundary is farther
        return image, False
