"""What stored images cost the sequential predictor: how many samples it draws on them, and on the originals."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmark.key import PROTOCOL
from benchmark.recheck.plan import Task
from benchmark.recheck.reevaluation import changed, noise_of, rescored
from benchmark.recheck.scoring import quick_threads
from benchmark.running.evaluation import enforce, take
from benchmark.running.resumable import Arrays, Report, computed_once
from benchmark.running.work import Progress
from leaderboard import Store, StoredCell
from leaderboard.sequential import Cost
from leaderboard.stored.sequential import Drawn
from targets import ABSTAIN, DATA, SmoothedClassifier, load
from targets.data.digest import content
from targets.isolation import isolated

WHAT = "sequential answers"
"""What the store calls the answers and the samples that each took."""

MOST, ALPHA = 10_000, 0.001
"""The sequential predictor's n and α where none are given."""


def drawn(
    store: Store,
    cells: Iterable[StoredCell],
    n: int,
    alpha: float,
    device: str,
    progress: Progress,
    left_out: Counter[str],
) -> list[Drawn]:
    """What the sequential predictor does at the images of these cells, a cell at a time.

    The noise of an image is that of the evaluation, in its order, so an image that the attack left as it was costs what
    its original costs. What is computed is stored at once, and not computed again.

    Args:
        cells: with images in the store. Those of other weights or images than today's are left out.
        n: samples an image, at most.
        alpha: the predictor's level.
        left_out: is told how many are left out, by reason.
    """
    by_target: dict[str, list[StoredCell]] = defaultdict(list)
    for cell in cells:
        by_target[cell.settings["target"]].append(cell)
    found = []
    position = 0
    for name, held in by_target.items():
        target = load(name, device)
        with quick_threads(target):
            for cell in held:
                position += 1
                if reason := changed(cell, target):
                    left_out[reason] += 1
                    continue
                shown = rescored(Task(cell, [], n, alpha, cell.settings["seed"]), target)
                progress.start(shown, position)
                begun = time.perf_counter()
                with isolated():
                    answers = _answers(store, target, cell, n, alpha, progress.stage)
                found.append(Drawn(cell.key, n, alpha, **{name: array.tolist() for name, array in answers.items()}))
                rate = float((answers["outcome"] == ABSTAIN).mean())
                progress.finish(shown, time.perf_counter() - begun, "ok", rate)
    return found


def _answers(
    store: Store, target: SmoothedClassifier, cell: StoredCell, n: int, alpha: float, report: Report
) -> Arrays:
    """Outcomes and samples drawn (N,), on what was sent and on the originals."""
    indices = list(cell.settings["images"])
    originals = take(DATA[target.data].split("evaluation").images, indices)
    made = torch.from_numpy(store.images(cell.key))
    sent = enforce(originals, made, cell.settings["epsilon"]).images
    purpose, seed = noise_of(cell, cell.settings["seed"])
    settings = {
        "protocol": PROTOCOL,
        "what": WHAT,
        **target.identity,
        **content(target.data, "images"),
        "purpose": purpose,
        "n": n,
        "alpha": alpha,
        "seed": seed,
        "images": indices,
    }

    def compute(images: Tensor, rows: range) -> Arrays:
        chosen = slice(rows.start, rows.stop)
        outcome, drawn = target.predict_sequentially(
            images[chosen], n, alpha, seed, purpose=purpose, indices=indices[chosen]
        )
        return {"outcome": outcome, "drawn": drawn}

    def once(images: Tensor, of: dict[str, str]) -> Arrays:
        tell = partial(report, "sequential answers", "images", total=len(indices))
        return computed_once(store, settings | of, len(indices), partial(compute, images), tell)

    clean = once(originals, {})
    found = clean if torch.equal(sent, originals) else once(sent, {"cell": cell.key})
    return found | {f"clean_{name}": values for name, values in clean.items()}


def as_text(costs: Sequence[Cost]) -> str:
    """A table for the terminal."""
    from tabulate import tabulate

    several = len({(cost["n"], cost["alpha"], cost["seed"], cost["of_images"]) for cost in costs}) > 1
    headers = ["target", "ε", *(["landed for n"] if several else []), "attack"]
    align = ["left", "left", *(["right"] if several else []), "left", *["right"] * 5]
    lines: list[list[Any]] = [
        [
            cost["target"],
            f"{cost['epsilon']:g}",
            *([f"{cost['n']:,}"] if several else []),
            _attack(cost),
            f"{cost['samples']['mean']:,.0f}",
            f"{cost['clean_samples']['mean']:,.0f}",
            f"{cost['times']['mean']:.1f}",
            f"{cost['abstained']['rate']:.1%}",
            f"{cost['clean_abstained']['rate']:.1%}",
        ]
        for cost in costs
    ]
    headers += ["samples", "clean", "times", "abstain", "clean"]
    text: str = tabulate(lines, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return text


def _attack(cost: Cost) -> str:
    budget = cost["query_budget"]
    return cost["attack"] if budget is None else f"{cost['attack']} (≤ {budget:,} queries)"
