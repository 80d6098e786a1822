"""Synthetic records and settings with known statistics."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
from scipy.special import bdtr

from leaderboard.stored.records import ABSTAIN, frame


def make_records(images: Any, **columns: Any) -> Any:
    """Records of these image indices: answered rightly and unchanged, unless `columns` say otherwise.

    Votes and p-values are what the answers come from, at n = 1,000 or less and α = 0.001.
    """
    images = np.asarray(images)
    outcome = np.broadcast_to(columns.get("outcome", images % 10), images.shape)
    clean = np.broadcast_to(columns.get("clean_outcome", images % 10), images.shape)
    plain = {
        "image": images,
        "label": images % 10,
        "clean_outcome": images % 10,
        "outcome": images % 10,
        **_answers("clean_", clean),
        **_answers("", outcome),
        "l2": 0.0,
        "linf": 0.0,
        "changed": False,
        "validity": "valid",
        "queries": 0,
        "forward_samples": 0,
        "backward_samples": 0,
        "seconds": 0.25,
        "ceiling": 0.5,
        "certified_label": images % 10,
        "certified_radius": 0.1,
    }
    return frame({name: np.broadcast_to(value, images.shape) for name, value in (plain | columns).items()})


def _answers(prefix: str, outcome: Any) -> dict[str, Any]:
    """The other columns of PREDICT at its answers: 800 votes to 150, or a tie where it abstains."""
    abstains = outcome == ABSTAIN
    first = np.where(abstains, 0, outcome)
    more, fewer = np.where(abstains, 450, 800), np.where(abstains, 450, 150)
    values = (first, more, (first + 1) % 10, fewer, np.minimum(1.0, 2 * bdtr(fewer.astype(float), more + fewer, 0.5)))
    return {prefix + name: value for name, value in zip(_COLUMNS, values, strict=True)}


_COLUMNS = ("first", "first_votes", "second", "second_votes", "p")


def make_settings(**settings: Any) -> dict[str, Any]:
    """Settings of a cell of ten images, unless `settings` say otherwise."""
    return {
        "suite": "toy",
        "target": "toy-sigma0.50",
        "sigma": 0.5,
        "attack": "margin",
        "access": "white-box",
        "parameters": {"steps": 10, "rate": 0.1},
        "version": 1,
        "epsilon": 1.0,
        "n": 1000,
        "alpha": 0.001,
        "seed": 0,
        "images": list(range(10)),
        "weights": "abc",
        "data": "toys",
        "description": "Minimise the margin.",
    } | settings


def texts(picture: str) -> list[str]:
    """Every text in an SVG, in order."""
    return ["".join(element.itertext()) for element in ElementTree.fromstring(picture).iter() if "text" in element.tag]


def write(store: Any, key: str = "a", images: int = 3, **columns: Any) -> tuple[Any, Any]:
    """Writes a cell of so many images with these columns into `store`; returns its records and pixels."""
    records = make_records(range(images), **columns)
    pixels = np.random.default_rng(0).random((images, 1, 8, 8))
    store.write_cell(
        key, make_settings(images=list(range(images))), records, pixels, provenance={"torch": "2"}, seconds=1.5
    )
    return records, pixels
