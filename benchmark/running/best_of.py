"""``best-of``: for each image the best result of all attacks of an access class.

It is no attack of its own. The attacks' own evaluations decide which image is sent, and that image is evaluated again
on fresh noise, so that picking the luckiest of many estimates gains nothing. It costs what all attacks cost together,
plus their evaluations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks import ATTACKS
from attacks.access import Meter
from benchmark.cell import Cell
from benchmark.key import settings_key
from benchmark.suite import Suite
from leaderboard import Store

VERSION = 1


class MemberFailed(RuntimeError):
    """An attack of the class failed, so that there is no best of all attacks."""


@dataclass(frozen=True)
class BestOf(Cell):
    """The cell of an access class's best.

    Attributes:
        members: the cells of its attacks, on the same images at the same epsilon, under the largest query budget.
    """

    members: tuple[Cell, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The settings of the first member, with a best-of cell's own over them."""
        kind = self.attack.access.kind
        return {
            **super().settings(),
            "attack": f"best-of {kind}",
            "description": f"For each image the best of the {len(self.members)} attacks of {kind} access, "
            "chosen on their evaluations and evaluated on fresh noise; costs the sum.",
            "parameters": {"attacks": ", ".join(member.attack_name for member in self.members)},
            "version": VERSION,
            "members": [member.key for member in self.members],
        }

    def elsewhere(self) -> list[dict[str, Any]]:
        """The settings on machines with another arithmetic, with the members' keys there."""
        members = zip(*(member.elsewhere() for member in self.members), strict=True)
        return [
            {**settings, "members": [settings_key(member) for member in settings_of_members]}
            for settings, settings_of_members in zip(super().elsewhere(), members, strict=True)
        ]

    def lacks_images(self, store: Store) -> bool:
        """Whether a member was adopted from a published board, and so has no images to choose from."""
        return any((held := member.held(store)) is not None and not held.has_images for member in self.members)


def best_of_cells(suite: Suite, cells: Sequence[Cell]) -> list[BestOf]:
    """One for each access class of two or more attacks, epsilon and shard of a target's ``cells``."""
    if not suite.best_of:
        return []
    groups: dict[tuple[str, float, tuple[int, ...]], dict[str, Cell]] = {}
    for cell in cells:
        kind = cell.attack.access.kind
        if kind != "none":
            # The largest budget comes first.
            groups.setdefault((kind, cell.epsilon, cell.images), {}).setdefault(cell.attack_name, cell)
    return [
        BestOf(
            suite,
            first.target,
            f"best-of {kind}",
            first.attack,
            epsilon,
            images,
            first.query_budget,
            first.content,
            (*by_name.values(),),
        )
        for (kind, epsilon, images), by_name in groups.items()
        for first in [next(iter(by_name.values()))]
        if len(by_name) > 1
    ]


def count_best_of(suite: Suite) -> int:
    """How many access classes get a best-of row."""
    kinds = [ATTACKS[name].access.kind for name in suite.attack_names()]
    return sum(suite.best_of and kind != "none" and kinds.count(kind) > 1 for kind in set(kinds))


@dataclass(frozen=True)
class Best:
    """The choice.

    Attributes:
        images: (N, C, H, W).
        seconds: of all members together (N,).
    """

    images: Tensor
    seconds: NDArray[np.float64]


def choose(cell: BestOf, store: Store, originals: Tensor, meter: Meter) -> Best:
    """For each image the one returned by the member whose evaluation has the largest p-value; of equals the shortest.

    The members' costs are charged to ``meter``, and one evaluation of each member.

    Raises:
        MemberFailed: the store lacks one of them.
    """
    returned = originals.clone()
    largest: NDArray[np.float64] = np.full(len(originals), -1.0)
    shortest: NDArray[np.float64] = np.full(len(originals), np.inf)
    seconds: NDArray[np.float64] = np.zeros(len(originals))
    for member in cell.members:
        held = store.cell(member.key)
        if held is None or held.status != "ok":
            raise MemberFailed(f"{member.attack_name} failed, so there is no best of {cell.attack.access.kind} attacks")
        records, images = store.records(member.key), store.images(member.key)
        meter.queries += records.queries.to_numpy()
        meter.forward += records.forward_samples.to_numpy() + member.suite.samples
        meter.backward += records.backward_samples.to_numpy()
        seconds += records.seconds.to_numpy()
        p, l2 = records.p.to_numpy(), np.where(records.changed, records.l2, 0.0)
        better = (p > largest) | ((p == largest) & (l2 < shortest))
        largest, shortest = np.where(better, p, largest), np.where(better, l2, shortest)
        # What broke the budget rule was evaluated as the original.
        sent = better & (records.validity == "valid").to_numpy()
        returned[better] = originals[better]
        returned[sent] = torch.from_numpy(images[sent]).to(returned)
    return Best(returned, seconds)
