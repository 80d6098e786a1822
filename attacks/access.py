"""Access is a capability: an attack can do what the object it receives can do, and every use is counted.

The objects hold functions, not the target: a decision-access attack has no gradients to ask for. Rows of a query
are charged to the images they are made for, named by ``rows`` (the image's position in the attack's batch; one
row an image without).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from targets.noise import Streams


class BudgetExhausted(RuntimeError):
    """A metered attack asked for more queries than its budget allows."""


class NoGradient(RuntimeError):
    """A white-box attack asked for gradients of logits that have none to give."""


class Meter:
    """Counts what each image of a batch has cost, and which of its gradients could lead anywhere.

    Args:
        images: number of images in the attack's batch.
        query_budget: most queries an image, or None.
        tick: called at every use, so that a progress display can breathe.
    """

    def __init__(self, images: int, query_budget: int | None = None, tick: Callable[[], None] | None = None) -> None:
        self.queries = np.zeros(images, dtype=np.int64)
        self.forward = np.zeros(images, dtype=np.int64)
        self.backward = np.zeros(images, dtype=np.int64)
        self.gradients = np.zeros(images, dtype=np.int64)
        self.zero_gradients = np.zeros(images, dtype=np.int64)
        self.broken_gradients = np.zeros(images, dtype=np.int64)
        self.query_budget = query_budget
        self.tick = tick or (lambda: None)

    def charge(self, rows: Sequence[int], *, queries: int = 0, forward: int = 0, backward: int = 0) -> None:
        """Add costs per row. Raises :class:`BudgetExhausted` before a query over the budget is answered."""
        self.tick()
        times = np.bincount(np.asarray(rows, dtype=np.int64), minlength=len(self.queries))
        if self.query_budget is not None and np.any(self.queries + queries * times > self.query_budget):
            raise BudgetExhausted(f"the budget of {self.query_budget} queries an image is spent")
        self.queries += queries * times
        self.forward += forward * times
        self.backward += backward * times

    def observe(self, rows: Sequence[int], gradients: Tensor | None) -> None:
        """Count gradients (N, ...) that arrived at the images of these rows; None stands for zeros."""
        if gradients is None:
            largest = np.zeros(len(rows))
        else:
            try:
                gradients.data_ptr()
            except RuntimeError:
                return  # inside vmap, where a gradient can be computed with but not looked at
            largest = gradients.detach().flatten(1).abs().amax(1).cpu().double().numpy()  # NaN where one is NaN
        for count, which in (
            (self.gradients, np.ones(len(rows), dtype=bool)),
            (self.zero_gradients, largest == 0),
            (self.broken_gradients, ~np.isfinite(largest)),
        ):
            np.add.at(count, np.asarray(rows, dtype=np.int64)[which], 1)

    def observed(self) -> dict[str, int]:
        """What gradients arrived at the images: see :data:`leaderboard.checks.OBSERVED`. Nothing where none did."""
        if not self.gradients.any():
            return {}
        useless = self.zero_gradients + self.broken_gradients
        return {
            "gradients": int(self.gradients.sum()),
            "zero_gradients": int(self.zero_gradients.sum()),
            "broken_gradients": int(self.broken_gradients.sum()),
            "images_asked": int((self.gradients > 0).sum()),
            "images_blind": int(((self.gradients > 0) & (useless == self.gradients)).sum()),
        }


@dataclass(frozen=True)
class Deployment:
    """What every attacker knows of a target.

    Attributes:
        num_classes: K.
        shape: (C, H, W) of its images.
        sigma: the smoothing noise's standard deviation, in [0, 1] pixel units.
        n, alpha: PREDICT's.
    """

    num_classes: int
    shape: tuple[int, int, int]
    sigma: float
    n: int
    alpha: float


class Access:
    """The least that an attack can be given: the public facts.

    Attributes:
        kind: its name on the board.
        metered: whether queries to the target are what it costs, so that a budget of them means something.
    """

    kind: ClassVar[str]
    metered: ClassVar[bool] = False

    def __init__(self, deployment: Deployment, meter: Meter) -> None:
        self.num_classes = deployment.num_classes
        self.shape = deployment.shape
        self.sigma = deployment.sigma
        self.n = deployment.n
        self.alpha = deployment.alpha
        self._meter = meter

    def rows(self, images: Tensor, rows: Sequence[int] | None) -> list[int]:
        """The image that each row of ``images`` belongs to, checked."""
        if images.ndim != 4:
            raise ValueError(f"images have shape {tuple(images.shape)}; give (N, C, H, W)")
        chosen = list(range(len(images))) if rows is None else [int(r) for r in rows]
        if len(chosen) != len(images):
            raise ValueError(f"{len(images)} images for {len(chosen)} rows")
        if chosen and not 0 <= min(chosen) <= max(chosen) < len(self._meter.queries):
            raise ValueError(f"rows must name one of the {len(self._meter.queries)} images of the batch")
        return chosen

    def queries_left(self, row: int) -> float:
        """How many more queries the budget allows one image; infinity without a budget."""
        budget = self._meter.query_budget
        return float("inf") if budget is None else budget - int(self._meter.queries[row])


class NoAccess(Access):
    """Controls: nothing but the public facts."""

    kind = "none"


Votes = Callable[[Tensor, Sequence[int], Sequence[int], int], NDArray[np.int64]]
"""(images, rows, the how-manieth query of its image each row is, samples) → votes (N, K)."""

Predict = Callable[[Tensor, Sequence[int], Sequence[int]], NDArray[np.int64]]
"""(images, rows, the how-manieth query of its image each row is) → labels (N,)."""


def _ordinals(rows: Sequence[int], asked: NDArray[np.int64]) -> list[int]:
    """Number the queries of each image, going on from ``asked``, so that each has noise of its own."""
    count = asked.copy()
    result = []
    for row in rows:
        result.append(int(count[row]))
        count[row] += 1
    return result


class Score(Access):
    """Vote counts: each query is one run of the smoothed classifier on fresh noise."""

    kind = "score"
    metered = True

    def __init__(self, votes: Votes, deployment: Deployment, meter: Meter) -> None:
        super().__init__(deployment, meter)
        self._votes = votes

    def votes(self, images: Tensor, rows: Sequence[int] | None = None, samples: int | None = None) -> Tensor:
        """Vote counts (N, K), int64.

        Args:
            images: (N, C, H, W) in [0, 1].
            samples: noise samples of this query; PREDICT's n without. They are counted either way.

        Raises:
            BudgetExhausted: a row is over its image's query budget.
        """
        chosen = self.rows(images, rows)
        samples = self.n if samples is None else samples
        ordinals = _ordinals(chosen, self._meter.queries)
        self._meter.charge(chosen, queries=1, forward=samples)
        return torch.from_numpy(self._votes(images.detach(), chosen, ordinals, samples))


class Decision(Access):
    """Labels or ABSTAIN, each query one PREDICT on fresh noise; and the adversary's own images, to start from."""

    kind = "decision"
    metered = True

    def __init__(
        self, predict: Predict, own_images: Callable[[], Tensor], deployment: Deployment, meter: Meter
    ) -> None:
        super().__init__(deployment, meter)
        self._predict = predict
        self._own_images = own_images

    def images(self) -> Tensor:
        """The adversary's own images (M, C, H, W) in [0, 1], without labels: the target's label of one is a query."""
        return self._own_images()

    def predict(self, images: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """PREDICT's answers (N,), int64, ``ABSTAIN`` = -1. A query is charged n samples, whatever curtailment saves.

        Raises:
            BudgetExhausted: a row is over its image's query budget.
        """
        chosen = self.rows(images, rows)
        ordinals = _ordinals(chosen, self._meter.queries)
        self._meter.charge(chosen, queries=1, forward=self.n)
        return torch.from_numpy(self._predict(images.detach(), chosen, ordinals))


Progress = Callable[[int, int], None]
"""(epochs that are done, epochs): to be called after each, and first of all with those that a checkpoint held."""

Fit = Callable[..., None]
"""(module to train in place, the adversary's images, the target's answers, seed).

One with a parameter ``checkpoint`` is given a path where a long training may keep what it has, and one with a parameter
``progress`` a :data:`Progress`; both by name.
"""

Surrogate = Callable[[str, Callable[[], nn.Module], Fit], nn.Module]
"""(key, build, fit) → the trained module."""

SameDataFit = Callable[..., None]
"""(module to train in place, the target's training set, seed, where a long training may keep what it has).

One with a parameter ``progress`` is given a :data:`Progress` by name.
"""

SameDataSurrogate = Callable[[str, Callable[[], nn.Module], SameDataFit], nn.Module]
"""(key, build, fit) → the trained module."""


class Transfer(Access):
    """The target's answers to the adversary's own images, or its training set, before the attack; nothing during it."""

    kind = "transfer"

    def __init__(
        self,
        surrogate: Surrogate,
        same_data_surrogate: SameDataSurrogate,
        deployment: Deployment,
        meter: Meter,
    ) -> None:
        super().__init__(deployment, meter)
        self._deployment = deployment
        self._surrogate = surrogate
        self._same_data_surrogate = same_data_surrogate

    def surrogate(self, key: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        """A surrogate trained on the target's answers, once for every cell that asks with this key.

        Args:
            key: names architecture and recipe: everything that shapes the weights beside target and seed.
            build: makes the untrained module.
            fit: trains it in place on the adversary's images (M, C, H, W) and answers (M,), ``ABSTAIN`` = -1. A
                ``checkpoint`` that it keeps lets a killed run go on.

        Returns:
            The module in evaluation mode, without parameter gradients.
        """
        self._meter.tick()
        return self._surrogate(key, build, fit)

    def same_data_surrogate(self, key: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        """A surrogate trained on the target's own training set with its true labels: no query at all.

        It stands for an adversary who knows what the target was trained on, as for every public data set.

        Args:
            key: names architecture and recipe, σ among it: everything that shapes the weights beside data and seed.
            build: makes the untrained module.
            fit: trains it in place on the training set; a checkpoint that it keeps lets a killed run go on.

        Returns:
            The module in evaluation mode, without parameter gradients.
        """
        self._meter.tick()
        return self._same_data_surrogate(key, build, fit)

    def smoothed(self, surrogate: Callable[[Tensor], Tensor], images: int) -> WhiteBox:
        """The attacker's own smoothed classifier around a surrogate: white-box, and free of charge.

        Args:
            images: number of images in the attack's batch.
        """
        return WhiteBox(surrogate, self._deployment, Meter(images, tick=self._meter.tick))


class Hybrid(Transfer):
    """What a transfer attacker has, and decision queries during the attack."""

    kind = "hybrid"
    metered = True

    def __init__(
        self,
        surrogate: Surrogate,
        same_data_surrogate: SameDataSurrogate,
        predict: Predict,
        own_images: Callable[[], Tensor],
        deployment: Deployment,
        meter: Meter,
    ) -> None:
        super().__init__(surrogate, same_data_surrogate, deployment, meter)
        self._decision = Decision(predict, own_images, deployment, meter)

    def images(self) -> Tensor:
        """See :meth:`Decision.images`."""
        return self._decision.images()

    def predict(self, images: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Decision.predict`."""
        return self._decision.predict(images, rows)


class WhiteBox(Access):
    """The smoothed classifier itself: logits under noise, with gradients with respect to the images."""

    kind = "white-box"

    def __init__(self, logits: Callable[[Tensor], Tensor], deployment: Deployment, meter: Meter) -> None:
        super().__init__(deployment, meter)
        self._logits = logits

    def noise(self, images: Tensor, samples: int, generator: Streams, rows: Sequence[int] | None = None) -> Tensor:
        """Smoothing noise (N, samples, C, H, W) from each image's own generator; costs nothing."""
        return self.sigma * generator.normal((samples, *images.shape[1:]), self.rows(images, rows)).to(images.device)

    def logits(self, images: Tensor, noise: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """The base classifier's logits (N, samples, K) on images (N, C, H, W) + noise (N, samples, C, H, W).

        Differentiable with respect to ``images``. Forward samples are counted at the call, backward samples
        whenever a gradient flows; of the gradients that arrive at the images, those that are all zero or not finite.

        Raises:
            NoGradient: gradients are asked for, and the base classifier's logits do not depend on its input.
        """
        chosen = self.rows(images, rows)
        samples = noise.shape[1]
        self._meter.charge(chosen, forward=samples)
        if images.shape[0] == 0:
            return images.new_zeros((0, samples, self.num_classes))
        points = images.unsqueeze(1)  # a tensor of this query alone, for its gradient to be looked at
        flat = self._logits((points + noise).flatten(0, 1))
        logits = flat.view(len(images), samples, self.num_classes)
        if points.requires_grad and not logits.requires_grad:
            raise NoGradient(
                "the base classifier's logits are detached from its input, so it gives no gradients; see docs/checks.md"
            )
        if points.requires_grad:
            points.register_hook(lambda gradient: self._meter.observe(chosen, gradient))
        if logits.requires_grad:
            logits.register_hook(lambda _: self._meter.charge(chosen, backward=samples))
        return logits
