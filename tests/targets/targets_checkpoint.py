"""Checkpoints of a shallow network, to be quick with, and what they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import targets_cohen as cohen
import torch

from targets.checkpoint import load_checkpoint

SHAPE = (3, 32, 32)
COHENS: dict[str, Any] = {"means": cohen.MEANS, "sds": cohen.SDS}
"""What must be said of a checkpoint that does not hold it."""


def answers(path: Path, images: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return load_checkpoint(path, SHAPE, 10, *arguments, **options).eval()(images)
