"""A cell: one target, attack, epsilon and shard of images, with every setting that can change its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from attacks import Access, Attack, Decision, Transfer
from benchmark.key import CEILING, CEILING_VERSION, settings_key
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.stored.cell import StoredCell
from targets import SmoothedClassifier
from targets.data.digest import Part, content
from targets.engine.arithmetic import elsewhere
from targets.models import VERSIONS

Content = Callable[..., dict[str, dict[str, str]]]
"""Tells what identifies a data set's images and labels: `targets.data.digest.content`, or what stands for it."""


@dataclass(frozen=True)
class Cell:
    """The unit that is run and stored.

    Attributes:
        attack_name: the name the attack is registered under.
        images: the images' indices in the evaluation split.
        query_budget: most queries an image; None for no limit.
        content: asked for what identifies the images, which loads them.
    """

    suite: Suite
    target: SmoothedClassifier
    attack_name: str
    attack: Attack
    epsilon: float
    images: tuple[int, ...]
    query_budget: int | None = None
    content: Content = content

    def settings(self) -> dict[str, Any]:
        """Everything that can change the result, and what the board shows of the attack and the ceiling."""
        return {
            "suite": self.suite.name,
            **self.target.identity,
            **self.content(self.target.data, *parts(self.attack.access)),
            "attack": self.attack_name,
            "access": self.attack.access.kind,
            "description": self.attack.summary(),
            "parameters": self.attack.parameters(),
            "version": self.attack.version,
            "epsilon": self.epsilon,
            "n": self.suite.samples,
            "alpha": self.suite.alpha,
            **ceiling_settings(self.suite),
            "query_budget": self.query_budget,
            "seed": self.suite.seed,
            "images": list(self.images),
            **_architectures(self.attack.parameters()),
        }

    @property
    def key(self) -> str:
        """The cell's name in the store."""
        return settings_key(self.settings())

    def elsewhere(self) -> list[dict[str, Any]]:
        """The settings that the same cell has on machines with another arithmetic."""
        return elsewhere(self.settings())

    def held(self, store: Store) -> StoredCell | None:
        """The cell as the store holds it: run here, else adopted from a machine with another arithmetic, else failed.

        Results of such a machine are the same up to floating-point ties.
        """
        held = store.cell(self.key)
        if held is not None and held.status == "ok":
            return held
        others = (store.cell(settings_key(settings)) for settings in self.elsewhere())
        return next((other for other in others if other and other.status == "ok" and not other.has_images), held)


def ceiling_settings(suite: Suite) -> dict[str, int]:
    """The settings of `CEILING` in a suite, today."""
    return dict(zip(CEILING, (CEILING_VERSION, suite.ceiling_samples, suite.ceiling_samples_max), strict=True))


def parts(access: type[Access]) -> list[Part]:
    """The parts of a data set that can change the result of an attack with such access."""
    used: list[Part] = ["images", "labels"]
    if issubclass(access, Transfer | Decision):
        used.append("adversary")
    if issubclass(access, Transfer):  # it may train a surrogate on either
        used.append("training")
    return used


def _architectures(parameters: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Versions of the plugin architectures that an attack's hyper-parameters name; empty if they name none."""
    named = {value: VERSIONS[value] for value in parameters.values() if value in VERSIONS}
    return {"architectures": named} if named else {}


def cells(suite: Suite, target: SmoothedClassifier, indices: list[int], content: Content = content) -> Iterator[Cell]:
    """A target's cells: attack by attack, epsilon by epsilon, shard by shard, the largest query budget first.

    Each shard is spread over all images, so that a suite with twice the images keeps its cells.
    """
    shards = -(-len(indices) // suite.shard)
    for name in suite.attack_names():
        attack = suite.attack(name)
        for epsilon in suite.epsilons:
            for first in range(shards):
                images = tuple(indices[first::shards])
                for budget in budgets(suite, attack.access):
                    yield Cell(suite, target, name, attack, epsilon, images, budget, content)


def budgets(suite: Suite, access: type[Access]) -> list[int | None]:
    """The query budgets that attacks of an access class run under."""
    if access.metered and suite.query_budgets:
        return [*sorted(set(suite.query_budgets), reverse=True)]
    return [None]
