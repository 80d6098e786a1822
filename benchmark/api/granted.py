"""Access to a smoothed classifier for one attack, without a run."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from attacks import Access, Attack, Decision, Meter, Transfer
from benchmark.api.own_attacks import attack_name
from benchmark.api.own_targets import GIVEN, give_images
from benchmark.cell import Cell
from benchmark.plugins.registries import Snapshot
from benchmark.running import access_factory
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.surrogates import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from targets import InputError, SmoothedClassifier
from targets.limits import check_length, check_test, check_whole
from targets.noise import Streams


class Granted(NamedTuple):
    """What an attack needs beside images, labels and ε.

    Attributes:
        model: what the attack may do with the target.
        generator: its random numbers.
        meter: counts queries, and samples forward and backward, image by image.
    """

    model: Access
    generator: Streams
    meter: Meter


def grant(
    attack: Attack,
    target: SmoothedClassifier,
    images: Tensor,
    epsilon: float,
    *,
    indices: Sequence[int] | None = None,
    samples: int = 1000,
    alpha: float = 0.001,
    seed: int = 0,
    query_budget: int | None = None,
) -> Granted:
    """The access that an attack declares, to call it by hand.

    >>> model, generator, meter = grant(attack, target, images, 0.5)
    >>> adversarial = attack(model, images, labels, 0.5, generator)
    >>> answers = target.predict(adversarial, purpose="evaluation")

    With the images' indices in their data set it returns what it returns in a run of the same images, n, alpha and
    seed. The budget rule is the caller's then: nothing checks norm and range.

    Args:
        images: the batch (N, C, H, W) in [0, 1] that the attack will be called with.
        epsilon: the ℓ2 budget that it will be called with.
        indices: of the images in their data set, which key all random numbers; None for 0 … N-1.
        samples, alpha: PREDICT's n and level.
        seed: of every random stream.
        query_budget: most queries an image; None for no limit.

    Raises:
        InputError: a number is out of range, or the attack has images of its own or a surrogate and the target names no
            data set, which has them.
    """
    check_length("epsilon", epsilon)
    check_test(samples, alpha)
    check_whole("seed", seed)
    if query_budget is not None:
        check_whole("query_budget", query_budget, least=1)
    chosen = tuple(range(len(images)) if indices is None else map(int, indices))
    if len(chosen) != len(images):
        raise InputError(f"{len(images)} images and {len(chosen)} indices; give one for each image")
    name, kind = attack_name(attack), attack.access
    if not target.data and issubclass(kind, Decision | Transfer):
        raise InputError(
            f"an attack of {kind.kind} access uses the data set of the target, and {target.name!r} names none; give "
            "SmoothedClassifier(…, data=NAME)"
        )
    meter = Meter(len(images), query_budget)
    suite = Suite(name="by hand", samples=samples, alpha=alpha, seed=seed)
    before = Snapshot.take()
    folder = Path(tempfile.mkdtemp(prefix="abstention-bench-"))  # of surrogates, which are trained when asked for
    try:
        if not target.data:
            give_images((images, images.new_zeros(len(images)).long()), target.num_classes, ())
            target = dataclasses.replace(target, data=GIVEN)
        cell = Cell(suite, target, name, attack, float(epsilon), chosen, query_budget)
        surrogates = Surrogates(Store.open(folder), target, samples, alpha, seed)
        model = access_factory.grant(cell, meter, CellSurrogates(surrogates))
        weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        before.restore()
    return Granted(model, Streams((seed, target.name, "attack", name, repr(float(epsilon))), chosen), meter)
