"""The columns of the page's table, and what its filters choose from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leaderboard.row import Row
from leaderboard.variants import IDENTITY as ROW_SETTINGS

IDENTITY = (*ROW_SETTINGS, "of_images")
"""What tells a row of a board from every other."""

ALL = "all"
"""The value of a filter that keeps every row; NO_LIMIT that of rows without a query budget."""
NO_LIMIT = "none"


@dataclass(frozen=True)
class Column:
    """One column: the row's key, its header, how its values are written, and what it means in a few words."""

    key: str
    title: str
    kind: Literal["text", "number", "percent", "p"]
    meaning: str
    digits: int = 0


MAIN = (
    Column("rank", "#", "number", "rank among the attacks on the same target, ε, n and images"),
    Column("attack", "Attack", "text", "name of the attack"),
    Column("access", "Access", "text", "what the attacker may see of the target"),
    Column("target", "Target", "text", "the smoothed classifier"),
    Column("epsilon", "ε", "number", "ℓ2 budget, in [0, 1] pixel units", 3),
    Column("abstention_rate", "Abstains", "percent", "share of images without an answer, with its 95% interval"),
    Column("share_of_ceiling", "Of ceiling", "percent", "abstention rate / proven upper bound"),
    Column("query_budget", "Queries allowed", "number", "most queries an image; a dash: no limit, or none are made"),
)
"""Shown at first, and without JavaScript."""

MORE = (
    Column("suite", "Suite", "text", "the suite that asked for the row"),
    Column("sigma", "σ", "number", "standard deviation of the smoothing noise", 3),
    Column("n", "n", "number", "noise samples of PREDICT"),
    Column("alpha", "α", "number", "error level of PREDICT", 4),
    Column("seed", "Seed", "number", "seed of the suite"),
    Column("images", "Images", "number", "images with a record"),
    Column("clean_abstention_rate", "Clean", "percent", "abstention rate of the same images, unattacked"),
    Column("mcnemar_p", "p against clean", "p", "exact McNemar test, paired with the clean run"),
    Column("ceiling", "Ceiling", "percent", "proven upper bound on the expected abstention rate"),
    Column("accuracy", "Accuracy", "percent", "answered, and rightly"),
    Column("clean_accuracy", "Clean accuracy", "percent", "the same, unattacked"),
    Column("confident_wrong_rate", "Wrong", "percent", "answered, and wrongly"),
    Column("valid_rate", "Valid", "percent", "kept the budget; for the others the original was sent"),
    Column("changed", "Changed", "number", "valid images that the attack changed"),
    Column("l2_mean", "ℓ2 mean", "number", "over the changed images", 3),
    Column("l2_median", "ℓ2 median", "number", "over the changed images", 3),
    Column("l2_max", "ℓ2 max", "number", "over the changed images", 3),
    Column("queries_mean", "Queries spent", "number", "mean an image, without the surrogate's", 1),
    Column("surrogate_queries", "Surrogate queries", "number", "made once, to train the surrogate"),
    Column("forward_samples_mean", "Forward samples", "number", "of the base classifier, mean an image"),
    Column("backward_samples_mean", "Backward samples", "number", "of the base classifier, mean an image"),
    Column("seconds_per_image", "s/image", "number", "attack time, without the surrogate's training", 2),
    Column("flips_inside_radius", "Flips inside radius", "number", "confident answers against the certificate"),
    Column("status", "Status", "text", "ok, partial (images are missing) or failed (the attack raised)"),
)
"""Shown on demand."""


@dataclass(frozen=True)
class Filter:
    """A choice above the table: the row's key, its label, and its values with the words for them."""

    key: str
    title: str
    values: Sequence[tuple[str, str]]


_FILTERS = {
    "suite": "Suite",
    "target": "Target",
    "access": "Access",
    "epsilon": "ε",
    "n": "n",
    "query_budget": "Queries allowed",
    "of_images": "Images",
}


def filters(rows: Iterable[Row]) -> list[Filter]:
    """The filters over these rows. How many images is one only where that differs."""
    rows = list(rows)
    found = []
    for key, title in _FILTERS.items():
        present: list[Any] = sorted({dict(row)[key] for row in rows}, key=lambda value: (value is None, value))
        if key == "of_images" and len(present) < 2:
            continue
        found.append(Filter(key, title, [(_value(value), _words(key, value)) for value in present]))
    return found


def _value(value: Any) -> str:
    """As JavaScript writes it: numbers the shortest way."""
    if value is None:
        return NO_LIMIT
    if isinstance(value, dict):  # what a re-evaluated row's images were made for
        return json.dumps(value, sort_keys=True)
    return value if isinstance(value, str) else f"{value:.15g}"


def _words(key: str, value: Any) -> str:
    if value is None:
        return "no limit"
    if key == "access" and value == "none":
        return "none (controls)"
    return value if isinstance(value, str) else f"{value:,.15g}"


def row_id(row: Row) -> str:
    """A short name of a row for links: the same on every board that has it."""
    identity = json.dumps([_value(value) for name in IDENTITY if (value := row.get(name)) is not None or name in row])
    return hashlib.sha256(identity.encode()).hexdigest()[:10]


def packed(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as a table of values: half as long as objects. `unpacked` gives them back."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {
        "columns": names,
        "values": [[dict(row).get(name) for name in names] for row in rows],
        "absent": [[name for name in names if name not in row] for row in rows],
    }


def unpacked(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of `packed`."""
    return [
        {name: value for name, value in zip(table["columns"], values, strict=True) if name not in absent}
        for values, absent in zip(table["values"], table["absent"], strict=True)
    ]
