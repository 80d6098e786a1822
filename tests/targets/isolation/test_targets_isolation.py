"""Whatever user code does to the process is undone after it."""

from __future__ import annotations

import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.modules import module as modules
from torch.optim import optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from targets.isolation.isolated import ENVIRONMENT, STATES, isolated, seeded


def newer(owner: str, name: str, value: str) -> Callable[[], object]:
    """Sets one of PyTorch's newer switches, where it has them."""

    def act() -> None:
        part = getattr(torch.backends, owner)
        for step in name.split("."):
            part = getattr(part, step, None)
        if hasattr(part, "fp32_precision"):
            part.fp32_precision = value

    return act


def entered(context: Any) -> object:
    """A context that is entered and never left."""
    context.__enter__()
    return context


class Zeros(TorchFunctionMode):
    """Every ReLU gives zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result * 0 if func is torch.relu else result


class Twice(TorchDispatchMode):
    """Every product is doubled."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result + result if func is torch.ops.aten.mul.Tensor else result


def hook(*_: object) -> None:
    """Does nothing, wherever it is called."""


def closed(number: int) -> Callable[[], object]:
    """Closes a descriptor, which is opened again at the end of the test (see :func:`descriptors`)."""
    return lambda: os.close(number)


def forget(kept: list[object]) -> None:
    """Leave the contexts that were entered: PyTorch's put back what they found when they are forgotten."""
    contexts = any(hasattr(one, "__exit__") for one in kept)
    with isolated():
        kept.clear()
        if contexts:
            gc.collect()
    logging.captureWarnings(False)


DEEDS: dict[str, Callable[[], object]] = {
    "gradients": lambda: torch.set_grad_enabled(False),
    "inference": lambda: entered(torch.inference_mode()),
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "autocast": lambda: entered(torch.autocast("cpu", torch.bfloat16)),
    "matmul": lambda: torch.set_float32_matmul_precision("medium"),
    "newer matmul": newer("cuda", "matmul", "tf32"),
    "newer convolution": newer("mkldnn", "conv", "bf16"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "cudnn": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "tf32": lambda: setattr(torch.backends.cudnn, "allow_tf32", not torch.backends.cudnn.allow_tf32),
    "mkldnn": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "numpy errors": lambda: np.seterr(all="raise"),
    "numpy error call": lambda: np.seterrcall(lambda *_: None),
    "numpy prints": lambda: np.set_printoptions(precision=2, formatter={"float": str}),
    "warnings": lambda: warnings.simplefilter("ignore"),
    "shown warnings": lambda: logging.captureWarnings(True),
    "environment": lambda: os.environ.update(ABSTENTION_BENCH_TEST="1"),
    "less environment": lambda: os.environ.pop("PATH"),
    "folder": lambda: os.chdir("/"),
    "output": lambda: setattr(sys, "stdout", None),
    "errors": lambda: setattr(sys, "stderr", None),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "interrupt": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "end": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "any other signal": lambda: signal.signal(signal.SIGALRM, hook),
    "blocked signals": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]),
    "an alarm": lambda: signal.alarm(1000),
    "a timer of work": lambda: signal.setitimer(signal.ITIMER_PROF, 1000, 1000),
    "closed output": closed(1),
    "trace": lambda: sys.settrace(hook),
    "profile": lambda: sys.setprofile(hook),
    "threads' trace": lambda: threading.settrace(hook),
    "threads' profile": lambda: threading.setprofile(hook),
    "recursion": lambda: sys.setrecursionlimit(300),
    "switches": lambda: sys.setswitchinterval(0.5),
    "no collection": gc.disable,
    "late collection": lambda: gc.set_threshold(10**6),
    "uncaught errors": lambda: setattr(sys, "excepthook", hook),
    "threads' errors": lambda: setattr(threading, "excepthook", hook),
    "denormals": lambda: torch.set_flush_denormal(True),
    "attention": lambda: torch.backends.cuda.enable_flash_sdp(False),
    "fast path": lambda: torch.backends.mha.set_fastpath_enabled(False),
    "hook before": lambda: modules.register_module_forward_pre_hook(hook),
    "hook behind": lambda: modules.register_module_forward_hook(hook, with_kwargs=True, always_call=True),
    "hook of gradients": lambda: modules.register_module_full_backward_hook(hook),
    "hook before gradients": lambda: modules.register_module_full_backward_pre_hook(hook),
    "hook of parameters": lambda: modules.register_module_parameter_registration_hook(hook),
    "hook of buffers": lambda: modules.register_module_buffer_registration_hook(hook),
    "hook of modules": lambda: modules.register_module_module_registration_hook(hook),
    "hook of optimizers": lambda: optimizer.register_optimizer_step_pre_hook(hook),
    "hook behind optimizers": lambda: optimizer.register_optimizer_step_post_hook(hook),
    "function mode": lambda: entered(Zeros()),
    "dispatch mode": lambda: entered(Twice()),
    "device entered": lambda: entered(torch.device("meta")),
    "saved tensors": lambda: entered(torch.autograd.graph.saved_tensors_hooks(torch.sign, torch.sign)),
    "python's generator": lambda: random.seed(1),
    "numpy's generator": lambda: np.random.seed(1),  # noqa: NPY002
    "torch's generator": lambda: torch.manual_seed(1),
}


