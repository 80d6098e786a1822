"""Cells that no attack made, of a room that knows no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.special import bdtr

from leaderboard import Store
from leaderboard.stored.cell import Request
from leaderboard.stored.records import frame

IMAGES = [0, 132, 264]


def cell_settings(**changed: Any) -> dict[str, Any]:
    """The settings of a cell of three images."""
    return {
        "suite": "toy",
        "target": "digits-sigma0.50",
        "sigma": 0.5,
        "data": "digits",
        "weights": "abc",
        "attack": "margin",
        "access": "white-box",
        "description": "Minimise the margin.",
        "parameters": {"steps": 1},
        "version": 1,
        "epsilon": 0.5,
        "n": 1000,
        "alpha": 0.001,
        "seed": 0,
        "images": IMAGES,
        "query_budget": None,
    } | changed


def cell_records(images: Iterable[int] = IMAGES) -> Any:
    """The records of a cell whose images are answered, and unchanged."""
    images = np.asarray(list(images))
    votes = {"first": 3, "first_votes": 800, "second": 4, "second_votes": 150, "p": 2 * bdtr(150.0, 950, 0.5)}
    plain = {
        "image": images,
        "label": 3,
        "clean_outcome": 3,
        "outcome": 3,
        "l2": 0.0,
        "linf": 0.0,
        "changed": False,
        **votes,
        **{f"clean_{name}": value for name, value in votes.items()},
        "validity": "valid",
        "queries": 0,
        "forward_samples": 0,
        "backward_samples": 0,
        "seconds": 0.25,
        "ceiling": 0.5,
        "certified_label": 3,
        "certified_radius": 0.1,
    }
    return frame({name: np.broadcast_to(value, images.shape) for name, value in plain.items()})


def write(store: Store, key_of: Callable[[dict[str, Any]], str], **changed: Any) -> str:
    """Store a cell of such settings; returns its key."""
    found = cell_settings(**changed)
    key, size = key_of(found), len(found["images"])
    asked: list[Request] = [{"images": size, "options": ["--suite", "toy"]}]
    records, pixels = cell_records(found["images"]), np.full((size, 1, 8, 8), 0.5)
    store.write_cell(key, found, records, pixels, provenance={"commit": "abc"}, seconds=1, asked=asked)
    return key


VOTES = {"what": "votes", "target": "digits-sigma0.50", "data": "digits"}
"""The settings of votes that cells share."""
