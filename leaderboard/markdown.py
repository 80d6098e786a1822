"""The board as a Markdown page."""

from __future__ import annotations

import json
from collections.abc import Sequence

from leaderboard.board import by_strength, fullest
from leaderboard.row import Row
from leaderboard.tables import NONE, conditions, grouped, interval, number, p_value, percent

_INTRODUCTION = """\
A smoothed classifier answers with the class that wins a vote over noisy copies of an image, and **abstains**
when the vote is too close to call. Its certificate bounds how far an adversary must go to change the answer;
nothing keeps an adversary from taking the answer away. This page measures how often attacks do so at ℓ2
budget ε.
"""

_HOW_TO_READ = """\
- **Abstain** is the share of images on which PREDICT abstains on what the adversary sent, with the exact 95%
  interval (Clopper–Pearson). All noise is drawn anew: the attack has seen none of it.
- **Clean** is the rate on the same images, unattacked, by independent noise; **McNemar p** is the exact
  paired test of the one against the other. `clean` and `gaussian` (a random direction of norm ε) are the
  controls.
- **Ceiling** is the proven maximum of the *expected* abstention rate within ε, whatever the attack; **share**
  is abstain / ceiling. Each image's ceiling rests on confidence bounds at the unattacked image (99.9% an
  image); sampling can take an observed rate just above the ceiling of the expected one. What clean images
  abstain anyway counts towards the share: doing nothing has that of the `clean` row.
- **Accuracy** counts right answers and **wrong** confident wrong ones; abstentions make up the rest.
- **Valid** images keep the budget rule. For an image that is not finite, leaves [0, 1] or exceeds ε, the
  adversary sends the original, which counts like any other. Minimum-norm attacks (`cw`, `tv` and their transfer
  forms) return the closest image they find, within the budget or not, as in the seed paper; others stay inside.
  **ℓ2** statistics are over valid adversarial images that the attack changed (their number is **changed**), in
  [0, 1] pixel units.
- **Queries** and **samples** (of the base classifier, forward and backward) are means per image. What a
  transfer attacker asks once, to train its surrogate, is counted once, as surrogate queries; **s/image** is
  the attack's time without that training.
- An attack that raised has a **failed** row and no rate. A **partial** row (asterisk) has seen fewer images
  than others of its target: do not compare it with them.
- Abstention depends on n more than on most attacks: compare rates at equal n and α only.
"""


