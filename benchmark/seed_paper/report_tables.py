"""The report's tables in Markdown."""

from __future__ import annotations

from benchmark.seed_paper.findings import Confusion, Findings
from benchmark.seed_paper.wording import NAMES, QUERIES, interval, minus, norm, percent, table
from leaderboard.drawn.numbers import NONE, p_value


def accuracies(found: Findings) -> str:
    """Table 1."""
    headers = ["labels", "trained on", "images", "held-out images", "ours", "paper", "ours − paper", "on the other set"]
    rows = [
        [
            cell.labels,
            QUERIES[cell.queries],
            f"{cell.trained_on:,}",
            f"{cell.held_out.images:,}",
            interval(cell.held_out),
            "?" if cell.paper is None else f"{cell.paper:.1%}",
            minus(cell.held_out, cell.paper),
            NONE if cell.elsewhere is None else f"{interval(cell.elsewhere)} of {cell.elsewhere.images:,}",
        ]
        for cell in found.accuracies
    ]
    return table(headers, rows, text_columns=2)


def on_surrogate(found: Findings) -> str:
    """The attacks' success on the surrogate."""
    headers = [
        "attack",
        "surrogate's queries",
        "unattacked",
        "reached",
        "norm ≤ budget",
        "both",
        "paper",
        "ours − paper",
    ]
    headers += ["mean norm found", "median", "largest"]
    rows = [
        [
            NAMES[row.attack],
            QUERIES[row.queries],
            percent(row.before.share),
            percent(row.reached.share),
            percent(row.within.share),
            interval(row.success),
            NONE if row.paper is None else f"{row.paper:.1%}",
            minus(row.success, row.paper),
            norm(row.norms.mean),
            norm(row.norms.median),
            norm(row.norms.largest),
        ]
        for row in found.on_surrogate
    ]
    return table(headers, rows, text_columns=2)


def columns(found: Findings) -> str:
    """Table 2."""
    headers = ["n", "sent", "images", "performance", "paper", "ours − paper", "p", "abstention", "paper"]
    headers += ["ours − paper", "p"]
    rows = [
        [
            f"{column.n:,}",
            NAMES[column.sent] + (" (all)" if column is found.everything else ""),
            f"{column.performance.images:,}",
            interval(column.performance),
            percent(column.paper_performance),
            minus(column.performance, column.paper_performance),
            p_value(column.performance_p),
            interval(column.abstention),
            percent(column.paper_abstention),
            minus(column.abstention, column.paper_abstention),
            p_value(column.abstention_p),
        ]
        for column in [found.everything, found.again, *found.columns]
    ]
    return table(headers, rows, text_columns=2)


def stayed(found: Findings) -> str:
    """How many abstentions stay, from Tables 3 and 4."""
    headers = ["n", "attack", "images", "abstained on the original", "stayed", "stayed, per 10,000", "paper, of 10,000"]
    rows = [
        [
            f"{c.n:,}",
            NAMES[c.attack],
            f"{c.images:,}",
            str(sum(c.counts[-1])),
            str(c.counts[-1][-1]),
            f"{10_000 * c.counts[-1][-1] / c.images:.0f}",
            str(c.paper_stayed),
        ]
        for c in found.confusions
    ]
    return table(headers, rows, text_columns=2)


def title(confusion: Confusion) -> str:
    """The heading of Table 3 or 4."""
    number = {"cw-transfer": "Table 3", "tv-transfer": "Table 4"}[confusion.attack]
    return f"**{number}: {NAMES[confusion.attack]}, n = {confusion.n:,}**"


def confusion(confusion: Confusion) -> str:
    """Table 3 or 4."""
    names = [*map(str, range(len(confusion.counts) - 1)), "abstain"]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, confusion.counts, strict=True)]
    return table(["", *names], rows, text_columns=1)


def surrogates(found: Findings) -> str:
    """The discussion's first table, with a line on what fidelity is."""
    headers = ["surrogate's queries", "kind", "source", "trained on", "the black box abstained on", "fidelity"]
    headers += ["abstentions found"]
    rows = [
        [
            QUERIES[row.queries],
            "smoothed" if row.smoothed else "plain",
            row.source,
            f"{row.trained_on:,}",
            percent(row.answered_abstain.share),
            interval(row.fidelity),
            f"{row.abstention_found.hits} of {row.abstention_found.images}",
        ]
        for row in found.surrogates
    ]
    held_out = found.surrogates[0].fidelity.images
    return (
        f"Fidelity: agreement with the black box's answers (n = {found.settings['query_samples']:,}) on the "
        f"{held_out:,} test images that no surrogate was trained on.\n\n{table(headers, rows, text_columns=3)}"
    )


def attacks(found: Findings) -> str:
    """The discussion's second table, with a line on what it is of."""
    headers = [
        "attack",
        "access",
        "surrogate's queries",
        "fidelity",
        "success on the surrogate",
        "valid",
        "mean norm sent",
    ]
    headers += ["performance", "abstention", "p"]
    clean = next(column for column in found.columns if column.sent == "original")
    rows = [
        ["none", "none", NONE, NONE, NONE, NONE, NONE, interval(clean.performance), interval(clean.abstention), NONE]
    ]
    rows += [
        [
            f"`{row.attack}`",
            row.access,
            NONE if row.queries is None else QUERIES[row.queries],
            percent(row.fidelity),
            NONE if row.success is None else percent(row.success.share),
            percent(row.valid.share),
            norm(row.norm),
            interval(row.performance),
            interval(row.abstention),
            p_value(row.abstention_p),
        ]
        for row in found.attacks
    ]
    return (
        f"Every attack on the same {clean.abstention.images:,} images, evaluated at n = {clean.n:,}; the mean"
        " norm is of the valid images that it changed by more than rounding.\n\n"
        f"{table(headers, rows, text_columns=3)}"
    )


def settings(found: Findings) -> str:
    """A list of everything that the experiment was run with."""
    settings = found.settings
    recipe = ", ".join(f"{name}={value}" for name, value in settings["recipe"].items() if name != "epochs")
    epochs = ", ".join(f"{epochs} over {int(size):,} images" for size, epochs in settings["epochs_by_size"].items())
    queries = ", ".join(f"{count:,} {QUERIES[name]}" for name, count in settings["queries"].items())
    lines = [
        f"- queries: {queries}; a random tenth of each is held out of training",
        f"- surrogates: `{settings['architecture']}`, {settings['surrogate_parameters']:,} parameters; `{recipe}`; "
        f"epochs: {epochs}",
        *(
            f"- `{name}`: " + ", ".join(f"`{key}={value}`" for key, value in parameters.items())
            for name, parameters in settings["parameters"].items()
        ),
        f"- weights of the black box: SHA-256 `{settings['weights']}`",
        "- versions: "
        + ", ".join(f"{name} {found.provenance[name]}" for name in ("python", "torch", "numpy", "scipy", "foolbox")),
        f"- command: `python -m benchmark reproduce --target {settings['target']} "
        f"--images {settings['images']} --samples {' '.join(map(str, settings['samples']))} "
        f"--query-samples {settings['query_samples']} --epochs {settings['epochs']} --seed {settings['seed']}`",
    ]
    return "\n".join(lines)
