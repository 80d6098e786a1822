"""The run of one cell: clean columns, attack, budget rule, evaluation on fresh noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attacks import Meter
from benchmark.cell import Cell
from benchmark.running.access_factory import grant
from benchmark.running.attack_call import call_attack
from benchmark.running.best_of import BestOf, choose
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.clean_columns import clean_columns
from benchmark.running.evaluation import enforce, predicted, take
from benchmark.running.plugin_code import plugin_code
from benchmark.running.resumable import Report, silent
from benchmark.running.sample_cache import SampleCache
from leaderboard import Store
from targets import DATA
from targets.noise import Streams


@dataclass(frozen=True)
class CellResult:
    """What running a cell gave.

    Attributes:
        columns: the records by column, each (N,).
        returned: images as the attack returned them (N, C, H, W), float32.
        observed: what was noticed of gradients: see :meth:`attacks.Meter.observed`.
    """

    columns: dict[str, Any]
    returned: NDArray[np.float32]
    observed: dict[str, int]


def run_cell(
    cell: Cell,
    store: Store,
    surrogates: CellSurrogates,
    cache: SampleCache,
    tick: Callable[[], None],
    report: Report = silent,
) -> CellResult:
    """Run one cell.

    Args:
        surrogates: made for this cell.
        cache: of its target.
        tick: called whenever the attack uses the target.
        report: is told how far work is that cells share.
    """
    suite, target = cell.suite, cell.target
    split = DATA[target.data].split("evaluation")
    images = take(split.images, cell.images).to(target.device)
    labels = take(split.labels, cell.images)
    clean = clean_columns(cell, store, report)
    tick()

    meter = Meter(len(images), cell.query_budget, tick)
    returned: Any
    if isinstance(cell, BestOf):
        best = choose(cell, store, images, meter)
        returned, seconds, purpose = best.images, best.seconds, "best-of"
    else:
        begun = time.perf_counter()
        returned = _attacked(cell, meter, surrogates, cache, images, labels)
        spent = time.perf_counter() - begun - surrogates.seconds
        seconds, purpose = np.full(len(images), spent / len(images)), "evaluation"

    sent = enforce(images, returned, cell.epsilon)
    votes = cache.votes(
        sent.images, suite.samples, seed=suite.seed, purpose=purpose, indices=list(cell.images), again=True
    )
    columns = {
        "image": np.array(cell.images),
        "label": labels.numpy(),
        **clean,
        **predicted(votes, suite.alpha),
        "l2": sent.l2,
        "linf": sent.linf,
        "changed": sent.changed,
        "validity": sent.validity,
        "queries": meter.queries,
        "forward_samples": meter.forward,
        "backward_samples": meter.backward,
        "seconds": seconds,
    }
    return CellResult(columns, returned.detach().cpu().numpy().astype(np.float32), meter.observed())


def _attacked(
    cell: Cell, meter: Meter, surrogates: CellSurrogates, cache: SampleCache, images: Tensor, labels: Tensor
) -> Any:
    access = grant(cell, meter, surrogates, cache)
    streams = Streams((cell.suite.seed, cell.target.name, "attack", cell.attack_name, repr(cell.epsilon)), cell.images)
    labels = labels.to(cell.target.device)
    with surrogates.needed(), plugin_code(), surrogates.watch.call():
        return call_attack(cell.attack, access, images, labels, cell.epsilon, streams)
