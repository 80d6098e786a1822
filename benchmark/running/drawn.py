"""Who draws from the global random generators. An attack must not: its results would depend on what ran before."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def _numpy() -> Any:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return name, bytes(keys), *rest  # type: ignore[arg-type]


GENERATORS: dict[str, Callable[[], Any]] = {
    "torch's": lambda: bytes(torch.get_rng_state().numpy()),
    "NumPy's": _numpy,
    "Python's": random.getstate,
}
"""What reads the state of each, by whose it is."""


class Drawn:
    """Tells which global generators were drawn from, or seeded, since it was made."""

    def __init__(self) -> None:
        self._before = {name: read() for name, read in GENERATORS.items()}

    def names(self) -> list[str]:
        """As "torch's" or "NumPy's"; those that were put back as they were do not count."""
        return [name for name, read in GENERATORS.items() if read() != self._before[name]]
