"""The board as a Markdown page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from statistics import fmean

from leaderboard.audit import Audit, Count
from leaderboard.board import at_common_budget, by_strength, fullest, is_ensemble
from leaderboard.checks import Finding
from leaderboard.drawn.check_tables import alert, section
from leaderboard.drawn.markup import code, escape, table
from leaderboard.drawn.tables import NONE, conditions, duration, grouped, interval, number, p_value, percent
from leaderboard.machines import Machine
from leaderboard.row import Row
from leaderboard.stored.archive import RECORDS
from leaderboard.stored.cell import Damage

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
  paired test of the one against the other, not corrected for the number of rows. `clean` and `gaussian` (a random
  direction of norm ε) are the controls.
- **Ceiling** is the proven maximum of the *expected* abstention rate within ε, whatever the attack; **share**
  is abstain / ceiling. Each image's ceiling rests on confidence bounds at the unattacked image (99.9% an
  image) on the class probabilities and on the lengths of their gradients; sampling can take an observed rate just
  above the ceiling of the expected one. What clean images abstain anyway counts towards the share: doing nothing has
  that of the `clean` row.
- **Accuracy** counts right answers and **wrong** confident wrong ones; abstentions make up the rest.
- **Valid** images keep the budget rule. For an image that is not finite, leaves [0, 1] or exceeds ε, the
  adversary sends the original, which counts like any other. Minimum-norm attacks (`cw`, `tv` and their transfer
  forms) return the closest image they find, within the budget or not, as in the seed paper; others stay inside.
  **ℓ2** statistics are over valid adversarial images that the attack changed by more than rounding, 1e-4 (their
  number is **changed**), in [0, 1] pixel units.
- **Queries** and **samples** (of the base classifier, forward and backward) are means per image. What a
  transfer attacker asks once, to train its surrogate, is counted once, as surrogate queries; **s/image** is
  the attack's time without that training.
- A row is of one **image set**, spread evenly over the evaluation images; rows of another set stand in groups of
  their own, with their number of images above them. Do not compare the one with the other.
- An attack that raised has a **failed** row and no rate. A **partial** row (asterisk) has seen fewer images
  than its set has: do not compare it with others.
- **Query budget** is the most queries an image that the attack may make. Rows of one attack that differ in it
  are rows of their own; only the one of the largest is ranked, the others are points of a curve.
- **`best-of`** sends for each image what worked best of all attacks of an access, and is evaluated on noise of its
  own, so that luck wins nothing: it can come out just below one of them, whose own luck counts. What it costs is the
  sum of theirs, so its queries can exceed a budget that each of them kept. Its settings name the attacks: one that
  joined an adopted board later is not among them.
- Abstention depends on n more than on most attacks: compare rates at equal n and α only.
"""

_DEPLOYMENT = ("suite", "n", "alpha", "seed", "of_images")


