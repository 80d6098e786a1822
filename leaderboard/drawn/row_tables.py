"""The tables of the page that have a line for each row: all statistics, failures, hyper-parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence

from leaderboard.drawn.groups import conditions, image_set
from leaderboard.drawn.markup import code, escape, table
from leaderboard.drawn.numbers import NONE, interval, number, p_value, percent, percent_with_interval
from leaderboard.row import Row
from leaderboard.sources import mark


def details(rows: Sequence[Row]) -> str:
    """All statistics of some rows."""
    headers = ["#", "attack", "access", "abstain [95% CI]", "clean", "McNemar p", "Holm", "ceiling", "share"]
    headers += ["net share [95% CI]"]
    headers += ["accuracy", "clean accuracy", "wrong", "valid", "changed", "ℓ2 mean", "ℓ2 median", "ℓ2 max", "queries"]
    headers += ["query budget", "surrogate queries", "forward samples", "backward samples", "s/image", "images"]
    lines = [
        [
            str(row["rank"] or NONE),
            escape(row["attack"]) + mark([row]) + ("\\*" if row["status"] == "partial" else ""),
            escape(row["access"]),
            interval(row),
            percent(row["clean_abstention_rate"]),
            p_value(row["mcnemar_p"]) + ("†" if row["mcnemar_against"] == "clean columns" else ""),
            p_value(row["mcnemar_holm"]),
            percent(row["ceiling"]),
            percent(row["share_of_ceiling"]),
            _net_share(row),
            percent(row["accuracy"]),
            percent(row["clean_accuracy"]),
            percent(row["confident_wrong_rate"]),
            _valid(row),
            number(row["changed"]),
            number(row["l2_mean"], 3),
            number(row["l2_median"], 3),
            number(row["l2_max"], 3),
            number(row["queries_mean"]),
            number(row["query_budget"]),
            number(row["surrogate_queries"]),
            number(row["forward_samples_mean"]),
            number(row["backward_samples_mean"]),
            number(row["seconds_per_image"], 3),
            number(row["images"]),
        ]
        for row in rows
    ]
    return table(headers, lines, text_columns=3)


def _net_share(row: Row) -> str:
    if row["vacuous"]:
        return "vacuous"
    share, low, high = row["net_share"], row["net_share_low"], row["net_share_high"]
    if low is None or high is None:
        return percent(share)
    return percent_with_interval(share, low, high, 0)


def _valid(row: Row) -> str:
    broken = {"not finite": "not_finite", "out of range": "out_of_range", "over budget": "over_budget"}
    counts = [f"{dict(row)[name]} {what}" for what, name in broken.items() if dict(row)[name]]
    return percent(row["valid_rate"]) + (f" ({', '.join(counts)})" if counts else "")


def failures(rows: Sequence[Row]) -> str:
    """The rows that failed, with the error of each."""
    lines = [
        [
            *(
                escape(text)
                for text in (
                    row["suite"],
                    row["target"],
                    conditions(row),
                    image_set(row),
                    str(row["epsilon"]),
                    row["attack"],
                )
            ),
            number(row["query_budget"]),
            code(row["error"] or ""),
        ]
        for row in rows
        if row["status"] == "failed"
    ]
    headers = ["suite", "target", "PREDICT", "of", "ε", "attack", "query budget", "error"]
    return table(headers, lines, text_columns=len(headers)) if lines else "None."


def hyper_parameters(rows: Sequence[Row]) -> str:
    """The attacks of some rows with all settings that each was run with."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        parameters = ", ".join(f"{name}={json.dumps(v)}" for name, v in sorted(row["parameters"].items()))
        texts = [escape(text) for text in (row["attack"], row["access"], row["description"])]
        lines[row["attack"], parameters] = [*texts, code(parameters) if parameters else NONE]
    headers = ["attack", "access", "what it is", "hyper-parameters"]
    return table(headers, [lines[key] for key in sorted(lines)], text_columns=len(headers))
