"""A checkpoint's file: reading it without running code from it, and finding the weights in it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from targets.errors import TargetError
from targets.state_dict import bare

HOLDERS = ("state_dict", "model_state_dict", "net", "model")
"""Keys under which files hold their weights: the first in Cohen's code, the third in MACER's."""


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """The checkpoint's content, with its weights under the key "state_dict".

    Raises:
        TargetError: the file is missing or damaged, holds more than tensors and plain values, no weights, or two
            different sets of them.
    """
    try:
        packed = path.read_bytes()
    except (OSError, ValueError) as error:
        raise TargetError(f"cannot read the checkpoint {path}: {getattr(error, 'strerror', error)}") from error
    try:
        if path.suffix == ".safetensors":  # what ``benchmark train`` writes
            from safetensors.torch import load

            return {"state_dict": load(packed)}
        content: object = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file, and one more for an unsafe one
        raise TargetError(
            f"checkpoint {path} is damaged, or holds more than tensors and plain values; nothing else is loaded, so "
            "that no code in it runs; save it again with nothing but its arch and state_dict"
        ) from error
    if isinstance(content, Mapping):
        if _is_state(content):
            return {"state_dict": content}
        for holder in HOLDERS:
            if _is_state(content.get(holder)):
                _check_only(path, holder, content)
                return {**content, "state_dict": content[holder]}
    keys = ", ".join(map(repr, list(content)[:5])) if isinstance(content, Mapping) else type(content).__name__
    raise TargetError(
        f"checkpoint {path} holds no state_dict of tensors, but {keys or 'nothing'}; "
        'write it by torch.save({"arch": …, "state_dict": model.state_dict()}, …)'
    )


def _is_state(held: object) -> bool:
    if not isinstance(held, Mapping) or not held:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in held.items())


def _check_only(path: Path, chosen: str, content: Mapping[Any, Any]) -> None:
    """Raise :class:`TargetError` where the file also holds other weights: averaged ones, or those of another step."""
    weights = bare(content[chosen])
    for key, held in content.items():
        if key == chosen or not _is_state(held):
            continue
        others = bare(held)
        if key not in HOLDERS and weights.keys().isdisjoint(others):
            continue  # a layer's constants, say
        if weights.keys() != others.keys() or not all(torch.equal(weights[name], others[name]) for name in weights):
            raise TargetError(
                f"checkpoint {path} holds two sets of weights, {chosen!r} and {key!r}, and does not say which is the "
                'network\'s; write the right one alone by torch.save({"arch": …, "state_dict": …}, …)'
            )
