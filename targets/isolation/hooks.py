"""PyTorch's process-wide hooks and modes, which are put back after user code.

A profiler's hook that an attack leaves behind, or a mode that it enters and never leaves, would act on everything that
is computed later.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils import _device as devices
from torch.utils import _python_dispatch as dispatch

from targets.isolation.state import State, attribute


def _fill(hooks: dict[Any, Any], content: dict[Any, Any]) -> None:
    hooks.clear()  # the dictionary itself stays, so that a hook's handle can still remove it
    hooks.update(content)


def _registered() -> Iterator[State]:
    """Hooks on all modules and optimizers, one state for each dictionary that PyTorch keeps them in."""
    for owner in (modules, optimizers):
        for name, hooks in vars(owner).items():
            if name.startswith("_global_") and isinstance(hooks, dict):
                yield State(hooks.copy, partial(_fill, hooks), {})
    yield attribute(modules, "_global_is_full_backward_hook", None)


def _function_modes() -> tuple[Any, ...]:
    """The modes that are entered, and the default device, which PyTorch makes a mode below all others."""
    entered = tuple(torch._C._get_function_stack_at(i) for i in range(torch._C._len_torch_function_stack()))
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return entered, devices.CURRENT_DEVICE, context


def _set_function_modes(before: tuple[Any, ...]) -> None:
    entered, devices.CURRENT_DEVICE, torch._GLOBAL_DEVICE_CONTEXT.device_context = before
    for _ in range(torch._C._len_torch_function_stack()):
        torch._C._pop_torch_function_stack()
    for mode in entered:
        torch._C._push_on_torch_function_stack(mode)


def _dispatch_modes() -> tuple[Any, ...]:
    return tuple(torch._C._get_dispatch_stack_at(i) for i in range(torch._C._len_torch_dispatch_stack()))


def _set_dispatch_modes(entered: tuple[Any, ...]) -> None:
    for _ in range(torch._C._len_torch_dispatch_stack()):
        torch._C._pop_torch_dispatch_stack(None)
    for mode in entered:
        torch._C._push_on_torch_dispatch_stack(mode)


def _saved_hooks() -> list[Any]:
    """Pairs of hooks that pack and unpack what is saved for the backward pass, the outermost first."""
    pairs = []
    while (pair := torch._C._autograd._top_saved_tensors_default_hooks(True)) is not None:
        pairs.append(pair)
        torch._C._autograd._pop_saved_tensors_default_hooks()
    for pair in reversed(pairs):
        torch._C._autograd._push_saved_tensors_default_hooks(*pair)
    return pairs[::-1]


def _set_saved_hooks(before: list[Any]) -> None:
    for _ in _saved_hooks():
        torch._C._autograd._pop_saved_tensors_default_hooks()
    for pair in before:
        torch._C._autograd._push_saved_tensors_default_hooks(*pair)


HOOKS = (
    *_registered(),
    State(_function_modes, _set_function_modes, ((), None, None)),
    State(_dispatch_modes, _set_dispatch_modes, ()),
    *(
        attribute(dispatch, name, False)  # whether a mode is entered, which torch.compile reads
        for name in vars(dispatch)
        if name.startswith("_is_in_") and isinstance(getattr(dispatch, name), bool)
    ),
    State(_saved_hooks, _set_saved_hooks, []),
)
"""The process-wide hooks and modes. User code starts without any."""
