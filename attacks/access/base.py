"""The least that an attack can be given: the public facts of a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from torch import Tensor

from attacks.access.meter import Meter


@dataclass(frozen=True)
class Deployment:
    """What every attacker knows of a target.

    Attributes:
        num_classes: K.
        shape: (C, H, W) of its images.
        sigma: the smoothing noise's standard deviation, in [0, 1] pixel units.
        n, alpha: PREDICT's number of noise samples and its error rate.
    """

    num_classes: int
    shape: tuple[int, int, int]
    sigma: float
    n: int
    alpha: float


class Access:
    """Base class of what an attack receives as ``model``. It knows the public facts, and the query budget.

    Args:
        deployment: the public facts; they become attributes.
        meter: counts what the attack costs.

    Attributes:
        kind: the access's name on the board.
        metered: whether the attack queries the target, so that it can be given a query budget.
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

    def __getattr__(self, name: str) -> NoReturn:
        # Called for what the object lacks: says what it has, for an author who expected another access.
        known = sorted(key for key in {*dir(type(self)), *vars(self)} if not key.startswith("_"))
        raise AttributeError(f"{self.kind} access has no {name!r}; it has {', '.join(known)}", name=name, obj=self)

    def rows(self, images: Tensor, rows: Sequence[int] | None) -> list[int]:
        """The image of the batch that each of ``images`` (B, C, H, W) belongs to, checked.

        Raises:
            ValueError: ``images`` has another number of dimensions, ``rows`` another length, or a row is no image.
        """
        if images.ndim != 4:
            raise ValueError(f"images have shape {tuple(images.shape)}; give (N, C, H, W)")
        chosen = list(range(len(images))) if rows is None else [int(r) for r in rows]
        if len(chosen) != len(images):
            raise ValueError(f"{len(images)} images for {len(chosen)} rows")
        if chosen and not 0 <= min(chosen) <= max(chosen) < len(self._meter.queries):
            raise ValueError(f"rows must name one of the {len(self._meter.queries)} images of the batch")
        return chosen

    def queries_left(self, row: int) -> float:
        """How many more queries the budget allows for one image of the batch; infinity without a budget."""
        budget = self._meter.query_budget
        return float("inf") if budget is None else budget - int(self._meter.queries[row])


class NoAccess(Access):
    """Controls: nothing but the public facts."""

    kind = "none"
