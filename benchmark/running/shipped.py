"""The surrogates that come with the package: those of the default suite on digits. With them the suite's board is the
same on every machine, up to floating-point ties.

``surrogates/KEY.safetensors`` holds the weights of one, ``surrogates/index.json`` its settings and the file's SHA-256.
``python -m benchmark.running.shipped RESULTS`` copies the surrogates on digits from a results folder into the package.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard import Store
from leaderboard.stored import atomic
from targets.errors import TargetError
from targets.weights import sha256

FOLDER = Path(__file__).parents[1] / "surrogates"
INDEX = FOLDER / "index.json"
DATA = "digits"

KINDS = ("surrogate", "surrogate of the same data")
"""What the store calls surrogates, of answers and of the same data."""


@cache
def index() -> dict[str, dict[str, Any]]:
    """Settings and SHA-256 of each shipped surrogate, by key."""
    found: dict[str, dict[str, Any]] = json.loads(INDEX.read_bytes()) if INDEX.is_file() else {}
    return found


def shipped(key: str) -> dict[str, NDArray[Any]] | None:
    """The weights, by name, of the surrogate that a store's key names; None if the package has none such.

    Raises:
        TargetError: its file is missing, or is not the registered one.
    """
    entry = index().get(key)
    if entry is None:
        return None
    from safetensors.numpy import load

    path = FOLDER / f"{key}.safetensors"
    if not path.is_file() or sha256(path) != entry["sha256"]:
        raise TargetError(f"the surrogate {path.name} is missing or damaged; install the package again")
    return load(path.read_bytes())


def ship(store: Store) -> list[str]:
    """Replace the package's surrogates by those on digits of a store; returns their keys."""
    from safetensors.numpy import save

    entries: dict[str, dict[str, Any]] = {}
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.safetensors"):
        path.unlink()
    for key, settings in sorted(store.shared_settings().items()):
        arrays = store.shared(key) if settings.get("what") in KINDS and settings.get("data") == DATA else None
        if arrays is not None:
            path = FOLDER / f"{key}.safetensors"
            atomic.write(path, save({name: np.ascontiguousarray(value) for name, value in arrays.items()}))
            entries[key] = {"settings": settings, "sha256": sha256(path)}
    atomic.write(INDEX, (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())
    return list(entries)


if __name__ == "__main__":
    print(f"{len(ship(Store.read(Path(sys.argv[1]))))} surrogates in {FOLDER.name}")
