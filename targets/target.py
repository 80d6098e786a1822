"""The registry of targets: how one is registered by name, and loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args

import torch
from torch import nn

from targets.data import DATA, DataSet
from targets.defences import Defence, Gaussian
from targets.errors import InputError, TargetError
from targets.isolation import isolated
from targets.limits import check_length
from targets.precision import SUFFIX, Precision, in_precision
from targets.probe import probe
from targets.registry import Registry, unknown
from targets.smoothing import SmoothedClassifier
from targets.training import Recipe
from targets.weights import FOLDER, load_weights, module_digest

Build = TypeVar("Build", bound=Callable[[], nn.Module])


@dataclass(frozen=True)
class Target:
    """What the registry knows of a target before it is loaded.

    Attributes:
        name: e.g. ``"cifar10-sigma0.50"``.
        sigma: standard deviation of the smoothing noise, in [0, 1] pixel units.
        data: name of the data set that it classifies.
        build: makes the base classifier, with its weights; where ``sha256`` is given, the architecture alone.
        sha256: digest of the shipped weights ``weights/NAME.safetensors``.
        recipe: how ``benchmark train`` trains the weights again; None where it cannot.
        description: one line.
        version: version of the plugin's code. It is part of the digest, since an edited plugin may build another module
            around the same weights.
        precision: in which the base classifier computes. In bfloat16 it is a classifier of its own, so its name ends in
            "-bf16". It shares weights and noise streams with the name without that.
        defence: the training method, whose loss the recipe minimises. It says nothing where ``recipe`` is None.
        chosen: how the defence's hyper-parameters were chosen, in a sentence; model cards print it.
    """

    name: str
    sigma: float
    data: str
    build: Callable[[], nn.Module]
    sha256: str | None = None
    recipe: Recipe | None = None
    description: str = ""
    version: str = ""
    precision: Precision = "float32"
    defence: Defence = field(default_factory=Gaussian)
    chosen: str = ""

    @property
    def stem(self) -> str:
        """The name without its precision."""
        return self.name.removesuffix(SUFFIX) if self.precision == "bfloat16" else self.name

    @property
    def data_set(self) -> DataSet:
        """The data set that the target classifies."""
        return DATA[self.data]

    @property
    def weights(self) -> Path:
        """The file of the shipped weights."""
        return FOLDER / f"{self.stem}.safetensors"


TARGETS: Registry[Target] = Registry("target")


def register(
    name: str, *, sigma: float, data: str, description: str = "", precision: Precision = "float32"
) -> Callable[[Build], Build]:
    """Register a target: decorate a function without arguments that returns the base classifier.

    Args:
        name: the target's name, e.g. ``"digits-mine"``.
        sigma: standard deviation of the smoothing noise, in [0, 1] pixel units.
        data: name of the data set it classifies, e.g. ``"digits"``.
        description: one line; the first of the function's docstring where none is given.
        precision: in which the base classifier computes; "bfloat16" is for names that end in "-bf16".

    Raises:
        InputError: the name is taken or does not fit the precision, sigma is not above 0 and finite, or the data set
            or the precision is unknown.
    """
    check_length(f"sigma of target {name!r}", sigma)
    if precision not in get_args(Precision):
        raise unknown("precision", precision, get_args(Precision))
    if name.endswith(SUFFIX) != (precision == "bfloat16"):
        stem = name.removesuffix(SUFFIX)
        better = stem + SUFFIX if precision == "bfloat16" else stem
        raise InputError(
            f"target {name!r} computes in {precision}; only names of bfloat16 targets end in {SUFFIX}, and all do; "
            f"name it {better!r}"
        )
    DATA[data]

    def decorate(build: Build) -> Build:
        doc = (description or build.__doc__ or "").strip().splitlines()
        TARGETS.add(name, Target(name, sigma, data, build, description=doc[0] if doc else "", precision=precision))
        return build

    return decorate


def device_named(device: str) -> torch.device:
    """ "auto" (CUDA where there is one), "cpu" or "cuda" → a device. Raises :class:`InputError`."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device!r} asked for, but PyTorch sees no CUDA device; use --device cpu")
    try:
        return torch.device(device)
    except RuntimeError:
        raise InputError(f"unknown device {device!r}; give auto, cpu or cuda") from None


@isolated(0)
def load(name: str, device: str = "auto") -> SmoothedClassifier:
    """The smoothed classifier registered as ``name``.

    Raises:
        InputError: unknown name or device.
        TargetError: the weights are missing or damaged, the builder does not return an ``nn.Module``, or the module's
            output for an image is not finite logits that depend on this image alone (:func:`targets.probe.probe`).
    """
    target = TARGETS[name]
    module = target.build()
    if not isinstance(module, nn.Module):
        raise TargetError(f"target {name!r} must return a torch.nn.Module, not {type(module).__name__}")
    if target.sha256 is not None:
        module = load_weights(module, target.weights, target.sha256)
    digest = target.sha256 or module_digest(module)
    note = vars(module).get("normalisation", "")
    loaded = SmoothedClassifier(
        in_precision(module, target.precision),
        sigma=target.sigma,
        num_classes=target.data_set.num_classes,
        name=name,
        digest=f"{digest}+{target.version}" if target.version else digest,
        data=target.data,
        device=device_named(device),
        stream=target.stem,
        note=note,
    )
    probe(loaded, target.data_set.shape)
    return loaded