def markdown(rows: Sequence[Row], *, commit: str, version: str, created: str, picture: str) -> str:
    """The page of at least one row, with the address of its picture; ends with a newline."""
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    parts = [
        "# Abstention leaderboard",
        _INTRODUCTION,
        f"abstention-bench {version} · commit `{commit}` · {created} · seed {seeds}",
        f"![Abstention rate of every attack on every target, with clean rate and ceiling]({picture})",
        "## How to read it",
        _HOW_TO_READ,
        "## Summary",
        "Abstention rate of each attack on each target. Bold: the highest of its column.",
    ]
    for group in _by_conditions(rows):
        parts += [f"### {_title(group[0])}", _summary(group)]
    parts += ["## Every row", _superseded(rows)]
    for group in grouped(rows, "suite", "target", "n", "alpha", "epsilon"):
        parts += [f"### {_title(group[0], group[0]['target'])}", _details(group)]
    parts += ["## Failures", _failures(rows)]
    parts += ["## Soundness audit", _audit(rows)]
    parts += ["## Attacks and their hyper-parameters", _attacks(rows)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _title(row: Row, *names: str) -> str:
    return _escape(", ".join([row["suite"], *names, f"ε = {row['epsilon']}", conditions(row)]))


def _by_conditions(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of one suite, n, alpha and ε together, whatever the target."""
    names = ("suite", "n", "alpha", "epsilon")
    return grouped(sorted(rows, key=lambda row: [dict(row)[name] for name in names]), *names)


def _summary(rows: Sequence[Row]) -> str:
    targets = list(dict.fromkeys(row["target"] for row in rows))
    cells = {(row["attack"], row["target"]): row for row in rows}
    best = {t: max(row["abstention_rate"] or 0 for row in rows if row["target"] == t) for t in targets}

    def text(attack: str, target: str) -> str:
        row = cells.get((attack, target))
        if row is None or row["abstention_rate"] is None:
            return "failed" if row else NONE
        rate = percent(row["abstention_rate"]) + ("\\*" if row["status"] == "partial" else "")
        return f"**{rate}**" if row["abstention_rate"] == best[target] > 0 else rate

    table = [[_escape(attack), *(text(attack, target) for target in targets)] for attack in by_strength(rows)]
    shared = [fullest(row for row in rows if row["target"] == target) for target in targets]
    ceilings = [percent(row and row["ceiling"]) for row in shared]
    table.append(["*certified ceiling*", *(f"*{ceiling}*" for ceiling in ceilings)])
    return _table(["attack", *map(_escape, targets)], table, text_columns=1)


def _details(rows: Sequence[Row]) -> str:
    headers = ["#", "attack", "access", "abstain [95% CI]", "clean", "McNemar p", "ceiling", "share"]
    headers += ["accuracy", "clean accuracy", "wrong", "valid", "changed", "ℓ2 mean", "ℓ2 median", "ℓ2 max", "queries"]
    headers += ["surrogate queries", "forward samples", "backward samples", "s/image", "images"]
    table = [
        [
            str(row["rank"] or NONE),
            _escape(row["attack"]) + ("\\*" if row["status"] == "partial" else ""),
            _escape(row["access"]),
            interval(row),
            percent(row["clean_abstention_rate"]),
            p_value(row["mcnemar_p"]),
            percent(row["ceiling"]),
            percent(row["share_of_ceiling"]),
            percent(row["accuracy"]),
            percent(row["clean_accuracy"]),
            percent(row["confident_wrong_rate"]),
            _valid(row),
            number(row["changed"]),
            number(row["l2_mean"], 3),
            number(row["l2_median"], 3),
            number(row["l2_max"], 3),
            number(row["queries_mean"]),
            number(row["surrogate_queries"]),
            number(row["forward_samples_mean"]),
            number(row["backward_samples_mean"]),
            number(row["seconds_per_image"], 3),
            number(row["images"]),
        ]
        for row in rows
    ]
    return _table(headers, table, text_columns=3)


def _valid(row: Row) -> str:
    broken = {"not finite": "not_finite", "out of range": "out_of_range", "over budget": "over_budget"}
    counts = [f"{dict(row)[name]} {what}" for what, name in broken.items() if dict(row)[name]]
    return percent(row["valid_rate"]) + (f" ({', '.join(counts)})" if counts else "")


def _superseded(rows: Sequence[Row]) -> str:
    count = sum(row["superseded_cells"] for row in rows)
    text = f"Left out, as newer settings of the same rows replace them: {count:,} stored cells."
    return text if count else ""


def _failures(rows: Sequence[Row]) -> str:
    table = [
        [
            *(
                _escape(text)
                for text in (row["suite"], row["target"], conditions(row), str(row["epsilon"]), row["attack"])
            ),
            _code(row["error"] or ""),
        ]
        for row in rows
        if row["status"] == "failed"
    ]
    headers = ["suite", "target", "PREDICT", "ε", "attack", "error"]
    return _table(headers, table, text_columns=len(headers)) if table else "None."


def _audit(rows: Sequence[Row]) -> str:
    flips = sum(row["flips_inside_radius"] or 0 for row in rows)
    certified = sum(row["certified_answers"] or 0 for row in rows)
    beyond = [row for row in rows if (row["flips_inside_radius"] or 0) > (row["flips_allowed"] or 0)]
    text = f"""\
A confident answer other than the certified one, inside the certified radius, should be rare: CERTIFY and
PREDICT each err with probability at most α. Over all rows that happened **{flips:,}** times in {certified:,}
certified answers. A row may show as many as Binomial(certified answers, 2α) stays within 99.9% of the time;
"""
    if not beyond:
        return text + "no row shows more."
    names = "; ".join(
        f"{_escape(row['attack'])} on {row['target']} at ε = {row['epsilon']}:"
        f" {row['flips_inside_radius']} of {row['flips_allowed']} allowed"
        for row in beyond
    )
    return text + f"**these show more, so the certificate or its use is broken**: {names}."


def _attacks(rows: Sequence[Row]) -> str:
    table: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        parameters = ", ".join(f"{name}={json.dumps(v)}" for name, v in sorted(row["parameters"].items()))
        texts = [_escape(text) for text in (row["attack"], row["access"], row["description"])]
        table[row["attack"], parameters] = [*texts, _code(parameters) if parameters else NONE]
    headers = ["attack", "access", "what it is", "hyper-parameters"]
    return _table(headers, [table[key] for key in sorted(table)], text_columns=len(headers))


def _table(headers: Sequence[str], table: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table with the first columns to the left and the others, numbers, to the right."""
    align = ["---"] * text_columns + ["---:"] * (len(headers) - text_columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in [headers, align, *table])


def _escape(text: str) -> str:
    """Text that neither ends a table cell nor is read as markup."""
    for special in "\\|*_`<>[]":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def _code(text: str) -> str:
    """Text in code style; inside a table a bar must be escaped even there."""
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
