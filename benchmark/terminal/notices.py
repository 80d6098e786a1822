"""Notices on standard error: of a target, its assumed normalisation and an accuracy at chance level; of a suite file,
settings that change nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import numpy as np

from benchmark.message import one_line
from leaderboard.row import Row
from targets import SmoothedClassifier
from targets.confidence import upper_confidence_bound
from targets.data import DATA

LEVEL = 0.05
"""Error level of the upper bound on the accuracy. A few wrong images are no reason for a warning."""

HOPELESS = 0.05
"""With many classes, an accuracy below this is as good as chance."""


def announce(target: SmoothedClassifier) -> None:
    """Print the target's note: what loading it had to assume."""
    if target.note:
        print(one_line(f"{target.name}: {target.note}"), file=sys.stderr)


def announce_idle(attacks: Sequence[str]) -> None:
    """Say that a suite file has settings for attacks that are not run, if it has."""
    if attacks:
        tables = ", ".join(f"[settings.{name}]" for name in attacks)
        print(one_line(f"the suite file's {tables} changes nothing: no such attack is run"), file=sys.stderr)


def warn_at_chance(name: str, right: int, answered: int, num_classes: int) -> None:
    """Warn if a target's answers to clean images are hardly better than chance.

    Args:
        right: how many of its ``answered`` images, those on which it did not abstain, got their true label.
    """
    chance = 1 / num_classes
    limit = max(HOPELESS, chance + min(chance, 0.1))
    if answered and upper_confidence_bound(np.array([right]), np.array([answered]), LEVEL)[0] < limit:
        print(
            one_line(
                f"warning: {name} is right on {right} of the {answered} clean images that it answers, which is chance "
                f"for {num_classes} classes; are its normalisation (means, sds), σ and order of labels as in training?"
            ),
            file=sys.stderr,
        )


def warn_of_rows(rows: Iterable[Row]) -> None:
    """The same for each target of a board's rows, from the clean run of the row with the most images."""
    largest: dict[str, Row] = {}
    for row in rows:
        if row["clean_accuracy"] is not None and (held := largest.get(row["target"], row))["images"] <= row["images"]:
            largest[held["target"]] = row
    for name, row in largest.items():
        right = round((row["clean_accuracy"] or 0.0) * row["images"])
        answered = row["images"] - round((row["clean_abstention_rate"] or 0.0) * row["images"])
        warn_at_chance(name, right, answered, DATA[row["data"]].num_classes)
