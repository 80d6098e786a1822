"""The report's figures, each as PNG and SVG. The only file that imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.seed_paper.findings import AttackRow
from leaderboard.stored import atomic

TITLES = {"cw-transfer": "Carlini–Wagner", "tv-transfer": "Tabacof–Valle"}

MARKERS = "osD^vP*X"
COLOURS = ("#4c72b0", "#55a868", "#8172b2", "#c44e52", "#dd8452", "#937860")

APART = 2.5
"""Points of fidelity that two slanted labels need between them so as not to overlap."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "abstention-bench",  # the same figure gives the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write(figure: Figure, path: Path) -> list[Path]:
    """A figure as ``path`` with the endings .png and .svg. Raises StoreError where it cannot be written."""
    written = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        buffer = BytesIO()
        with matplotlib.rc_context(STYLE):
            figure.savefig(buffer, format=kind, dpi=150, metadata=metadata, bbox_inches="tight")
        file = path.with_name(f"{path.name}.{kind}")
        atomic.write(file, buffer.getvalue())
        written.append(file)
    return written


def norm_histograms(norms: Mapping[str, NDArray[np.float64]], epsilon: float) -> Figure:
    """Figure 1: the ℓ2 norms of each attack's perturbations, beside the budget.

    Args:
        norms: (M,) by attack.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.6), layout="constrained")
        largest = max([epsilon, *(float(values.max()) for values in norms.values() if len(values))])
        width = epsilon / 40  # the budget is an edge, and what lies on it counts as within
        bins = width * np.arange(np.ceil(1.05 * largest / width) + 1) + 1e-6 * epsilon
        bins[0] = 0
        for axes, (name, values) in zip(figure.subplots(1, len(norms), squeeze=False)[0], norms.items(), strict=True):
            axes.hist(values, bins=bins, color="#4c72b0")
            axes.axvline(epsilon, color="#c44e52", linestyle="--", label=f"budget, {epsilon:g}")
            axes.set_title(f"{TITLES.get(name, name)} ({len(values):,} images)")
            axes.set_xlabel("ℓ2 norm of the perturbation")
            axes.set_ylabel("images")
            axes.legend(frameon=False)
    return figure


def image_grid(rows: Mapping[str, NDArray[np.float32]]) -> Figure:
    """Figure 2: images (M, C, H, W) of each kind in a row of their own, in the order given."""
    with matplotlib.rc_context(STYLE):
        count = max(len(images) for images in rows.values())
        figure = Figure(figsize=(0.8 * count + 1, 0.8 * len(rows) + 0.2), layout="constrained")
        grid = figure.subplots(len(rows), count, squeeze=False)
        for line, (name, images) in zip(grid, rows.items(), strict=True):
            for axes, image in zip(line, images, strict=True):
                shown = image.transpose(1, 2, 0).clip(0, 1)
                if shown.shape[2] not in (3, 4):
                    shown = shown[..., 0]
                axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
                axes.set_xticks([])
                axes.set_yticks([])
                for spine in axes.spines.values():
                    spine.set_visible(False)
            line[0].set_ylabel(TITLES.get(name, name), rotation=0, ha="right", va="center")
    return figure


def fidelity_and_abstention(rows: Sequence[AttackRow], clean: float) -> Figure:
    """Figure 3, the discussion's: abstention on the black box against the fidelity of the surrogate attacked.

    Args:
        rows: attacks; those without a surrogate are drawn at fidelity 1, where the black box itself is.
        clean: abstention on the same images, unattacked.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.axhline(100 * clean, color="#8c8c8c", linestyle=":", label=f"unattacked, {clean:.1%}")
        for number, name in enumerate(dict.fromkeys(row.attack for row in rows)):
            chosen = [row for row in rows if row.attack == name and row.abstention.share is not None]
            shares = np.array([row.abstention.share for row in chosen], dtype=float)
            low, high = (np.array([getattr(row.abstention, end) for row in chosen]) for end in ("low", "high"))
            axes.errorbar(
                [_place(row) + 0.7 * _before(row, rows) for row in chosen],
                100 * shares,
                yerr=100 * np.stack([shares - low, high - shares]),
                marker=MARKERS[number % len(MARKERS)],
                markersize=5,
                linestyle="none",
                color=COLOURS[number % len(COLOURS)],
                capsize=2,
                label=name,
            )
        for place, text in _labels(rows):
            axes.text(place, 1.02, text, transform=axes.get_xaxis_transform(), rotation=60, fontsize=7)
        axes.set_xlabel("fidelity of the surrogate, % (white-box attacks at 100)")
        axes.set_ylabel("abstention on the black box, %")
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _labels(rows: Sequence[AttackRow]) -> list[tuple[float, str]]:
    """Places and names of the surrogates' query sets; those within :data:`APART` share a line."""
    names = {
        f"{row.queries}, smoothed" if row.success is None else str(row.queries): _place(row)
        for row in rows
        if row.queries is not None
    }
    labels: list[tuple[float, str]] = []
    for name, place in sorted(names.items(), key=lambda item: item[1]):
        if labels and place - labels[-1][0] < APART:
            labels[-1] = (labels[-1][0], f"{labels[-1][1]} and {name}")
        else:
            labels.append((place, name))
    return labels


def _place(row: AttackRow) -> float:
    return 100.0 if row.queries is None else 100 * (row.fidelity or 0.0)


def _before(row: AttackRow, rows: Sequence[AttackRow]) -> int:
    """How many earlier rows share its surrogate; those stand side by side."""
    surrogates = [(other.queries, other.success is None) for other in rows[: rows.index(row)]]
    return surrogates.count((row.queries, row.success is None))