WITHOUT_EFFECT = {"newer matmul", "newer convolution", "locale"}
"""Here or elsewhere: where PyTorch has no such switch, or where it is so already."""


def everything() -> dict[str, Any]:
    """All that there is to change, to be compared."""
    kind, words, *rest = np.random.get_state()  # noqa: NPY002
    found: dict[str, Any] = {str(i): state.read() for i, state in enumerate((*STATES, ENVIRONMENT))}
    found["depth"] = sys.getrecursionlimit()
    found["modes"] = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    found["generators"] = kind, words.tolist(), rest, random.getstate(), torch.get_rng_state().tolist()
    return found


@pytest.fixture(autouse=True)
def descriptors():
    """Standard output is afterwards what it was."""
    kept = os.dup(1)
    yield
    os.dup2(kept, 1)
    os.close(kept)


@pytest.mark.parametrize("deed", DEEDS)
def test_each_is_as_it_was_before(deed):
    before = everything()
    kept: list[object] = []  # so that a context that was entered is not left by being forgotten
    with isolated():
        inside = everything()
        kept.append(DEEDS[deed]())
        assert everything() != inside or deed in WITHOUT_EFFECT
    assert everything() == before
    with suppress(ZeroDivisionError), isolated(7):
        kept.append(DEEDS[deed]())
        raise ZeroDivisionError
    assert everything() == before
    forget(kept)


def test_all_at_once_and_all_of_pytorch_s_old_and_new_switches():
    before = everything()
    kept: list[object] = []
    with isolated(3):
        kept += [deed() for deed in DEEDS.values()]
    assert everything() == before
    forget(kept)
    assert everything() == before


def test_what_user_code_finds_does_not_depend_on_what_was_done_outside():
    with isolated():
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_float32_matmul_precision("medium")
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), isolated():
            assert torch.is_grad_enabled()
            assert (torch.ones(2, requires_grad=True) * 2).requires_grad
            assert torch.ones(1).dtype == torch.float32
            assert torch.ones(1).device.type == "cpu"
            assert not torch.is_autocast_enabled("cpu")
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_device().type == "meta"


def test_what_others_have_registered_or_entered_is_not_there_inside_and_is_back_after():
    module, images = torch.nn.Linear(2, 2), torch.ones(1, 2)
    plain = module(images)
    handle = modules.register_module_forward_hook(lambda *_: torch.zeros(1))
    saved = torch.autograd.graph.saved_tensors_hooks(lambda kept: kept * 0, lambda kept: kept)
    try:
        with Zeros(), Twice(), torch.device("meta"), saved:
            before = everything()
            with isolated():
                assert torch.equal(module(images), plain)
                assert float(torch.relu(torch.ones(1)) * 3) == 3
                value = torch.tensor(3.0, requires_grad=True)
                (value * value).backward()
                assert value.grad == 6
            assert everything() == before
            assert module(images.cpu()).shape == (1,)
            assert torch.ones(1).device.type == "meta"
    finally:
        handle.remove()
    assert torch.equal(module(images), plain)
    assert torch.ones(1).device.type == "cpu"


def test_a_hook_can_be_removed_after_it_was_put_back():
    handle = modules.register_module_forward_pre_hook(hook)
    with isolated():
        modules.register_module_forward_pre_hook(hook)
    handle.remove()
    assert not modules._global_forward_pre_hooks


@pytest.mark.parametrize("margin", [0, 1, 2, 4])
def test_a_depth_at_which_hardly_a_call_is_left_is_no_hindrance(margin):
    before = everything()

    def deed() -> None:
        torch.set_default_dtype(torch.float64)
        limit = 10
        while True:
            try:
                return sys.setrecursionlimit(limit + margin)
            except RecursionError:  # deeper than that already
                limit += 1

    with isolated():
        deed()
    assert everything() == before


def test_the_rest_is_put_back_where_one_piece_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")

    @isolated()
    def deed() -> None:
        torch.set_default_dtype(torch.float64)
        os.chdir(tmp_path)
        (tmp_path / "gone").rmdir()

    with pytest.raises(FileNotFoundError):
        deed()
    assert torch.get_default_dtype() == torch.float32


def test_in_a_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with isolated():
        pass


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002


def test_a_seed_makes_the_draws_from_global_generators_again_and_another_makes_others():
    found = []
    for seed in (1, 1, 2):
        with seeded(seed):
            found.append(drawn())
        drawn()
    assert found[0] == found[1]
    assert all(a != b for a, b in zip(found[0], found[2], strict=True))
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    expected = drawn()
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    with isolated(), seeded(None):
        assert drawn() == expected
    assert drawn() == expected
