"""Zeroth-order optimisation (ZOO) on vote counts.

Chen et al. 2017, "ZOO: Zeroth Order Optimization based Black-box Attacks to Deep Neural Networks without Training
Substitute Models", https://arxiv.org/abs/1708.03999.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.access import Score
from attacks.base import Attack, register
from attacks.search.geometry import project
from targets.noise import Streams


@register("zoo")
class ZOO(Attack):
    """ZOO (Chen et al. 2017) on vote counts: Adam on (p_A - p_B)², a few random coordinates at a time.

    Every step estimates the derivative along a few random coordinates of each image, by symmetric differences of vote
    counts. Under a query budget the last step takes as many coordinates as it can pay for. Votes are random, so the
    difference must be large enough to show above their noise; with the paper's 1e-4 it never does.

    Attributes:
        steps: Adam steps.
        coordinates: coordinates for each of them, of two queries each.
        samples: noise samples for each query.
        difference: change of a coordinate to either side, in [0, 1] pixel units.
        learning_rate, beta1, beta2: Adam's.
    """

    access = Score
    steps: int = 8
    coordinates: int = 10
    samples: int = 50
    difference: float = 0.3
    learning_rate: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.999

    def __call__(self, model: Score, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        count, size = len(images), images[0].numel() if len(images) else 0
        adversarial = images.clone()
        first = torch.zeros(count, size, device=images.device)
        second, times = torch.zeros_like(first), torch.zeros_like(first)
        rows = torch.arange(count, device=images.device)[:, None]
        for _ in range(self.steps if count else 0):
            left = min(model.queries_left(r) for r in range(count))
            chosen_count = int(min(self.coordinates, size, left // 2))
            if not chosen_count:
                break
            chosen = torch.stack(
                [torch.from_numpy(generator[r].permutation(size)[:chosen_count]) for r in range(count)]
            ).to(images.device)
            slope = self._slopes(model, adversarial, chosen)
            # Adam's moments of the chosen coordinates only, each with its own step count.
            times[rows, chosen] += 1
            first[rows, chosen] = self.beta1 * first[rows, chosen] + (1 - self.beta1) * slope
            second[rows, chosen] = self.beta2 * second[rows, chosen] + (1 - self.beta2) * slope**2
            t = times[rows, chosen]
            step = first[rows, chosen] / (1 - self.beta1**t)
            step = step / ((second[rows, chosen] / (1 - self.beta2**t)).sqrt() + 1e-8)
            moved = adversarial.flatten(1).clone()
            moved[rows, chosen] -= self.learning_rate * step
            adversarial = project(moved.view_as(images), images, epsilon)
        return adversarial

    def _slopes(self, model: Score, images: Tensor, chosen: Tensor) -> Tensor:
        """Derivatives (N, M) of the squared margin along ``chosen`` coordinates (N, M), by symmetric differences."""
        count, width = chosen.shape
        flat = images.flatten(1)
        rows = torch.arange(count, device=images.device)[:, None].expand_as(chosen)
        columns = torch.arange(width, device=images.device).expand_as(chosen)
        losses, places = [], []
        for sign in (1.0, -1.0):
            points = flat[:, None, :].repeat(1, width, 1)
            points[rows, columns, chosen] = (points[rows, columns, chosen] + sign * self.difference).clamp(0, 1)
            places.append(points[rows, columns, chosen])
            owners = [r for r in range(count) for _ in range(width)]
            votes = model.votes(points.view(count * width, *images.shape[1:]), owners, self.samples)
            top = votes.topk(2, dim=1).values.to(images.device).float() / self.samples
            losses.append(((top[:, 0] - top[:, 1]) ** 2).view(count, width))
        # The box may have shortened a difference, so divide by its real length.
        return (losses[0] - losses[1]) / (places[0] - places[1]).clamp_min(1e-6)
