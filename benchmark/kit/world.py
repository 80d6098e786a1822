"""What an attack under contract is let loose on: a target, some of its images, and access as a run grants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from attacks import Access, Attack, Meter
from benchmark.cell import Cell
from benchmark.kit import plane
from benchmark.running.access_factory import grant
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.evaluation import take
from benchmark.running.surrogates import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from targets import DATA, SmoothedClassifier, load
from targets.noise import Streams


@dataclass(frozen=True)
class World:
    """A target and what is attacked on it.

    Attributes:
        images: indices of evaluation images.
        epsilon: the ℓ2 budget.
        samples, alpha: PREDICT's n and level.
        folder: of a store, where surrogates are kept.
    """

    target: SmoothedClassifier
    images: tuple[int, ...]
    epsilon: float
    samples: int
    alpha: float
    folder: Path

    @classmethod
    def closed_form(cls, folder: Path) -> World:
        """The one whose optimum is known."""
        images = tuple(range(len(plane.MARGINS)))
        return cls(plane.target(), images, plane.EPSILON, plane.SAMPLES, plane.ALPHA, folder)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> World:
        """The same in another process, from :attr:`settings`."""
        target = plane.target() if settings["target"] == plane.NAME else load(settings["target"], "cpu")
        return cls(
            target,
            tuple(settings["images"]),
            settings["epsilon"],
            settings["samples"],
            settings["alpha"],
            Path(settings["folder"]),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "target": self.target.name,
            "images": list(self.images),
            "epsilon": self.epsilon,
            "samples": self.samples,
            "alpha": self.alpha,
            "folder": str(self.folder),
        }

    @property
    def plane(self) -> plane.Plane | None:
        """The base classifier, where it is the one that is known in closed form."""
        base = self.target.base_classifier
        return base if isinstance(base, plane.Plane) else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Its data set is registered meanwhile."""
        missing = self.plane is not None and plane.NAME not in DATA
        if missing:
            DATA.add(plane.data_set())
        try:
            yield
        finally:
            if missing:
                DATA.remove(plane.NAME)

    def batch(self, images: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Evaluation images (N, C, H, W) and their true labels (N,), in tensors of the caller's own."""
        split = DATA[self.target.data].split("evaluation")
        return take(split.images, images), take(split.labels, images)

    def granted(
        self, name: str, attack: Attack, images: tuple[int, ...], query_budget: int | None = None
    ) -> tuple[Access, Meter]:
        """The attack's access to the target, and what counts its use."""
        suite = Suite(name="contract", samples=self.samples, alpha=self.alpha, ceiling_samples=100)
        cell = Cell(suite, self.target, name, attack, self.epsilon, images, query_budget)
        meter = Meter(len(images), query_budget)
        surrogates = Surrogates(Store.open(self.folder), self.target, self.samples, self.alpha, suite.seed)
        return grant(cell, meter, CellSurrogates(surrogates)), meter

    def streams(self, name: str, images: tuple[int, ...]) -> Streams:
        """The attack's random numbers."""
        return Streams((0, self.target.name, "attack", name, repr(self.epsilon)), images)
