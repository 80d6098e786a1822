"""Isolation: the process's global state is put back after user code (attacks, base classifiers, plugins, training).

So an attack that switches gradients off, or a library that draws from a global generator, affects nothing after it.
"""

from __future__ import annotations

import locale
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from targets.isolation.hooks import HOOKS
from targets.isolation.interpreter import INTERPRETER
from targets.isolation.state import AS_IT_IS, State, attribute


def _folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # the folder was removed
        return None


def _enter(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _set_environment(variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _set_filters(before: tuple[list[Any], Any]) -> None:
    warnings.resetwarnings()  # which also makes Python forget which warnings it has shown
    warnings.filters[:], warnings.showwarning = before  # type: ignore[index]


def _nesting() -> int:
    """The number of autocast contexts that are entered. Inside one, PyTorch caches rounded weights."""
    deeper = torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    return int(deeper) - 1


def _nest(depth: int) -> None:
    while _nesting() > depth:
        torch.autocast_decrement_nesting()
    while _nesting() < depth:
        torch.autocast_increment_nesting()
    torch.clear_autocast_cache()


def _older(state: State) -> State:
    """One of PyTorch's older switches, which cannot be read (None) where somebody has used a newer one beside it."""

    def read() -> Any:
        try:
            return state.read()
        except RuntimeError:
            return None

    return State(read, lambda value: None if value is None else state.write(value), state.found)


def _precisions() -> Iterator[State]:
    """Whether float32 is rounded to TF32 or bfloat16 on the way, by PyTorch's newer switches, where it has them."""
    parts = ("", ".cuda.matmul", ".cudnn", ".cudnn.conv", ".cudnn.rnn")
    for part in (*parts, ".mkldnn", ".mkldnn.matmul", ".mkldnn.conv", ".mkldnn.rnn"):
        owner: Any = torch.backends
        for name in part.split(".")[1:]:
            owner = getattr(owner, name, None)
        if hasattr(owner, "fp32_precision"):
            yield attribute(owner, "fp32_precision")


def _attention() -> Iterator[State]:
    """Which kernels attention may take, each of which rounds otherwise."""
    for name in ("flash", "mem_efficient", "math", "cudnn"):
        if hasattr(torch.backends.cuda, f"enable_{name}_sdp"):
            read = getattr(torch.backends.cuda, f"{name}_sdp_enabled")
            yield State(read, getattr(torch.backends.cuda, f"enable_{name}_sdp"))
    yield State(torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled)


ENVIRONMENT = State(lambda: dict(os.environ), _set_environment)

STATES = (
    State(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    # In this order: what is put back last of all is what the older switches, put back before, may have changed.
    *_precisions(),
    _older(State(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest")),
    _older(attribute(torch.backends.cudnn, "allow_tf32")),
    *(
        State(partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind), False)
        for kind in ("cpu", "cuda")
    ),
    State(_nesting, _nest),
    State(
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda mode: torch.use_deterministic_algorithms(mode[0], warn_only=mode[1]),
    ),
    State(
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda mode: torch.autograd.set_detect_anomaly(*mode),
    ),
    *(attribute(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")),
    attribute(torch.backends.mkldnn, "enabled"),
    *_attention(),
    State(torch.get_num_threads, torch.set_num_threads),
    State(np.geterr, lambda kinds: np.seterr(**kinds)),
    State(np.geterrcall, np.seterrcall),
    State(np.get_printoptions, lambda options: np.set_printoptions(**options)),
    State(lambda: (list(warnings.filters), warnings.showwarning), _set_filters),
    State(partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
    State(_folder, _enter),
    *HOOKS,
    *INTERPRETER,
)
"""All state that is put back, beside the random generators and the gradient mode."""


@contextmanager
def isolated(seed: int | None = None, *, environment: bool = True) -> Iterator[None]:
    """Run user code inside; its changes to the process's state are undone after it.

    Args:
        seed: of the global random generators, see :func:`seeded`; None to leave them as they are.
        environment: whether changes to environment variables are undone too.
    """
    with ExitStack() as stack:
        stack.enter_context(seeded(seed))
        for state in (*([ENVIRONMENT] if environment else []), *STATES):
            before = state.read()
            stack.callback(_restore, state, before)
            if state.found is not AS_IT_IS and before != state.found:
                state.write(state.found)
        stack.enter_context(torch.inference_mode(False))  # gradients are recorded inside, and both modes are put back
        depth = sys.getrecursionlimit()
        try:
            yield
        finally:
            sys.setrecursionlimit(depth)  # first of all, since the rest needs a few calls


def _restore(state: State, before: Any) -> None:
    if state.read() != before:
        state.write(before)


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Run code that draws from Python's, NumPy's or PyTorch's global generators, and put their states back after it.

    Args:
        seed: 0 … 2³² - 1, for the draws inside; None to start from the generators as they are.
    """
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
