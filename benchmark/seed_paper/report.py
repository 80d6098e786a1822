"""The report: REPORT.md, report.json and the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmark.seed_paper import figures, prose, report_tables
from benchmark.seed_paper.experiment import Result
from benchmark.seed_paper.findings import Findings
from benchmark.seed_paper.wording import paragraph
from leaderboard import StoreError
from leaderboard.stored import atomic

PUBLISHABLE = "figures"
UNDISTRIBUTED = "undistributed"
"""Folder of figures that show images of the data set. Its .gitignore keeps it out of repositories."""

SHOWN = 10
"""Images of each kind in Figure 2."""


def prepare_report(output: Path) -> None:
    """Make the folders of a report, before the hours that a run takes.

    Raises:
        StoreError: they cannot be made.
    """
    try:
        for part in (PUBLISHABLE, UNDISTRIBUTED):
            (output / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: {error.strerror}; choose another folder") from error
    atomic.write(output / UNDISTRIBUTED / ".gitignore", b"*\n")


def write_report(result: Result, output: Path) -> list[Path]:
    """Write a report.

    Args:
        output: its folder, made if absent.

    Returns:
        The files: REPORT.md, report.json and the figures as PNG and SVG.

    Raises:
        StoreError: a file cannot be written.
    """
    prepare_report(output)
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
    """The report in Markdown. It links only to figures that may be published."""
    settings = found.settings
    parts = [
        "# The seed paper's experiment, reproduced",
        paragraph(prose.introduction(found)),
        paragraph(prose.HOW_TO_READ),
        f"## Table 1: accuracy of the surrogate on held-out data (queries at n = {settings['query_samples']:,})",
        report_tables.accuracies(found),
        paragraph(prose.accuracies(found)),
        "## On the surrogate: reaching the abstention class within the budget",
        report_tables.on_surrogate(found),
        paragraph(prose.on_surrogate(found)),
        "## Table 2: the black box on original, CW and TV images",
        report_tables.columns(found),
        paragraph(prose.outcomes(found)),
        "## Tables 3 and 4: answers on the originals (rows) and on the attack's images (columns)",
        report_tables.stayed(found),
        *(
            f"{report_tables.title(confusion)}\n\n{report_tables.confusion(confusion)}"
            for confusion in found.confusions
        ),
        paragraph(prose.confusions(found)),
        "## Figure 1: norms of the perturbations",
        f"![Histograms of the ℓ2 norms of both attacks' perturbations]({PUBLISHABLE}/figure1.svg)",
        paragraph(prose.norms(found)),
        "## Figure 2: images",
        paragraph(prose.figure_2(f"{UNDISTRIBUTED}/figure2")),
        "## Discussion, done: query sets, fidelity, the margin objective and white-box access",
        report_tables.surrogates(found),
        report_tables.attacks(found),
        f"![Abstention on the black box against the surrogate's fidelity]({PUBLISHABLE}/figure3.svg)",
        paragraph(prose.discussion(found)),
        "## What it was run with",
        report_tables.settings(found),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"
