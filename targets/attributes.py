"""Plain attributes of a network's modules: what it holds beside weights and buffers, which no state dict has.

``self.mean = torch.load(...)`` is neither in the state dict nor in the printed module, but it decides the answers.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import re
import sys
import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LIBRARIES = {"abstention_bench", "attacks", "benchmark", "leaderboard", "targets", "torch", "torchvision"}
"""Packages whose modules are fully described by the state dict and the printed module."""

DEPTH = 12
"""How deep containers and objects are read."""

_NOTES = {"normalisation", "abstention_bench_code"}
"""Attributes that this project sets on modules."""

_BASE = frozenset(vars(nn.Module()))
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_MANGLED = re.compile(r"___torch_mangle_\d+\.?")
_UNKNOWN = b"?"


def plain_attributes(module: nn.Module) -> bytes:
    """Tensors, arrays, numbers and texts that a module's parts hold as plain attributes; empty where they hold none.

    They count wherever they lie: in lists, tuples, sets, mappings, dataclasses, other objects, closures, and modules
    that are not registered as parts. For a scripted or traced module, its code, constants and attributes count. The
    result is the same in every process: objects without any of these do not count, and addresses are cut from texts.
    """
    return b"".join(_Reader().parts(module, DEPTH))


class _Reader:
    """Turns values into bytes, each of which begins with the value's kind."""

    def __init__(self) -> None:
        self._met: set[int] = set()  # modules whose parts are read, and the containers around the current value

    def parts(self, module: nn.Module, depth: int) -> Iterator[bytes]:
        """The attributes that count of each registered part, with their names."""
        self._met |= {id(part) for part in module.modules()}
        for place, part in module.named_modules():
            if isinstance(part, torch.jit.ScriptModule):
                held = dict(_scripted(part))
            elif _library(type(part)):
                continue
            else:
                held = {name: vars(part)[name] for name in vars(part).keys() - _BASE - _NOTES - _set_by(type(part))}
            for name in sorted(held):
                # weight_norm, spectral_norm and pruning compute these from parameters, which count already.
                derived = {f"{name}_g", f"{name}_orig"} & set(part._parameters.keys())
                value = None if derived else self.read(held[name], depth)
                if value is not None:
                    yield _joined(b"attribute", f"{place}.{name}".encode(), value)

    def read(self, value: Any, depth: int) -> bytes | None:
        """A value as bytes; None if nothing in it counts."""
        simple = _simple(value)
        if simple is not None or depth == 0 or id(value) in self._met:
            return simple
        self._met.add(id(value))
        try:
            return self._inside(value, depth - 1)
        finally:
            self._met.discard(id(value))

    def _inside(self, value: Any, depth: int) -> bytes | None:
        """A value that holds others, as bytes; None if nothing in it counts."""
        if isinstance(value, nn.Module):  # in a list, say, where torch does not see it
            kinds = " ".join(f"{type(part).__module__}.{type(part).__qualname__}" for part in value.modules())
            tensors = {**dict(value.named_buffers()), **value.state_dict()}
            state = self.read(tensors, depth) or _UNKNOWN
            return _joined(b"module", kinds.encode(), repr(value).encode(), state, *self.parts(value, depth))
        if isinstance(value, Mapping):
            pairs = [[self.read(part, depth) for part in pair] for pair in value.items()]
            known = [_joined(b"pair", key or _UNKNOWN, held) for key, held in pairs if held is not None]
            return _joined(b"mapping", *sorted(known)) if known else None
        if isinstance(value, set | frozenset):  # in an order that differs between processes
            known = [one for one in (self.read(item, depth) for item in value) if one is not None]
            return _joined(b"set", *sorted(known)) if known else None
        if isinstance(value, list | tuple | deque):
            items = [self.read(item, depth) for item in value]
            return _joined(b"list", *(item or _UNKNOWN for item in items)) if any(items) else None
        if isinstance(value, np.ndarray):  # of objects
            return self.read([str(value.shape), value.ravel().tolist()], depth)
        inner = _inner(value)
        found = None if inner is None else self.read(inner, depth)
        return None if found is None else _joined(b"object", type(value).__qualname__.encode(), found)


def _simple(value: Any) -> bytes | None:
    """A value that holds no others, as bytes; None for one that does."""
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        array = np.asarray(value)
        return _joined(b"array", f"{array.dtype} {array.shape}".encode(), array.tobytes())
    if isinstance(value, str):
        return _joined(b"text", _ADDRESS.sub("", value).encode(errors="surrogatepass"))
    if isinstance(value, bytes | bytearray):
        return _joined(b"bytes", bytes(value))
    if type(value) in (bool, int, float, complex) or isinstance(value, torch.dtype):
        return _joined(b"number", repr(value).encode())
    return None


def _tensor(tensor: Tensor) -> bytes:
    tensor = tensor.detach()
    kind = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    if tensor.is_meta:
        return _joined(b"tensor", kind)
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    tensor = tensor.cpu().resolve_conj().resolve_neg().contiguous()
    return _joined(b"tensor", kind, tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def _inner(value: Any) -> Any:
    """What an object holds; None for one that is not read."""
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, types.MethodType):
        return [value.__self__]
    if isinstance(value, types.FunctionType):
        return [_cells(value), value.__defaults__, value.__kwdefaults__]
    if isinstance(value, type | types.ModuleType):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    module = type(value).__module__
    # Objects of Python's library and of torch hold handles and counters, which differ between processes.
    room = module.partition(".")[0]
    closed = room in sys.stdlib_module_names or (room in LIBRARIES and room != "torchvision")
    if closed and type(value).__name__ not in ("SimpleNamespace", "Namespace") and "distributions" not in module:
        return None
    return getattr(value, "__dict__", None)


def _cells(function: types.FunctionType) -> list[Any]:
    """The values that a function closes over; None for those not yet set."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(None)
    return found


def _scripted(part: torch.jit.ScriptModule) -> Iterator[tuple[str, Any]]:
    """A scripted module's code, the constants in it, and the attributes that it names."""
    compiled: Any = part._c
    for method in sorted(compiled._method_names()):
        code, constants = compiled._get_method(method).code_with_constants
        yield f"{method}()", [_MANGLED.sub("", code), constants]
        for name in set(re.findall(r"\.(\w+)", code)):
            if compiled.hasattr(name):
                yield name, compiled.getattr(name)


def _library(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in LIBRARIES


def _set_by(kind: type) -> frozenset[str]:
    """The attributes that library classes among a class's bases set in their own code."""
    names: set[str] = set()
    for base in kind.__mro__:
        if _library(base) and base is not nn.Module:
            functions = [found for found in vars(base).values() if isinstance(found, types.FunctionType)]
            for function in functions:
                names |= {step.argval for step in dis.get_instructions(function) if step.opname == "STORE_ATTR"}
    return frozenset(names)


def _joined(kind: bytes, *parts: bytes) -> bytes:
    """Parts with their lengths, so that different lists of parts give different bytes."""
    return b"".join([kind, b"(", *(f"{len(part)}:".encode() + part for part in parts), b")"])
