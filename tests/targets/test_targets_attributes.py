"""What a network holds in plain attributes is part of what it is known by."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from targets.attributes import plain_attributes
from targets.models import SmallCNN
from targets.weights import module_digest


class Network(nn.Module):
    """The linear classifier of a test, that holds something."""

    def __init__(self, held: object = None) -> None:
        super().__init__()
        self.flat = nn.Flatten()
        self.held = held

    def forward(self, images):
        return self.flat(images)


class Heir(nn.Conv2d):
    """A layer of torch's that holds something."""

    def __init__(self, held: object = None) -> None:
        super().__init__(1, 1, 1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        self.held = held


@dataclass
class Scaling:
    """By how much."""

    mean: object


class Shift:
    """Of a plugin's own."""

    def __init__(self, mean: object) -> None:
        self.mean = mean


class Cycle:
    """Holds itself."""

    def __init__(self, mean: object) -> None:
        self.mean, self.itself = mean, self


def linear(mean: float) -> nn.Module:
    module = nn.Linear(1, 1)
    nn.init.constant_(module.weight, mean)
    nn.init.zeros_(module.bias)
    return module


def within(mean: float) -> nn.Module:
    """Two networks, each of which torch does not know the other to be part of."""
    one, two = Network(), Network(mean)
    one.held, two.other = [two], [one]
    return one


HELD = {
    "tensor": torch.tensor,
    "half": lambda mean: torch.tensor([mean], dtype=torch.bfloat16),
    "complex": lambda mean: torch.tensor([1j * mean]),
    "sparse": lambda mean: torch.tensor([0, mean]).to_sparse(),
    "parameter in a list": lambda mean: [nn.Parameter(torch.tensor(mean))],
    "array": np.array,
    "array of objects": lambda mean: np.array([None, {"mean": mean}], dtype=object),
    "scalar": np.float32,
    "number": float,
    "text": str,
    "bytes": lambda mean: str(mean).encode(),
    "dtype": lambda mean: torch.float64 if mean == 0.25 else torch.float32,
    "list": lambda mean: [0, [None, (mean,)]],
    "position": lambda mean: [None, 1] if mean == 0.25 else [1, None],
    "key": lambda mean: {mean: 1},
    "dict": lambda mean: {"a": {"b": torch.tensor(mean)}},
    "ordered": lambda mean: OrderedDict(a=mean),
    "set": lambda mean: {mean, 7.0},
    "dataclass": Scaling,
    "dataclass in a list": lambda mean: [Scaling(torch.tensor(mean))],
    "namespace": lambda mean: SimpleNamespace(mean=mean),
    "object": Shift,
    "cycle": Cycle,
    "distribution": lambda mean: torch.distributions.Normal(torch.tensor(mean), torch.tensor(1.0)),
    "partial": lambda mean: functools.partial(torch.add, mean),
    "method": lambda mean: Shift(mean).__init__,
    "closure": lambda mean: lambda images: images - mean,
    "default": lambda mean: lambda images, by=mean: images - by,
    "module in a list": lambda mean: [linear(mean)],
    "module in a module in a list": within,
}


@pytest.mark.parametrize("holder", [Network, Heir, lambda held: nn.Sequential(nn.Flatten(), Network(held))])
@pytest.mark.parametrize("kind", HELD)
def test_a_plain_attribute_is_in_the_digest(kind, holder):
    first, second, again = (module_digest(holder(HELD[kind](mean))) for mean in (0.25, 0.5, 0.25))
    assert first != second
    assert first == again


@pytest.mark.parametrize(
    "held",
    [
        None,
        [],
        {},
        (None,),
        object(),
        threading.Lock(),
        torch.Generator(),
        nn.Flatten,
        torch,
        len,
        lambda images: images,
    ],
    ids=lambda held: type(held).__name__,
)
def test_what_holds_nothing_that_counts_leaves_the_digest_as_it_always_was(held):
    assert plain_attributes(Network(held)) == b""
    assert module_digest(Network(held)) == module_digest(Network())


def test_networks_without_plain_attributes_have_the_digest_that_they_always_had():
    """Heirs of torch's classes too: what those set themselves is in the printed module."""

    class Mine(nn.Conv2d):
        """As it is."""

    class Our(SmallCNN):
        """As it is."""

    for module in (Network(), Heir(), SmallCNN(), Mine(1, 2, 3), Our(), nn.Sequential(nn.LSTM(2, 2), nn.GELU())):
        assert plain_attributes(module) == b""
    Mine.__module__ = Mine.__qualname__ = Mine.__name__ = "mine"
    with torch.no_grad():
        module = Mine(1, 1, 1)
        module.weight.zero_()
        module.bias.zero_()
    assert module_digest(module) == "a2e7aa70a25e71b2fb603f0e0c17b2cfaa4506b86fe25c9b3e86be2b838d0160"


def test_what_pruning_and_weight_normalisation_compute_from_parameters_does_not_count():
    """By rounding it differs between machines, and its parameters count."""
    heir = Heir()
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(heir)
    assert "weight" in vars(heir)
    assert plain_attributes(heir) == b""


def test_hooks_handles_and_addresses_do_not_count():
    """They differ between processes."""
    one, two = Network(), Network()
    for module in (one, two):
        module.handle = module.register_forward_hook(print)
        module.note = f"made by {object()}"
    assert one.handle.id != two.handle.id
    assert module_digest(one) == module_digest(two)


def test_the_digest_is_the_same_in_every_process():
    """Sets and objects have another order and address in each."""
    text = (
        "from test_targets_attributes import *\n"
        "held = [{str(n) for n in range(20)}, Scaling(object()), {Shift: 1, 'a': Shift('b')}, repr(object()), print]\n"
        "print(module_digest(Network(held)))"
    )
    root = Path(__file__).parents[2]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"}
    there = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    held = [{str(n) for n in range(20)}, Scaling(object()), {Shift: 1, "a": Shift("b")}, repr(object()), print]
    assert module_digest(Network(held)) == there.stdout.strip()


class Scripted(nn.Module):
    """A network for TorchScript, with a number in its code and two attributes."""

    def __init__(self, factor: int, mean: float, shift: float) -> None:
        super().__init__()
        self.factor, self.mean, self.shift = factor, torch.tensor([mean]), shift

    __constants__ = ("factor",)

    def forward(self, images):
        return (images - self.mean) * self.factor + self.shift


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda module: torch.jit.trace(module, torch.zeros(1, 1))])
def test_a_scripted_module_s_code_constants_and_attributes_are_in_its_digest(compiled, tmp_path):
    values = [(2, 0.5, 1.0), (3, 0.5, 1.0), (2, 0.25, 1.0), (2, 0.5, 2.0)]
    digests = [module_digest(compiled(Scripted(*value))) for value in values]
    assert len(set(digests)) == 4
    assert module_digest(compiled(Scripted(*values[0]))) == digests[0]
    torch.jit.save(compiled(Scripted(*values[0])), tmp_path / "n.pt")
    assert module_digest(torch.jit.load(tmp_path / "n.pt")) == module_digest(torch.jit.load(tmp_path / "n.pt"))
