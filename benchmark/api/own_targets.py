"""Targets and images of a run: names, or objects of the user's own, registered while the run lasts."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchmark.api.code import code_version
from targets import DATA, TARGETS, DataSet, InputError, SmoothedClassifier, Split, Target, load
from targets.data.split import SplitName
from targets.weights import module_digest

OneTarget = str | SmoothedClassifier
"""The name (or pattern) of registered targets, or a smoothed classifier."""

Labelled = tuple[Tensor, Tensor]
"""Images (N, C, H, W), floating numbers in [0, 1], and labels (N,), whole numbers from 0 to K − 1."""

GIVEN = "given"
"""The name of the data set that tensors become."""


def register_targets(given: OneTarget | Iterable[OneTarget]) -> list[str]:
    """Register smoothed classifiers that are not registered yet. Each is copied when the run loads it.

    Returns:
        Names and patterns.

    Raises:
        InputError: something else than a target, a name that another target has, or no such data set.
    """
    names = []
    for one in [given] if isinstance(given, str | SmoothedClassifier | nn.Module) else given:
        if isinstance(one, str):
            names.append(one)
        elif isinstance(one, SmoothedClassifier):
            if one.name in names or not _is_registered(one):
                _register(one)
            names.append(one.name)
        else:
            raise InputError(
                f"a target is given as {type(one).__name__}; give a registered name, or "
                "targets.SmoothedClassifier(module, sigma=…, num_classes=…, name=…)"
            )
    return names


def _is_registered(given: SmoothedClassifier) -> bool:
    """Whether it is the registered target of its name: the same σ, data and weights."""
    if given.name not in TARGETS:
        return False
    target = TARGETS[given.name]
    if (target.sigma, target.data) != (given.sigma, given.data):
        return False
    return module_digest(load(given.name, "cpu").base_classifier) == module_digest(given.base_classifier)


def _register(given: SmoothedClassifier) -> None:
    if given.name in TARGETS:
        raise InputError(f"there is another target {given.name!r}; give yours its own: SmoothedClassifier(…, name=…)")
    if given.data and DATA[given.data].num_classes != given.num_classes:
        classes = f"{given.num_classes} classes, its data set {given.data!r} {DATA[given.data].num_classes}"
        raise InputError(f"target {given.name!r} has {classes}")
    parts = {type(part) for part in given.base_classifier.modules()}
    TARGETS.add(
        given.name,
        Target(
            given.name,
            given.sigma,
            given.data or GIVEN,
            partial(copy.deepcopy, given.base_classifier),
            version=code_version(*parts),
        ),
    )


def stamp(names: Iterable[str]) -> None:
    """Put the version of its builder's code into each of these targets that has none, as loading a plugin does."""
    for name in names:
        target = TARGETS[name]
        if not target.version and target.sha256 is None and not _is_copy(target.build):
            TARGETS.replace(name, dataclasses.replace(target, version=code_version(target.build)))


def _is_copy(build: Any) -> bool:
    return isinstance(build, partial) and build.func is copy.deepcopy


def check_data(names: Sequence[str]) -> None:
    """Raise :class:`InputError` for the first of these targets that has no data set."""
    for name in names:
        if TARGETS[name].data == GIVEN and GIVEN not in DATA:
            raise InputError(
                f"target {name!r} names no data set; give images=(images, labels), or "
                f"SmoothedClassifier(…, data=NAME), one of: {', '.join(sorted(DATA))}"
            )


def give_images(given: Labelled, num_classes: int, names: Iterable[str]) -> int:
    """Make images and their labels the data set of these targets.

    Args:
        num_classes: K.

    Returns:
        The number of images.

    Raises:
        InputError: they are no such tensors.
    """
    images, labels = given
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor) or images.ndim != 4 or not len(images):
        raise InputError("images is no pair of tensors; give (images (N, C, H, W), labels (N,)), or a number")
    split = Split(images.detach().cpu(), labels.detach().cpu())

    def splits(name: SplitName) -> Split:
        if name == "evaluation":
            return split
        raise InputError(
            f"images=(images, labels) has no split {name!r}, which some of these attacks need: leave out those of "
            "transfer, hybrid and decision access, or register a data set (docs/data.md)"
        )

    channels, height, width = images.shape[1:]
    DATA.add(DataSet(GIVEN, num_classes, (channels, height, width), splits))
    for name in names:
        TARGETS.replace(name, dataclasses.replace(TARGETS[name], data=GIVEN))
    return len(images)
