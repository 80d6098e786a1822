"""Weights on disk: safetensors files, checked against the registered SHA-256 before they are read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from torch import nn

from targets.attributes import plain_attributes
from targets.errors import InputError, TargetError

FOLDER = Path(__file__).parent / "weights"


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_weights(module: nn.Module, path: Path, digest: str) -> nn.Module:
    """Load the weights in ``path`` into ``module`` and return it.

    Args:
        digest: the registered SHA-256, in hexadecimal.

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
    """Write ``module``'s weights to ``path`` and return the file's SHA-256. Raises :class:`InputError` if it cannot."""
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_whole(path, save(state))
    return sha256(path)


def write_whole(path: Path, content: bytes) -> None:
    """Replace the content of ``path`` at once: a killed writer leaves either the old content or all of the new.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; make room or choose another folder") from error


def mark(module: nn.Module, version: str) -> None:
    """Make a module's digest depend on the version of the code behind it.

    It does already where the class is in a plugin of one file: the name of the class's module holds the version.
    """
    if version not in type(module).__module__:
        module.abstention_bench_code = version  # type: ignore[assignment]


def module_digest(module: nn.Module) -> str:
    """A digest of a module's classes, weights, buffers and plain attributes, which identifies a user's target."""
    from safetensors.torch import save

    # Buffers outside the state dict count too: networks may differ only in the constants of their normalisation.
    tensors = {**dict(module.named_buffers()), **module.state_dict()}
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    kinds = " ".join(f"{type(part).__module__}.{type(part).__qualname__}" for part in module.modules())
    kinds += getattr(module, "abstention_bench_code", "")
    return hashlib.sha256(kinds.encode() + repr(module).encode() + save(state) + plain_attributes(module)).hexdigest()
