"""my-attack: one line on the idea, and where it is from (title, address)."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks import Attack, Hybrid, register
from attacks.surrogate import SurrogateRecipe
from targets.noise import Streams

ABSTAIN = -1


@register("my-attack")
class MyAttack(Attack):
    """A surrogate's gradient, then bisection by the target's labels: this line is shown on the board."""

    # `model` offers what Transfer and Decision access do: surrogate(…), same_data_surrogate(…), smoothed(…),
    # predict(images, rows), images() and queries_left(row), beside num_classes, shape, sigma, n and alpha.
    access = Hybrid

    # Hyper-parameters: each with a type and a default, which is a number, a text, True, False or None. A line without a
    # type would be no hyper-parameter. Users set them in a suite file, or by
    # --set my-attack.epochs=50 on the command line.
    architecture: str = "small-cnn"  # a name in targets.models.ARCHITECTURES
    epochs: int = 20
    samples: int = 200  # of noise, for the gradient
    halvings: int = 6

    def __call__(self, model: Hybrid, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images (N, C, H, W) in [0, 1], at most epsilon from `images` in ℓ2 norm; N may be 0.

        `labels` are the true labels (N,); the target's own answer may be another. Work on copies, and draw random
        numbers from `generator` only: it has one stream an image, so that results do not depend on the batch.
        """
        adversarial = images.clone()
        if len(images) == 0:
            return adversarial
        far = self._far(model, images, epsilon, generator)
        for row in range(len(images)):
            adversarial[row] = self._bisect(model, row, images[row], far[row])
        return adversarial

    def _far(self, model: Hybrid, images: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """The ends of the budget (N, C, H, W), in the direction in which a surrogate's leading class loses most."""
        # Trained once a target, on its answers to the adversary's images, and kept. trained_on_same_data(model) is one
        # trained on the target's own training set, without any query.
        recipe = SurrogateRecipe(self.architecture, self.epochs, 32, 0.05, abstention=False, sigma=model.sigma)
        surrogate = model.smoothed(recipe.of(model), len(images))  # white-box access to one's own model
        points = images.clone().requires_grad_()
        noise = surrogate.noise(points, self.samples, generator)  # (N, samples, C, H, W), scaled by σ already
        top = surrogate.logits(points, noise).softmax(-1).mean(1).topk(2, dim=1).values
        (gradient,) = torch.autograd.grad((top[:, 0] - top[:, 1]).sum(), points)
        norms = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
        # A hair inside the budget: what rounding puts over it counts as the original.
        far: Tensor = images - epsilon * (1 - 1e-5) * gradient / norms
        return far.clamp(0, 1)

    def _bisect(self, model: Hybrid, row: int, image: Tensor, far: Tensor) -> Tensor:
        """A point (C, H, W) between an image and another at which the target abstains; the last one asked without."""
        home: int | None = None
        low, high, point = 0.0, 1.0, image
        for step in range(2 + self.halvings):
            if model.queries_left(row) < 1:  # a query over the budget raises BudgetExhausted
                break
            share = float(step) if step < 2 else (low + high) / 2
            point = image + share * (far - image)
            answer = int(model.predict(point[None], [row])[0])  # a label, or ABSTAIN; `rows` names the image asked for
            if answer == ABSTAIN or (step == 1 and answer == home):  # there, or the boundary is farther
                break
            home = answer if home is None else home
            if step >= 2:
                low, high = (share, high) if answer == home else (low, share)
        return point
