"""Synthetic records and settings with known statistics."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np

from leaderboard.records import frame


def make_records(images: Any, **columns: Any) -> Any:
    """Records of these image indices: answered rightly and unchanged, unless `columns` say otherwise."""
    images = np.asarray(images)
    plain = {
        "image": images,
        "label": images % 10,
        "clean_outcome": images % 10,
        "outcome": images % 10,
        "clean_first": images % 10,
        "clean_first_votes": 900,
        "clean_second": (images + 1) % 10,
        "clean_second_votes": 60,
        "clean_p": 1e-9,
        "first": images % 10,
        "first_votes": 800,
        "second": (images + 1) % 10,
        "second_votes": 150,
        "p": 1e-6,
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
