"""A split of a data set, and the checks that every loaded split passes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from targets.errors import InputError, TargetError

SplitName = Literal["train", "adversary", "evaluation"]


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) float32 in [0, 1] and labels (N,) int64."""

    images: Tensor
    labels: Tensor


Load = Callable[[SplitName], Split]


class Checked:
    """Loads a data set's splits and checks each one.

    Images of another floating type and labels of another integer type are cast. If the loader returns the same object
    again, the check is not repeated.

    Args:
        load: the data set's own loader.
        data: the data set's name, for messages.
        shape: (C, H, W) of its images.
        num_classes: K; labels are 0 … K-1.
        size: how many evaluation images there are; None where that is not known.
    """

    def __init__(
        self, load: Load, data: str, shape: tuple[int, int, int], num_classes: int, size: int | None = None
    ) -> None:
        self.load = load
        self.data = data
        self.shape = shape
        self.num_classes = num_classes
        self.size = size
        # The last object that the loader returned, and the checked split; None where that is the object itself, which
        # must not be kept alive here.
        self._last: dict[SplitName, tuple[weakref.ref[Split], Split | None]] = {}

    def __call__(self, name: SplitName) -> Split:
        """One split: images (N, C, H, W) float32 in [0, 1], labels (N,) int64 in 0 … K-1, both on the CPU.

        The adversary's labels, which no attack reads, may also be -1 for "not known".

        Raises:
            InputError: the loader raises, or returns anything else.
        """
        try:
            given = self.load(name)
        except (InputError, TargetError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever a plugin's loader raises
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise InputError(f"data set {self.data!r} cannot load its split {name!r}: {reason}") from error
        last, checked = self._last.get(name, (None, None))
        if last is None or last() is not given:
            checked = self._checked(name, given)
            self._last[name] = (weakref.ref(given), checked)
        return given if checked is None else checked

    def _checked(self, name: SplitName, given: object) -> Split | None:
        """The split with casts, or None if none is needed. Raises :class:`InputError` for an invalid one."""
        where = f"split {name!r} of data set {self.data!r}"
        if not isinstance(given, Split):
            raise InputError(f"{where} is of type {type(given).__name__}; give a targets.Split(images, labels)")
        try:
            split = Split(_images(given.images, self.shape), _labels(given, self.num_classes, name))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        if name == "evaluation" and self.size not in (None, len(split.images)):
            raise InputError(f"{where} has {len(split.images)} images, and the data set says size={self.size}")
        return None if split.images is given.images and split.labels is given.labels else split


def _images(images: object, shape: tuple[int, int, int]) -> Tensor:
    if not isinstance(images, Tensor):
        raise InputError(f"images are of type {type(images).__name__}; give tensors (torch.from_numpy makes them)")
    if not images.is_floating_point():
        advice = ": divide them by 255" if images.dtype == torch.uint8 else ""
        raise InputError(f"images are {_dtype(images)}; give floating numbers in [0, 1]{advice}")
    if images.ndim != 4 or tuple(images.shape[1:]) != shape:
        last = tuple(images.shape[1:]) == (*shape[1:], shape[0])
        advice = "; its channels come last: images.permute(0, 3, 1, 2)" if last else ""
        raise InputError(f"images have shape {tuple(images.shape)}; give (N, {', '.join(map(str, shape))}){advice}")
    if len(images) == 0:
        raise InputError("it has no images; give at least one")
    images = images.detach() if images.requires_grad else images
    images = images.to("cpu", torch.float32).contiguous()  # the same object where there is nothing to do
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= 0 and high <= 1):  # NaN is neither
        advice = "divide them by 255" if low >= 0 and high > 2 else "normalising is the network's part"
        raise InputError(f"images go from {low:g} to {high:g}; give finite numbers in [0, 1] ({advice})")
    return images


def _labels(split: Split, num_classes: int, name: SplitName) -> Tensor:
    labels: object = split.labels
    if not isinstance(labels, Tensor):
        raise InputError(f"labels are of type {type(labels).__name__}; give tensors (torch.from_numpy makes them)")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputError(f"labels are {_dtype(labels)}; give whole numbers, one an image: labels.long()")
    if labels.ndim != 1:
        advice = "; of one-hot labels take labels.argmax(1)" if labels.shape[1:] == (num_classes,) else ""
        raise InputError(f"labels have shape {tuple(labels.shape)}; give (N,), one an image{advice}")
    if len(labels) != len(split.images):
        raise InputError(f"{len(split.images)} images and {len(labels)} labels; give one label for each image")
    labels = labels.to("cpu", torch.int64).contiguous()
    low, high = (int(bound) for bound in labels.aminmax())
    if low < (-1 if name == "adversary" else 0) or high >= num_classes:
        advice = ": subtract 1" if (low, high) == (1, num_classes) else ""
        unknown = " (-1 stands for ABSTAIN; leave images without a label out)" if low == -1 else ""
        raise InputError(
            f"labels go from {low} to {high}; give 0 to {num_classes - 1} for {num_classes} classes{advice}{unknown}"
        )
    return labels


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
