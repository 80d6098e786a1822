"""Weights on disk: safetensors, checked against the SHA-256 in the registry before they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import nn

from targets.errors import TargetError

FOLDER = Path(__file__).parent / "weights"


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_weights(module: nn.Module, path: Path, digest: str) -> nn.Module:
    """Fill ``module`` from ``path``.

    Raises:
        TargetError: the file is missing or is not the registered one.
    """
    from safetensors.torch import load

    if not path.is_file():
        raise TargetError(f"the weights {path.name} are missing; install the package again")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise TargetError(
            f"the weights {path.name} are damaged: SHA-256 {found[:12]}… is not the registered {digest[:12]}…; "
            "install the package again"
        )
    module.load_state_dict(load(content))
    return module


def save_weights(module: nn.Module, path: Path) -> str:
    """Write ``module``'s weights to ``path`` and return the file's SHA-256."""
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    path.write_bytes(save(state))
    return sha256(path)


def module_digest(module: nn.Module) -> str:
    """A digest of a module's class and weights: what a target brought by a user is known by."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    kind = f"{type(module).__module__}.{type(module).__qualname__}".encode()
    return hashlib.sha256(kind + repr(module).encode() + save(state)).hexdigest()