def markdown(
    rows: Sequence[Row],
    *,
    audit: Audit,
    checks: Sequence[Finding],
    damaged: Sequence[Damage],
    curves: Sequence[str],
    machines: Sequence[Machine],
    commit: str,
    version: str,
    created: str,
    picture: str,
    outdated: int = 0,
) -> str:
    """The page of at least one row, with the parts of its curves and the address of its picture; ends in a newline.

    `outdated` is how many cells it leaves out, see `leaderboard.board.outdated`.
    """
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    parts = [
        "# Abstention leaderboard",
        _INTRODUCTION,
        f"abstention-bench {version} · commit `{commit}` · {created} · seed {seeds}",
        _computed(machines, rows),
        alert(checks),
        _damaged(damaged),
        f"![Abstention rate of every attack on every target, with clean rate and ceiling]({picture})",
        "## How to read it",
        _HOW_TO_READ,
        "## Summary",
        "Abstention rate of each attack on each target, with one query budget, that of most of its rows and the largest"
        " of several. Bold: the highest of its column but for `best-of` rows, each of which takes several attacks"
        " together, and rows of a part of the images. A dash: not run, or not with that budget.",
    ]
    main = [row for group in _together(rows, *_DEPLOYMENT) for row in at_common_budget(group)]
    for group in _together(main, *_DEPLOYMENT, "epsilon"):
        parts += [f"### {_title(group[0])}", _summary(group)]
    parts += [_mean_shares(group) for group in _together(main, *_DEPLOYMENT)]
    parts += section(checks)
    parts += curves
    parts += ["## Every row", _superseded(rows), _outdated(outdated), _surrogates(rows)]
    for group in grouped(rows, "suite", "target", *_DEPLOYMENT[1:], "epsilon"):
        parts += [f"### {_title(group[0], group[0]['target'])}", _details(group)]
    parts += ["## Failures", _failures(rows)]
    parts += ["## Soundness audit", _audit(rows, audit)]
    parts += ["## Attacks and their hyper-parameters", _attacks(rows)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _computed(machines: Sequence[Machine], rows: Sequence[Row]) -> str:
    """A line for each suite and machine, and what its rows are of, which may be a part of the suite."""
    lines = []
    for machine in machines:
        threads = f", {machine['threads']} thread{'s' * (machine['threads'] > 1)}" if machine["threads"] else ""
        facts = [f"torch {machine['torch']}"] if machine["torch"] else []
        facts += [f"Python {machine['python']}"] if machine["python"] else []
        facts += [f"commit {', '.join(map(code, machine['commits']))}"] if machine["commits"] else []
        lines.append(
            f"- `{machine['command']}`: {machine['cells']:,} cells{' adopted, computed' if machine['adopted'] else ''}"
            f" in {duration(machine['seconds'])} on"
            f" {escape(machine['device'] or 'a machine that was not recorded')}{threads}"
            + (f" ({', '.join(facts)})" if facts else "")
        )
    if not lines:
        return ""
    text = "Computed by these commands, or parts of them, with the hyper-parameters at the end of this page:\n\n"
    extent = " ".join(map(_extent, _together(rows, *_DEPLOYMENT)))
    evidence = f"Rows and curves come from the records, one an image, in [{RECORDS}]({RECORDS})."
    return text + "\n".join(lines) + f"\n\n{extent} {evidence}"


def _extent(rows: Sequence[Row]) -> str:
    """How much of a suite was run at one n, alpha and seed: whether every attack on every target at every ε."""
    ran = {(row["target"], row["attack"], row["epsilon"]) for row in rows if not is_ensemble(row["attack"])}
    targets, attacks, epsilons = ({place[axis] for place in ran} for axis in range(3))
    whole = len(targets) * len(attacks) * len(epsilons)
    parts = [_count(targets, "target"), _count(attacks, "attack"), f"{len(epsilons)} ε"]
    images = ", ".join(str(n) for n in sorted({row["images"] for row in rows} - {0}))
    text = (
        f"The rows of {escape(rows[0]['suite'])} at {conditions(rows[0])} are of {', '.join(parts)} and {images} images"
    )
    text += f"; of the {whole:,} combinations {len(ran):,} were run." if len(ran) < whole else "."
    samples = ", ".join(f"{n:,}" for n in sorted({row["ceiling_samples"] or 0 for row in rows} - {0}))
    return text + (f" Ceilings rest on {samples} noise samples at each image." if samples else "")


def _damaged(damaged: Sequence[Damage]) -> str:
    """What is missing from the page since its files are not believed."""
    if not damaged:
        return ""
    text = f"**Left out, since their files are not what a run wrote: {len(damaged):,} cells.** They count as not run:"
    return "\n".join([text, "", *(f"- {escape(str(cell))}" for cell in damaged)])


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _title(row: Row, *names: str) -> str:
    return escape(", ".join([row["suite"], *names, f"ε = {row['epsilon']}", conditions(row), _images(row)]))


def _images(row: Row) -> str:
    return f"{row['of_images']:,} image{'s' * (row['of_images'] != 1)}"


def _together(rows: Sequence[Row], *names: str) -> list[list[Row]]:
    """The rows with equal values under these names together, wherever they stand, by these values."""
    return grouped(sorted(rows, key=lambda row: [dict(row)[name] for name in names]), *names)


def _summary(rows: Sequence[Row]) -> str:
    targets = list(dict.fromkeys(row["target"] for row in rows))
    cells = {(row["attack"], row["target"]): row for row in rows}
    competing = [row for row in rows if row["status"] == "ok" and not is_ensemble(row["attack"])]
    best: dict[str, float] = defaultdict(float)
    for row in competing:
        best[row["target"]] = max(best[row["target"]], row["abstention_rate"] or 0)

    def text(attack: str, target: str) -> str:
        row = cells.get((attack, target))
        if row is None or row["abstention_rate"] is None:
            return "failed" if row else NONE
        rate = percent(row["abstention_rate"]) + ("\\*" if row["status"] == "partial" else "")
        is_best = row["abstention_rate"] == best[target] > 0
        return f"**{rate}**" if is_best and row in competing else rate

    attacks = by_strength(rows)
    names = {attack: f"*{escape(attack)}*" if is_ensemble(attack) else escape(attack) for attack in attacks}
    lines = [[names[attack], *(text(attack, target) for target in targets)] for attack in attacks]
    shared = [fullest(row for row in rows if row["target"] == target) for target in targets]
    ceilings = [percent(row and row["ceiling"]) for row in shared]
    lines.append(["*certified ceiling*", *(f"*{ceiling}*" for ceiling in ceilings)])
    return table(["attack", *map(escape, targets)], lines, text_columns=1)


def _mean_shares(rows: Sequence[Row]) -> str:
    """The mean share of the ceiling of the attacks that were run on every target at every ε, the highest first."""
    places = {(row["target"], row["epsilon"]) for row in rows}
    if len(places) < 2:
        return ""
    shares: dict[str, dict[tuple[str, float], float]] = {}
    for row in rows:
        if row["status"] == "ok" and row["share_of_ceiling"] is not None:
            shares.setdefault(row["attack"], {})[row["target"], row["epsilon"]] = row["share_of_ceiling"]
    whole = {attack: found for attack, found in shares.items() if len(found) == len(places)}
    if not whole:
        return ""
    epsilons = sorted({epsilon for _, epsilon in places})

    def mean(attack: str, epsilon: float | None = None) -> float:
        return fmean(share for (_, at), share in whole[attack].items() if epsilon in (None, at))

    lines = [
        [escape(attack), *(percent(mean(attack, epsilon)) for epsilon in epsilons), percent(mean(attack))]
        for attack in sorted(whole, key=mean, reverse=True)
    ]
    text = (
        f"### {escape(rows[0]['suite'])}, share of the ceiling, {escape(conditions(rows[0]))}, {_images(rows[0])}\n\n"
    )
    text += "The mean over the targets, of attacks that were run on every target at every ε.\n\n"
    headers = ["attack", *(f"ε = {epsilon}" for epsilon in epsilons), "mean"]
    return text + table(headers, lines, text_columns=1)


def _details(rows: Sequence[Row]) -> str:
    headers = ["#", "attack", "access", "abstain [95% CI]", "clean", "McNemar p", "ceiling", "share"]
    headers += ["accuracy", "clean accuracy", "wrong", "valid", "changed", "ℓ2 mean", "ℓ2 median", "ℓ2 max", "queries"]
    headers += ["query budget", "surrogate queries", "forward samples", "backward samples", "s/image", "images"]
    lines = [
        [
            str(row["rank"] or NONE),
            escape(row["attack"]) + ("\\*" if row["status"] == "partial" else ""),
            escape(row["access"]),
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


def _valid(row: Row) -> str:
    broken = {"not finite": "not_finite", "out of range": "out_of_range", "over budget": "over_budget"}
    counts = [f"{dict(row)[name]} {what}" for what, name in broken.items() if dict(row)[name]]
    return percent(row["valid_rate"]) + (f" ({', '.join(counts)})" if counts else "")


def _superseded(rows: Sequence[Row]) -> str:
    count = sum(row["superseded_cells"] for row in rows)
    text = f"Left out, as newer settings of the same rows replace them: {count:,} stored cells."
    return text if count else ""


def _outdated(count: int) -> str:
    return f"Left out, as their data set has other images or labels by now: {count:,} stored cells." if count else ""


def _surrogates(rows: Sequence[Row]) -> str:
    """Where the surrogates of transfer and hybrid rows come from: others' differ by more than rounding."""
    origins: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        if found := row.get("surrogates"):
            origins["; ".join(found)][row["attack"]] = None
    lines = [f"- {escape(origin)}: {', '.join(map(escape, attacks))}" for origin, attacks in origins.items()]
    return "\n".join(["Surrogates, by where they were trained:", "", *lines]) if lines else ""


def _failures(rows: Sequence[Row]) -> str:
    lines = [
        [
            *(
                escape(text)
                for text in (
                    row["suite"],
                    row["target"],
                    conditions(row),
                    _images(row),
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


def _audit(rows: Sequence[Row], audit: Audit) -> str:
    beyond = [row for row in rows if (row["flips_inside_radius"] or 0) > (row["flips_allowed"] or 0)]
    broken = audit["flips_inside_radius"] > audit["flips_allowed"]
    text = f"""\
A confident answer other than the certified one, inside the certified radius, should be rare: CERTIFY and
PREDICT each err with probability at most α. This counts every image that was sent in the {audit["cells"]:,} cells of
the results folder, those of other suites, of replaced settings and of the controls too: **{audit["images"]:,}** images,
of which {audit["inside_radius"]:,} were sent from inside the radius of a certificate and can break it. That happened
**{audit["flips_inside_radius"]:,}** times; were they independent, they would stay within
**{audit["flips_allowed"]:,}** in 99.9% of runs, by Binomial({audit["inside_radius"]:,}, 2α). They are not: the attacks
on an image share its certificate ({audit["certificates"]:,} in all) and its evaluation noise, so errors come in clumps,
and one clump can pass that number by chance more often.
"""
    headers = ["target", "images sent", "with a certificate", "inside its radius", "confident flips", "allowed"]
    lines = [_counts("all", audit), *(_counts(target["target"], target) for target in audit["targets"])]
    text = f"{text}\n{table(headers, lines, text_columns=1)}\n\n"
    if broken:
        text += "**This is more than α allows, so the certificate or its use is broken.** "
    if not beyond:
        return text + "No row of this page shows more than its own images allow."
    found = "; ".join(
        f"{escape(row['attack'])} on {row['target']} at ε = {row['epsilon']}:"
        f" {row['flips_inside_radius']} of {row['flips_allowed']} allowed"
        for row in beyond
    )
    return text + f"**These rows show more, so the certificate or its use is broken**: {found}."


def _counts(name: str, count: Count) -> list[str]:
    counts = (count["images"], count["certified_answers"], count["inside_radius"], count["flips_inside_radius"])
    return [escape(name), *map(number, (*counts, count["flips_allowed"]))]


def _attacks(rows: Sequence[Row]) -> str:
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        parameters = ", ".join(f"{name}={json.dumps(v)}" for name, v in sorted(row["parameters"].items()))
        texts = [escape(text) for text in (row["attack"], row["access"], row["description"])]
        lines[row["attack"], parameters] = [*texts, code(parameters) if parameters else NONE]
    headers = ["attack", "access", "what it is", "hyper-parameters"]
    return table(headers, [lines[key] for key in sorted(lines)], text_columns=len(headers))
