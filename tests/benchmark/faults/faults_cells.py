"""Cells that no attack made, of a room that knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from leaderboard_data import make_records, make_settings

from leaderboard import Store
from leaderboard.stored.cell import Request

IMAGES = [0, 132, 264]


def cell_settings(**changed: Any) -> dict[str, Any]:
    """The settings of a cell of three digits."""
    digits = {"target": "digits-sigma0.50", "data": "digits", "epsilon": 0.5, "images": IMAGES, "query_budget": None}
    return make_settings(**digits | changed)


def write(store: Store, key_of: Callable[[dict[str, Any]], str], **changed: Any) -> str:
    """Store a cell of such settings; returns its key."""
    found = cell_settings(**changed)
    key, size = key_of(found), len(found["images"])
    asked: list[Request] = [{"images": size, "options": ["--suite", "toy"]}]
    records, pixels = make_records(found["images"]), np.full((size, 1, 8, 8), 0.5)
    store.write_cell(key, found, records, pixels, provenance={"commit": "abc"}, seconds=1, asked=asked)
    return key


VOTES = {"what": "votes", "target": "digits-sigma0.50", "data": "digits"}
"""The settings of votes that cells share."""
