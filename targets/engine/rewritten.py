"""Base classifiers rewritten for CPUs: the same function in a faster arithmetic."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional

from targets.precision import Bfloat16

EXACT = {torch.relu, functional.relu, "relu", nn.ReLU, operator.getitem, torch.flatten, "flatten", nn.Flatten}
"""The usual operations whose outputs are among their inputs, or 0, so that there is nothing to round."""

CASTS = {"to", "type", "type_as", "float", "double", "half", "bfloat16"}
"""Methods by which a module chooses a precision itself. Then tracing does not tell which operations round."""

LEAVES = (nn.RNNBase, nn.RNNCellBase)
"""Modules that hold many operations, each of which rounds in bfloat16."""


class Folded(nn.Module):
    """A float32 base classifier with batch normalisation folded into the convolutions, in channels-last layout.

    Raises:
        Exception: the module cannot be traced. Tracing runs it on symbols, which may raise anything.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        graph = fx.symbolic_trace(fuse(module.eval()))
        _pool_alike(graph)
        self.module = graph.to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W)."""
        logits: Tensor = self.module(images.contiguous(memory_format=torch.channels_last))
        return logits


class Rounded(nn.Module):
    """A bfloat16 base classifier computed in float32, with bfloat16's roundings.

    Its weights are bfloat16 values. The images and each operation's output are rounded to bfloat16. CPUs with bfloat16
    instructions do the same: they add products in float32 and round the sum. Only the order of addition differs, as
    between any two machines. Gradients are rounded at the same places as in the bfloat16 module, except that gradients
    that meet at a fork are added in float32 first.

    Raises:
        Exception: as :class:`Folded`.
    """

    def __init__(self, base: Bfloat16) -> None:
        super().__init__()
        graph = fx.GraphModule(*_Tracer().traced(copy.deepcopy(base.module).float()))
        _pool_alike(graph)
        _round_each(graph)
        self.module = graph.to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W)."""
        logits: Tensor = self.module(images.contiguous(memory_format=torch.channels_last))
        return logits


def rounded(value: Any) -> Any:
    """A float32 tensor rounded to bfloat16's values, and its gradient too; anything else as it is."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(torch.bfloat16).to(torch.float32)
    return value


class _Tracer(fx.Tracer):
    """Traces into every module that has parts, torch's own too, since they may round more than once inside."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) and not any(m.children())

    def traced(self, module: nn.Module) -> tuple[nn.Module, fx.Graph]:
        return module, self.trace(module)


def _round_each(graph: fx.GraphModule) -> None:
    """Round the images and the output of each operation, and let all later operations use the rounded values."""
    modules = dict(graph.named_modules())
    nodes = list(graph.graph.nodes)
    for position, node in enumerate(nodes):
        what = type(modules[node.target]) if node.op == "call_module" else node.target
        if what in CASTS or (isinstance(what, type) and issubclass(what, LEAVES)):
            raise ValueError(f"it chooses a precision or rounds inside {node.target}")
        if node.op in ("get_attr", "output") or what in EXACT:
            continue
        with graph.graph.inserting_after(node):
            result = graph.graph.call_function(rounded, (node,))
        later = set(nodes[position + 1 :])
        # A tensor that an operation wrote into is its output under another name.
        for written in (node, *(node.args[:1] if _in_place(node, modules) else ())):
            written.replace_all_uses_with(result, delete_user_cb=later.__contains__)
    graph.recompile()


def _in_place(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or bool(node.kwargs.get("inplace"))


def _pool_alike(graph: fx.GraphModule) -> None:
    """Compute means of whole planes by an operation that compiled code adds up in the same order."""
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target is functional.adaptive_avg_pool2d:
            size = (node.args[1:] or (node.kwargs.get("output_size"),))[0]
        elif node.op == "call_module" and isinstance(modules[node.target], nn.AdaptiveAvgPool2d):
            size = modules[node.target].output_size
        elif node.target in ("mean", torch.mean) and set(_dimensions(node)) in ({2, 3}, {-2, -1}):
            size = 1
        else:
            continue
        if size in (1, (1, 1), [1, 1]):
            kept = "mean" not in str(node.target) or bool(node.kwargs.get("keepdim"))
            node.op, node.target, node.args, node.kwargs = "call_function", whole_mean, (node.args[0], kept), {}
    graph.recompile()


def _dimensions(node: fx.Node) -> tuple[int, ...]:
    found = node.args[1] if len(node.args) == 2 else node.kwargs.get("dim")
    return tuple(found) if isinstance(found, tuple | list) else ()


def whole_mean(planes: Tensor, kept: bool) -> Tensor:
    """Means (N, C, 1, 1) of planes (N, C, H, W); (N, C) unless the dimensions are to be ``kept``."""
    means = functional.avg_pool2d(planes, planes.shape[2:])
    return means if kept else means.flatten(1)
