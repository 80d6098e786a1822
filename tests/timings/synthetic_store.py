"""A results folder of made-up records, as large as a full board, under the keys that a run of today asks for.

Votes, norms and costs are drawn at random, and the images are blank. Everything else is as a run writes it, so that
publishing and planning do with it what they do with measured cells.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.special import bdtr

from benchmark.cell import Cell, cells
from benchmark.provenance import provenance
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.stored import atomic
from leaderboard.stored.cell import Request
from leaderboard.stored.records import ABSTAIN, frame
from targets import TARGETS, load

REQUEST = Request(images=1000, options=["--suite", "load.toml"])


def load_suite(count: int) -> Suite:
    """A suite of `count` cells or a few more, of 1,000 images: every attack on every CIFAR-10 target at many ε."""
    one = Suite("load", ("cifar10-sigma*",), ("*",), (1.0,), REQUEST["images"], shard=REQUEST["images"])
    each = len(one.target_names()) * len(one.attack_names())
    epsilons = tuple(round(0.02 * step, 2) for step in range(1, 1 + -(-count // each)))
    return Suite(one.name, one.targets, one.attacks, epsilons, one.images, shard=one.shard)


def load_cells(count: int) -> list[Cell]:
    """The first `count` cells of that suite. Those of fewer are among those of more."""
    suite = load_suite(count)
    names = suite.target_names()
    every = (cell for name in names for cell in cells(suite, load(name, "cpu"), suite.indices(name)))
    return [*itertools.islice(every, count)]


def fill(folder: Path, count: int) -> Store:
    """A store of `load_cells(count)`, written without waiting for the disk."""
    store = Store.open(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic.os, "fsync", lambda descriptor: None)
        for cell in load_cells(count):
            store.write_cell(
                cell.key,
                cell.settings(),
                made_up(cell),
                np.zeros((len(cell.images), 1, 8, 8)),
                provenance=provenance(cell.target.device, cell.target.arithmetic),
                seconds=1.0,
                asked=[REQUEST],
            )
    return store


def made_up(cell: Cell):
    """Records of a cell. As in measured ones, attacks share the clean columns of a target, and its ceilings at an ε."""
    place = TARGETS.match(("cifar10-sigma*",)).index(cell.target.name), round(100 * cell.epsilon)
    clean, proven = np.random.default_rng(place[:1]), np.random.default_rng(place)
    own = np.random.default_rng([*bytes.fromhex(cell.key)])
    images = np.array(cell.images)
    size = len(images)
    l2 = cell.epsilon * own.random(size)
    return frame(
        {
            "image": images,
            "label": images % 10,
            **_answers("clean_", clean, images, cell.suite),
            **_answers("", own, images, cell.suite),
            "l2": l2,
            "linf": l2 / 4,
            "changed": np.full(size, True),
            "validity": np.full(size, "valid"),
            **{name: own.integers(0, 5000, size) for name in ("queries", "forward_samples", "backward_samples")},
            "seconds": np.full(size, own.random()),
            "ceiling": proven.random(size),
            "certified_label": images % 10,
            "certified_radius": clean.random(size) / 10,
        }
    )


def _answers(prefix: str, rng: np.random.Generator, images, suite: Suite):
    """PREDICT's columns: votes at random, and the p-value and answer that follow from them."""
    n, size = suite.samples, len(images)
    more = rng.integers(n // 2, n, size)
    fewer = ((n - more) * rng.random(size)).astype(int)
    p = np.minimum(1.0, 2 * bdtr(fewer.astype(float), more + fewer, 0.5))
    first = (images + (rng.random(size) < 0.2)) % 10
    return {
        f"{prefix}outcome": np.where(p > suite.alpha, ABSTAIN, first),
        f"{prefix}first": first,
        f"{prefix}first_votes": more,
        f"{prefix}second": (first + 1) % 10,
        f"{prefix}second_votes": fewer,
        f"{prefix}p": p,
    }
