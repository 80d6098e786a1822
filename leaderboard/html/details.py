"""What a row opens to: its outcome at every image, its cost's and numbers' provenance, and the command for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leaderboard.board import is_best_of
from leaderboard.html.columns import IDENTITY
from leaderboard.html.commands import row_command
from leaderboard.html.strip import Strips
from leaderboard.machines import Asked
from leaderboard.row import ROUNDING
from leaderboard.stored.cell import StoredCell
from leaderboard.variants import Variant, joined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leaderboard.stored.records import Columns

Read = Callable[[str, Sequence[str]], "Columns"]

BINS = 20
"""Of a histogram of ℓ2 norms, from 0 to ε."""

ABSTAINS = "."
_CLASSES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""One character a class in a text of answers, `ABSTAINS` for none; with more classes answers are a list of numbers."""

_SENT = {"valid": "v", "not-finite": "f", "out-of-range": "r", "over-budget": "b"}
UNCHANGED = "u"
"""One character an image: what of it was sent. All but "v" say that it is the original, or as good as that."""

_USED = ("image", "label", "clean_outcome", "outcome", "validity", "changed", "l2")


@dataclass
class Details:
    """By row identity (see `identity`) what the page's script is given; what rows share is in lists beside them.

    Attributes:
        rows: what is one row's own: `set` and `facts` are places in the lists.
        sets: image indices, labels and clean answers, which the rows of a target have in common.
        facts: who computed rows.
        originals: by image index, the pixels of embedded images, see `leaderboard.html.strip`.
    """

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    sets: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    originals: dict[str, Any] = field(default_factory=dict)


def identity(of: Mapping[str, Any], size: int | None = None) -> str:
    """What tells a row from every other, from the row, or from the settings of its cells and its set's `size`."""
    known = of if size is None else {**of, "of_images": size}
    return json.dumps([known.get(name) for name in IDENTITY], sort_keys=True)


def details(
    variants: Sequence[Variant],
    columns: Read,
    command: Callable[[Asked], str],
    strips: Strips | None = None,
    *,
    is_own: bool = True,
) -> Details:
    """Of every row that did not fail.

    Args:
        variants: what the rows count, see `leaderboard.board.variants`.
        columns: some of the cell with a key, see `leaderboard.stored.records.HasRecords`.
        command: says how what was asked for is run.
        strips: the embedded images, where the cells' images are at hand.
        is_own: whether a cell without images was adopted. In an archive none has any.
    """
    found = Details(originals={} if strips is None else strips.originals)
    sets, facts = _Shared(found.sets), _Shared(found.facts)
    for variant in variants:
        last = variant.cells[-1]
        row: dict[str, Any] = {
            "command": row_command(last, variant.size, command),
            "facts": facts.place(_facts(variant, is_own)),
        }
        counted = variant.counted()
        if counted:
            whole = joined(counted, columns, _USED)
            common = {
                "images": whole["image"].tolist(),
                "labels": _answers(whole["label"]),
                "clean": _answers(whole["clean_outcome"]),
            }
            row |= {"set": sets.place(common), **_outcomes(whole, last.settings["epsilon"])}
            if strips is not None and (strip := strips.of(variant)):
                row["strip"] = strip
        found.rows[identity(last.settings, variant.size)] = row
    return found


def _outcomes(records: Columns, epsilon: float) -> dict[str, Any]:
    import numpy as np

    l2, validity = records["l2"], records["validity"]
    is_sent = (validity == "valid") & records["changed"] & (l2 > ROUNDING)
    sent = np.full(len(l2), UNCHANGED)
    for what, letter in _SENT.items():
        sent[is_sent if what == "valid" else validity == what] = letter
    # A norm may exceed ε by rounding.
    norms = np.minimum(l2[is_sent], epsilon)
    counts, _ = np.histogram(norms, BINS, (0.0, epsilon)) if epsilon > 0 else (np.zeros(BINS, int), None)
    return {"answers": _answers(records["outcome"]), "sent": "".join(sent), "norms": counts.tolist()}


def _answers(outcomes: NDArray[np.int64]) -> str | list[int]:
    import numpy as np

    if outcomes.max() >= len(_CLASSES):
        found: list[int] = outcomes.tolist()
        return found
    letters = np.array([*_CLASSES, ABSTAINS])  # -1 stands for ABSTAIN, and for the last
    return "".join(letters[outcomes].tolist())


def _facts(variant: Variant, is_own: bool) -> dict[str, Any]:
    """Who computed a row, each fact a list of what its cells say: one value but where they differ."""
    cells: list[StoredCell] = variant.done or variant.cells
    names = dict.fromkeys(name for cell in cells for name in sorted(cell.provenance) if name != "surrogates")
    facts: dict[str, Any] = {name: _distinct(cell.provenance.get(name) for cell in cells) for name in names}
    for name in ("weights", "arithmetic", "version", "ceiling_version"):
        title = "attack version" if name == "version" else name.replace("_", " ")
        facts[title] = _distinct(cell.settings.get(name) for cell in cells) or facts.get(title, [])
    if is_best_of(variant.cells[-1].settings["attack"]):
        facts.pop("attack version")
    adopted = sum(not cell.has_images for cell in cells) if is_own else None
    return {
        "adopted": adopted,
        "cells": len(cells),
        "seconds": round(sum(cell.seconds for cell in cells), 1),
        "created": sorted({cell.created[:10] for cell in cells}),
        "of": {name: values for name, values in facts.items() if values},
    }


def _distinct(values: Any) -> list[Any]:
    return sorted({str(value) for value in values if value is not None})


@dataclass
class _Shared:
    """A list of what rows have in common."""

    known: list[dict[str, Any]]
    _places: dict[str, int] = field(default_factory=dict)

    def place(self, new: dict[str, Any]) -> int:
        """Where in the list `new` is; it is put at the end where it was not."""
        place = self._places.setdefault(json.dumps(new, sort_keys=True), len(self.known))
        if place == len(self.known):
            self.known.append(new)
        return place
