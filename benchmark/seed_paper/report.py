"""The report: REPORT.md, report.json and the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmark.seed_paper import figures, prose
from benchmark.seed_paper.experiment import Result
from benchmark.seed_paper.findings import Confusion, Findings
from benchmark.seed_paper.wording import (
    NAMES,
    QUERIES,
    interval,
    minus,
    norm,
    paragraph,
    percent,
    table,
)
from leaderboard import StoreError
from leaderboard.drawn.tables import NONE, p_value
from leaderboard.stored import atomic

PUBLISHABLE = "figures"
UNDISTRIBUTED = "undistributed"
"""Folder of what shows pictures of the data set; it hides itself from git."""

SHOWN = 10
"""Images of each kind in Figure 2."""


def prepare(output: Path) -> None:
    """Make the folders of a report. Raises StoreError where that is not possible: now, not after hours."""
    try:
        for part in (PUBLISHABLE, UNDISTRIBUTED):
            (output / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: {error.strerror}; choose another folder") from error
    atomic.write(output / UNDISTRIBUTED / ".gitignore", b"*\n")


def write(result: Result, output: Path) -> list[Path]:
    """Everything into ``output``, made if absent; returns the files. Raises StoreError."""
    prepare(output)
    found = result.findings
    files = [output / "REPORT.md", output / "report.json"]
    atomic.write(files[0], markdown(found).encode())
    atomic.write(files[1], (json.dumps(found.json(), indent=2, allow_nan=False) + "\n").encode())
    drawn = figures.norm_histograms(result.norms, found.settings["epsilon"])
    files += figures.write(drawn, output / PUBLISHABLE / "figure1")
    clean = next(column for column in found.columns if column.sent == "original").abstention.share
    drawn = figures.fidelity_and_abstention(found.attacks, clean or 0.0)
    files += figures.write(drawn, output / PUBLISHABLE / "figure3")
    rows = np.linspace(0, len(result.originals) - 1, min(SHOWN, len(result.originals))).round().astype(int)
    pictures = {"original": result.originals, **result.returned}
    drawn = figures.image_grid({name: images.numpy()[rows] for name, images in pictures.items()})
    return files + figures.write(drawn, output / UNDISTRIBUTED / "figure2")


def markdown(found: Findings) -> str:
    """The report's text. Links to the publishable figures alone."""
    settings = found.settings
    parts = [
        "# The seed paper's experiment, reproduced",
        paragraph(prose.introduction(found)),
        paragraph(prose.HOW_TO_READ),
        f"## Table 1: accuracy of the surrogate on held-out data (queries at n = {settings['query_samples']:,})",
        _accuracies(found),
        paragraph(prose.accuracies(found)),
        "## On the surrogate: reaching the abstention class within the budget",
        _on_surrogate(found),
        paragraph(prose.on_surrogate(found)),
        "## Table 2: the black box on original, CW and TV images",
        _columns(found),
        paragraph(prose.outcomes(found)),
        "## Tables 3 and 4: answers on the originals (rows) and on the attack's images (columns)",
        _stayed(found),
        *(f"{_title(confusion)}\n\n{_confusion(confusion)}" for confusion in found.confusions),
        paragraph(prose.confusions(found)),
        "## Figure 1: norms of the perturbations",
        f"![Histograms of the ℓ2 norms of both attacks' perturbations]({PUBLISHABLE}/figure1.svg)",
        paragraph(prose.norms(found)),
        "## Figure 2: images",
        paragraph(prose.figure_2(f"{UNDISTRIBUTED}/figure2")),
        "## Discussion, done: query sets, fidelity, the margin objective and white-box access",
        _surrogates(found),
        _attacks(found),
        f"![Abstention on the black box against the surrogate's fidelity]({PUBLISHABLE}/figure3.svg)",
        paragraph(prose.discussion(found)),
        "## What it was run with",
        _settings(found),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _accuracies(found: Findings) -> str:
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


def _on_surrogate(found: Findings) -> str:
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


def _columns(found: Findings) -> str:
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


def _stayed(found: Findings) -> str:
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


def _title(confusion: Confusion) -> str:
    number = {"cw-transfer": "Table 3", "tv-transfer": "Table 4"}[confusion.attack]
    return f"**{number}: {NAMES[confusion.attack]}, n = {confusion.n:,}**"


def _confusion(confusion: Confusion) -> str:
    names = [*map(str, range(len(confusion.counts) - 1)), "abstain"]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, confusion.counts, strict=True)]
    return table(["", *names], rows, text_columns=1)


def _surrogates(found: Findings) -> str:
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


def _attacks(found: Findings) -> str:
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


def _settings(found: Findings) -> str:
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
