"""What stored images cost the sequential predictor: how many samples it draws on them, and on the originals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.key import PROTOCOL
from benchmark.recheck.reevaluation import changed, noise_of
from benchmark.running.evaluation import enforce, take
from benchmark.running.resumable import Arrays, Report, computed_once, silent
from leaderboard import Store, StoredCell
from targets import ABSTAIN, DATA, SmoothedClassifier, load
from targets.digest import content

WHAT = "sequential answers"
"""What the store calls the answers and the samples that each took."""


@dataclass(frozen=True)
class Cost:
    """A row's cost at the sequential predictor, beside that of its originals on the same noise.

    Attributes:
        images: how many.
        samples, clean_samples: drawn on an image, on average.
        abstention_rate, clean_abstention_rate: in [0, 1].
    """

    suite: str
    target: str
    attack: str
    query_budget: int | None
    epsilon: float
    images: int
    samples: float
    clean_samples: float
    abstention_rate: float
    clean_abstention_rate: float


def costs(
    store: Store, cells: Iterable[StoredCell], n: int, alpha: float, device: str, report: Report = silent
) -> list[Cost]:
    """The cost of each row that these cells are of, the most samples first within a target and ε.

    The noise of an image is that of the evaluation, in its order, so an image that the attack left as it was costs what
    its original costs. What is computed is stored.

    Args:
        cells: with images in the store. Those of other weights or images than today's are left out.
        n: samples an image, at most.
        alpha: the predictor's level.
    """
    by_target: dict[str, list[StoredCell]] = defaultdict(list)
    for cell in cells:
        by_target[cell.settings["target"]].append(cell)
    found: dict[tuple[Any, ...], list[Arrays]] = defaultdict(list)
    for name, held in by_target.items():
        target = load(name, device)
        for cell in (one for one in held if changed(one, target) is None):
            settings = cell.settings
            row = (settings["suite"], name, settings["attack"], settings.get("query_budget"), settings["epsilon"])
            found[row].append(_answers(store, target, cell, n, alpha, report))
    result = []
    for row, parts in found.items():
        whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        numbers = [float(whole[key].mean()) for key in ("drawn", "clean_drawn")]
        rates = [float((whole[key] == ABSTAIN).mean()) for key in ("outcome", "clean_outcome")]
        result.append(Cost(*row, len(whole["drawn"]), *numbers, *rates))
    return sorted(result, key=lambda cost: (cost.suite, cost.target, cost.epsilon, -cost.samples, cost.attack))


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
    return once(sent, {"cell": cell.key}) | {f"clean_{name}": values for name, values in clean.items()}


def as_text(found: Sequence[Cost]) -> str:
    """A table for the terminal."""
    from tabulate import tabulate

    headers = ["target", "ε", "attack", "samples", "clean", "times", "abstain", "clean"]
    lines = [
        [
            cost.target,
            f"{cost.epsilon:g}",
            cost.attack if cost.query_budget is None else f"{cost.attack} (≤ {cost.query_budget:,} queries)",
            f"{cost.samples:,.0f}",
            f"{cost.clean_samples:,.0f}",
            f"{cost.samples / cost.clean_samples:.1f}",
            f"{cost.abstention_rate:.1%}",
            f"{cost.clean_abstention_rate:.1%}",
        ]
        for cost in found
    ]
    align = ["left"] * 3 + ["right"] * 5
    text: str = tabulate(lines, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return text


def as_json(found: Sequence[Cost]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [asdict(cost) for cost in found]
