"""The contract of targets, clause by clause."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.kit.clause import Broken, Clause, NotApplicable
from benchmark.kit.elsewhere import ask
from targets import ABSTAIN, TARGETS, InputError, SmoothedClassifier, Split, Target, TargetError, load
from targets.data import evenly_spaced
from targets.data.split import SplitName
from targets.isolation import isolated

IMAGES = 50
"""Evaluation images that PREDICT is asked of."""

SAMPLES, ALPHA = 100, 0.001
"""PREDICT's n and level there."""


@dataclass
class TargetBench:
    """A target by its registered name.

    Attributes:
        plugin: the file that registers it, for another process to load; None for one that is installed.
        least_accuracy: on noisy evaluation images, that PREDICT must have.
    """

    name: str
    plugin: Path | None = None
    least_accuracy: float = 0.0

    @property
    def target(self) -> Target:
        """As it is registered."""
        return TARGETS[self.name]

    @cached_property
    def _loaded(self) -> SmoothedClassifier | InputError | TargetError:
        try:
            return load(self.name, "cpu")
        except (InputError, TargetError) as error:
            return error

    @property
    def loaded(self) -> SmoothedClassifier:
        """The smoothed classifier. Raises :class:`NotApplicable` where it cannot be loaded."""
        if not isinstance(self._loaded, SmoothedClassifier):
            raise NotApplicable("the target does not load")
        return self._loaded

    @property
    def error(self) -> str | None:
        """Why it cannot be loaded."""
        return None if isinstance(self._loaded, SmoothedClassifier) else str(self._loaded)

    def split(self, name: SplitName) -> Split:
        """A split of its data set. Raises :class:`Broken` where that is none."""
        try:
            return self.target.data_set.split(name)
        except (InputError, TargetError) as error:
            raise Broken(str(error)) from error


def _described(bench: TargetBench) -> str:
    if not bench.target.description:
        raise Broken("it has no description; give its function a docstring, whose first line is shown in lists")
    return f"σ = {bench.target.sigma:g}, data set {bench.target.data}: {bench.target.description}"


def _loads(bench: TargetBench) -> str:
    """What :func:`targets.load` refuses: logits of another shape, not finite, or not a function of the image alone."""
    if bench.error is not None:
        raise Broken(bench.error)
    with isolated():
        size = sum(tensor.numel() for tensor in bench.loaded.base_classifier.state_dict().values())
    return f"{size:,} numbers; its logits are finite and of one image alone"


def _evaluation(bench: TargetBench) -> str:
    split, data = bench.split("evaluation"), bench.target.data_set
    return f"{len(split.images):,} images {data.shape}, {data.num_classes} classes"


def _apart(bench: TargetBench) -> str:
    """No evaluation image is one that the target was trained on, or that the adversary knows."""
    evaluation = bench.split("evaluation").images
    data, found = bench.target.data_set, []
    for name in ("train", "adversary"):
        try:
            known = data.split(name).images
        except InputError:
            found.append(f"no {name}")
            continue
        seen = set(map(_digest, known))
        same = [index for index, image in enumerate(evaluation) if _digest(image) in seen]
        if name == "adversary":
            same = [index for index in same if index % data.held_back == 0]
        if same:
            raise Broken(f"{len(same):,} evaluation images (image {same[0]}) are in the split {name!r}, too")
        found.append(f"{len(known):,} of {name}")
    return f"{', '.join(found)}: none of them is an evaluation image"


def _digest(image: Tensor) -> bytes:
    return hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest()


def _input(bench: TargetBench) -> str:
    images = bench.split("evaluation").images[:4]
    given = images.clone().to(bench.loaded.device)
    with isolated(), torch.no_grad():
        bench.loaded.base_classifier(given)
    if not torch.equal(given.cpu(), images):
        return "the base classifier writes into its input, which is always a copy here"
    return "left alone"


def _gradient(bench: TargetBench) -> str:
    images = bench.split("evaluation").images[:4]
    with isolated():
        given = images.clone().to(bench.loaded.device).requires_grad_()
        logits = bench.loaded.logits(given)
        if not logits.requires_grad:
            raise Broken("its logits are detached from its input, so white-box attacks cannot run")
        (gradient,) = torch.autograd.grad(logits.max(1).values.sum(), given)
    if not bool(torch.isfinite(gradient).all()):
        raise Broken("its gradients hold NaN or infinite values, on which white-box attacks rest")
    flat = int((gradient.flatten(1).abs().amax(1) == 0).sum())
    if flat == len(images):
        raise Broken("its gradients are all zero, so white-box attacks say nothing of it")
    return "finite, and not zero"


def _repeats(bench: TargetBench) -> str:
    digest = bench.loaded.digest
    if load(bench.name, "cpu").digest != digest:
        raise Broken("loaded twice it is two networks; seed what its function draws")
    return "loaded twice it is the same network"


def _process(bench: TargetBench) -> str:
    digest = bench.loaded.digest
    plugin = None if bench.plugin is None else str(bench.plugin.absolute())
    if ask({"what": "target", "name": bench.name, "plugin": plugin})["digest"] != digest:
        raise Broken(
            "in another process it is another network: its weights must not depend on time, or on the order of sets"
        )
    return "in another process it is the same network"


def _answers(bench: TargetBench) -> str:
    split = bench.split("evaluation")
    rows = torch.tensor(evenly_spaced(len(split.images), min(IMAGES, len(split.images))))
    with isolated():
        answers = bench.loaded.predict(split.images[rows], SAMPLES, ALPHA)
    accuracy = float(np.mean(answers == split.labels[rows].numpy()))
    abstention = float(np.mean(answers == ABSTAIN))
    text = f"accuracy {accuracy:.0%}, abstention {abstention:.0%} on {len(rows)} images at n = {SAMPLES}"
    if accuracy < bench.least_accuracy:
        raise Broken(f"{text}; at least {bench.least_accuracy:.0%} are asked for")
    if accuracy + abstention <= 1 / bench.target.data_set.num_classes:
        return f"{text}, which is chance; is its normalisation, its σ or the order of labels another?"
    return text


def _time(bench: TargetBench) -> str:
    images = bench.split("evaluation").images[:1]
    with isolated():
        bench.loaded.votes(images, SAMPLES)
        begun = time.perf_counter()
        bench.loaded.votes(images, 1000)
    seconds = time.perf_counter() - begun
    return f"{1000 / seconds:,.0f} noise samples a second, so {seconds:.2g} s an image at n = 1,000"


TARGET_CLAUSES: tuple[Clause[TargetBench], ...] = (
    Clause("described", _described),
    Clause("loads", _loads),
    Clause("data", _evaluation),
    Clause("splits", _apart),
    Clause("input", _input),
    Clause("gradient", _gradient),
    Clause("repeats", _repeats),
    Clause("process", _process),
    Clause("answers", _answers),
    Clause("time", _time),
)
"""In the order in which they are told."""
