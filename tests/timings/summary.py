"""Makes the README's performance table and plot from a file that ``--benchmark-json`` wrote.

``python tests/timings/summary.py FILE.json [PLOT.svg]``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Timing = dict[str, Any]


def timings(path: Path) -> list[Timing]:
    """What each test measured, with the median time of a round in seconds."""
    content = json.loads(path.read_text())
    return [{**b["extra_info"], "group": b["group"], "seconds": b["stats"]["median"]} for b in content["benchmarks"]]


def predict_table(all_timings: Sequence[Timing]) -> str:
    """Seconds an image of each PREDICT, and how many times faster than the faster public one."""
    chosen = [t for t in all_timings if t["group"].startswith("PREDICT at")]
    sizes = sorted({t["n"] for t in chosen})
    rows: dict[str, dict[int, float]] = {}
    for t in chosen:
        rows.setdefault(t["what"], {})[t["n"]] = t["seconds"] / t["images"]
    public = {n: min(row[n] for what, row in rows.items() if not what.startswith("ours") and n in row) for n in sizes}
    lines = [
        "| seconds an image | " + " | ".join(f"n = {n:,}" for n in sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
    ]
    for what, row in rows.items():
        cells = [f"{row[n]:.3g} ({public[n] / row[n]:.1f}×)" if n in row else "" for n in sizes]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def samples_table(all_timings: Sequence[Timing], group: str) -> str:
    """Noise samples a second of each way to do one thing, and the ratio to the slowest."""
    chosen = [t for t in all_timings if t["group"].startswith(group)]
    rates = {t["what"]: t["images"] * t["n"] / t["seconds"] for t in chosen}
    slowest = min(rates.values())
    lines = [f"| {group} | samples/s | |", "| --- | ---: | ---: |"]
    return "\n".join(lines + [f"| {what} | {rate:,.0f} | {rate / slowest:.1f}× |" for what, rate in rates.items()])


def parts_table(all_timings: Sequence[Timing]) -> str:
    """Noise samples a second with one part of the engine switched off at a time."""
    (rates,) = [t["rates"] for t in all_timings if t.get("what") == "parts"]
    whole = rates["nothing"]
    lines = ["| switched off | samples/s | |", "| --- | ---: | ---: |"]
    return "\n".join(lines + [f"| {what} | {rate:,.0f} | {rate / whole:.0%} |" for what, rate in rates.items()])


def share(all_timings: Sequence[Timing]) -> str:
    """The base classifier's FLOP/s as a share of the matrix product's."""
    (t,) = [t for t in all_timings if t.get("what") == "forward"]
    rate = t["flops"] / t["seconds"]
    return (
        f"Base classifier, forward: {t['images'] / t['seconds']:,.0f} images/s, {rate / 1e9:,.0f} GFLOP/s, "
        f"{rate / t['product_rate']:.0%} of a 2048³ matrix product's {t['product_rate'] / 1e9:,.0f}."
    )


def plot(all_timings: Sequence[Timing], path: Path) -> None:
    """How the time of PREDICT grows with images, n and σ."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [t for t in all_timings if t["group"] == "growth"]
    series = [
        ("images", "images (n = 1,000)", [t for t in chosen if t["n"] == 1000 and t["sigma"] == 0.5]),
        ("n", "n (4 images)", [t for t in chosen if t["images"] == 4]),
        ("sigma", "σ (20 images, n = 1,000)", [t for t in chosen if t["images"] == 20 and t["n"] == 1000]),
    ]
    with matplotlib.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = pyplot.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
        for axis, (key, label, points) in zip(axes, series, strict=True):
            points = sorted(points, key=lambda t: t[key])
            axis.plot([t[key] for t in points], [t["seconds"] for t in points], "o-", color="#3b6ea5")
            axis.set(xlabel=label, ylabel="seconds")
            if key == "sigma":
                axis.set_ylim(0)
            else:
                axis.set(xscale="log", yscale="log")
            axis.grid(alpha=0.3)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: Sequence[str]) -> None:
    """Print the tables and, where a second file is named, draw the plot."""
    measured = timings(Path(arguments[0]))
    parts = [
        predict_table(measured),
        share(measured),
        samples_table(measured, "gradients"),
        parts_table(measured),
    ]
    print("\n\n".join(parts))
    if len(arguments) > 1:
        plot(measured, Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
