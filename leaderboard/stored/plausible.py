"""Whether a run can have written a cell.

A cell with digests is checked by them, and here only the form of its JSON. For cells without digests, of older versions
and of other people's archives, this is the only check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leaderboard.stored.records import ABSTAIN, COLUMNS, VALIDITIES, frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from leaderboard.stored.cell import StoredCell

SLACK = 1e-5
"""Relative, of an ℓ2 norm over its budget: ten times what the budget rule allows, since norms are sums of floats."""

SAME = 1e-6
"""Relative, between a p-value in the records and the same one computed here: libraries round differently."""


LARGEST = 2**63
"""No count and no seed is as large: columns hold no such numbers."""

LONGEST_NAME = 300
"""Characters of a name. Registered ones have a third of it; best-of rows add to them."""


class Implausible(ValueError):
    """A cell contradicts itself, or lacks what every cell has; says in words how."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -LARGEST <= value < LARGEST


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def _is_absent(value: Any) -> bool:
    return value is None


def _is_optional(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or test(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _are_images(value: Any) -> bool:
    # At once, as there can be thousands in each of thousands of cells.
    return (
        isinstance(value, list)
        and {*map(type, value)} <= {int}
        and min(value, default=0) >= 0
        and len({*value}) == len(value)
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_digests(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_landed_for(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {*value} == {"n", "alpha", "seed"}
        and _is_count(value["n"])
        and _is_count(value["seed"])
        and _is_number(value["alpha"])
    )


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ("suite", "target", "data", "attack", "access"), (_is_name, f"a name of {LONGEST_NAME} printable characters")
    ),
    "description": (_is_text, "a text"),
    "sigma": (lambda value: _is_number(value) and value >= 0, "a number of at least 0"),
    "epsilon": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "alpha": (lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1"),
    "n": (lambda value: _is_count(value) and value >= 1, "a whole number of at least 1"),
    "seed": (_is_count, "a whole number"),
    "images": (_are_images, "a list of different indices"),
    "parameters": (_is_table, "a table"),
}
_OPTIONAL: dict[str, tuple[Callable[[Any], bool], str]] = {
    "query_budget": (lambda value: _is_count(value) and value >= 1, "a whole number of at least 1"),
    "ceiling_samples": (lambda value: _is_count(value) and value >= 1, "a whole number of at least 1"),
    "ceiling_samples_max": (_is_count, "a whole number"),
    "members": (_are_texts, "a list of keys"),
    "content": (_are_digests, "digests by name"),
    "landed_for": (_is_landed_for, "n, alpha and seed"),
    **dict.fromkeys(("origin", "submitted", "weights", "arithmetic"), (_is_text, "a text")),
    **dict.fromkeys(("ceiling_version", "evaluation_seed"), (_is_count, "a whole number")),
}
_FACTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("commit", "device", "torch", "python"), (_is_text, "a text")),
    "threads": (_is_count, "a whole number"),
    "surrogates": (_are_texts, "a list of texts"),
}


def check_cell(cell: StoredCell) -> None:
    """Raise `Implausible` unless a cell has everything that a page reads, each of its kind."""
    _check("settings", cell.settings, _is_table, "a table")
    _check("provenance", cell.provenance, _is_table, "a table")
    _check("has_images", cell.has_images, lambda value: isinstance(value, bool), "true or false")
    for name, (fits, what) in _SETTINGS.items():
        if name not in cell.settings:
            raise Implausible(f"the setting {name} is missing")
        _check(f"the setting {name}", cell.settings[name], fits, what)
    for name, (fits, what) in _OPTIONAL.items():
        _check(f"the setting {name}", cell.settings.get(name), _is_optional(fits), what)
    for name, (fits, what) in _FACTS.items():
        _check(f"the provenance's {name}", cell.provenance.get(name), _is_optional(fits), what)
    _check("status", cell.status, lambda value: value in ("ok", "error"), '"ok" or "error"')
    _check("error", cell.error, _is_text if cell.status == "error" else _is_absent, "a traceback where it failed")
    _check("created", cell.created, _is_time, "a time with its zone")
    _check("seconds", cell.seconds, lambda value: _is_number(value) and value >= 0, "a number of at least 0")
    _check("surrogate_queries", cell.surrogate_queries, lambda value: _is_count(value) and value >= 0, "a count")
    if "landed_for" in cell.settings and not _is_text(cell.settings.get("origin")):
        raise Implausible("it is re-evaluated, and its origin is missing")
    if "submitted" in cell.settings and not _is_count(cell.settings.get("evaluation_seed")):
        raise Implausible("it is submitted, and the seed of its evaluation is missing")
    _check("digests", cell.digests, _are_digests, "digests by name")
    _check("observed", cell.observed, _are_counts, "counts by name")
    _check("asked", cell.asked, _are_requests, "a list of requests")


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _are_requests(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_table(one) and {*one} == {"images", "options"} and _is_count(one["images"]) and _are_texts(one["options"])
        for one in value
    )


def _check(name: str, value: Any, fits: Callable[[Any], bool], what: str) -> None:
    if not fits(value):
        raise Implausible(f"{name} is {_spoken(value)}, not {what}")


def _spoken(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except (ValueError, RecursionError):  # a number of 5,000 digits, or what is nested too deep
        return f"a {type(value).__name__}"


def check_records(settings: Mapping[str, Any], records: DataFrame) -> None:
    """Raise `Implausible` unless a run with such settings can have written these records.

    Their columns and images are those of the cell, votes give the p-values, p-values the answers, and what is valid
    kept the budget rule.
    """
    import numpy as np

    if {name: str(dtype) for name, dtype in records.dtypes.items()} != _DTYPES:
        try:
            records = frame(records)
        except ValueError as error:
            raise Implausible(str(error)) from error
    columns = {name: records[name].to_numpy() for name in COLUMNS}
    images = columns["image"].tolist()
    if images != settings["images"]:
        raise Implausible(f"its records are of {len(images)} images, its settings say {len(settings['images'])} others")
    strange = set(columns["validity"].tolist()) - set(VALIDITIES)
    if strange:
        raise Implausible(f"a validity is {min(map(str, strange))!r}")
    for prefix, what in (("clean_", "the original"), ("", "what was sent")):
        _check_answers(settings, {name: columns[prefix + name] for name in _ANSWER}, images, what)
    valid, over = columns["validity"] == "valid", columns["validity"] == "over-budget"
    changed, l2, linf, epsilon = columns["changed"], columns["l2"], columns["linf"], settings["epsilon"]
    queries, seconds, ceiling, radius = (
        columns[name] for name in ("queries", "seconds", "ceiling", "certified_radius")
    )
    rules = {
        "an ℓ2 norm over ε is called valid": valid & ~(l2 <= epsilon * (1 + SLACK)),
        "a norm within ε is called over budget": over & (l2 < epsilon),
        "a norm is negative": (l2 < 0) | (linf < 0),
        "its ℓ∞ norm is above its ℓ2 norm": linf > l2 * (1 + SLACK),
        "an image that broke the budget rule was sent": changed & ~valid,
        "an unchanged image has a norm": valid & ~changed & (l2 > 0),
        "a cost is negative": np.minimum(np.minimum(queries, columns["forward_samples"]), columns["backward_samples"])
        < 0,
        "more was asked than the query budget": queries > _most_queries(settings),
        "a time is negative": ~(seconds >= 0) | np.isinf(seconds),
        "a ceiling is no probability": ~((ceiling >= 0) & (ceiling <= 1)),
        "a certified radius is negative": ~(radius >= 0) | np.isinf(radius),
        "a label is negative": (columns["label"] < 0) | (columns["certified_label"] < ABSTAIN),
    }
    for reason, broken in rules.items():
        _refuse(broken, images, reason)


_DTYPES = {name: column.dtype for name, column in COLUMNS.items()}
_ANSWER = ("outcome", "first", "first_votes", "second", "second_votes", "p")


def _most_queries(settings: Mapping[str, Any]) -> float:
    """The query budget; infinity without one, and for best-of, which spends what all its members spend."""
    return math.inf if "members" in settings else settings.get("query_budget") or math.inf


def _check_answers(settings: Mapping[str, Any], answers: Mapping[str, Any], images: list[int], what: str) -> None:
    """PREDICT's columns at one image each: the votes' p-values, and what follows from them at this alpha."""
    import numpy as np
    from scipy.special import bdtr

    outcome, first, more, second, fewer, p = (answers[name] for name in _ANSWER)
    n = settings["n"]
    _refuse((fewer < 0) | (fewer > more) | (more > n) | (more + fewer > n), images, f"the votes at {what} cannot be")
    _refuse((first < 0) | (second < 0) | (first == second), images, f"the leading classes at {what} cannot be")
    expected = np.minimum(1.0, 2.0 * bdtr(fewer.astype(float), more + fewer, 0.5))
    _refuse(~np.isclose(p, expected, rtol=SAME, atol=1e-300), images, f"the votes at {what} give another p-value")
    alpha = settings["alpha"]
    abstains = outcome == ABSTAIN
    wrong = np.where(abstains, expected < alpha * (1 - SAME), expected > alpha * (1 + SAME))
    _refuse(wrong | (~abstains & (outcome != first)), images, f"the votes at {what} give another answer")


def _refuse(broken: Any, images: list[int], reason: str) -> None:
    if broken.any():
        raise Implausible(f"image {images[int(broken.argmax())]}: {reason}")
