"""The run of a suite from Python, with names or objects of the user's own."""

from __future__ import annotations

import argparse
import dataclasses
import operator
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

from attacks import ATTACKS
from benchmark.api.own_attacks import Attacks, register_attacks, set_words, stamped
from benchmark.api.own_targets import (
    Labelled,
    OneTarget,
    check_data,
    give_images,
    register_targets,
    stamp,
)
from benchmark.api.result import Result, gathered
from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import write_board
from benchmark.commands.run_options import OVERRIDES, asked_options, chosen_suite
from benchmark.key import settings_key
from benchmark.plugins.registries import Snapshot
from benchmark.running import runner
from benchmark.suite import Suite
from benchmark.suite_file import DEFAULT, load_suite
from benchmark.terminal.progress import reporter
from leaderboard import Store
from targets import DATA, TARGETS, InputError, SmoothedClassifier
from targets.target import device_named


def run(
    targets: OneTarget | Iterable[OneTarget] | None = None,
    attacks: Attacks | None = None,
    *,
    epsilons: SupportsFloat | Iterable[SupportsFloat] | None = None,
    images: SupportsIndex | Labelled | None = None,
    samples: SupportsIndex | None = None,
    alpha: SupportsFloat | None = None,
    seed: SupportsIndex | None = None,
    query_budgets: SupportsIndex | Iterable[SupportsIndex] | None = None,
    ceiling_samples: SupportsIndex | None = None,
    ceiling_samples_max: SupportsIndex | None = None,
    best_of: bool | None = None,
    suite: str = DEFAULT,
    results: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> Result:
    """Run attacks on targets, as ``python -m benchmark run`` does: the same names give the same results to the bit.

    What is left out is as in the suite. Nothing is written unless ``results`` is given.

    Args:
        targets: registered names or patterns, or smoothed classifiers:
            ``targets.SmoothedClassifier(module, sigma=0.5, num_classes=10, name="mine", data="digits")``. Such a
            classifier is copied and left as it is.
        attacks: registered names or patterns, attacks with their hyper-parameters (``Margin(steps=30)``), or classes
            of attacks. Several objects of one class need names: ``{"short": Mine(steps=3), "long": Mine(steps=30)}``.
        epsilons: ℓ2 budgets in [0, 1] pixel units, above 0.
        images: a number of evaluation images, evenly spaced over those of the target's data set; or images
            (N, C, H, W) in [0, 1] and labels (N,), all of which are used.
        samples: PREDICT's n.
        alpha: PREDICT's level, above 0 and at most 0.5.
        seed: of every random stream.
        query_budgets: most queries an image; attacks of metered access run once for each.
        ceiling_samples: noise samples an image behind its ceiling.
        ceiling_samples_max: the most noise samples behind a ceiling, where more may decide; 0 for no more.
        best_of: whether each access class gets a row with the best of its attacks, image by image.
        suite: a suite's name, or a TOML file.
        results: a results folder, made if absent: cells that it holds are not run again, and the board is written to
            it.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        quiet: whether to print no progress.

    Raises:
        InputError: an argument cannot be run. The message is one line that says what to do.
        TargetError: a target cannot be loaded.
        StoreError: ``results`` is no results folder.
    """
    load_plugins(())
    device_named(device)
    given = _numbers(
        epsilons=epsilons,
        images=None if isinstance(images, tuple) else images,
        samples=samples,
        alpha=alpha,
        seed=seed,
        query_budgets=query_budgets,
        ceiling_samples=ceiling_samples,
        ceiling_samples_max=ceiling_samples_max,
        best_of=best_of,
    )
    with _registered(targets, attacks, suite, given, images) as (wanted, options):
        folder = Path(tempfile.mkdtemp(prefix="abstention-bench-")) if results is None else Path(results)
        try:
            store = Store.open(folder, settings_key)
            progress = reporter(runner.count_cells(wanted), wanted.attack_names(), quiet)
            try:
                summary = runner.run(wanted, store, device, progress, options)
            finally:
                progress.close()
            result = gathered(store, summary.keys, wanted.images)
        except BaseException:
            if results is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    if results is None:
        weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    else:
        write_board(store, folder)
    return result


def _numbers(**given: Any) -> dict[str, Any]:
    """The suite's keys that are given, as Python's own numbers: others would change the keys of cells.

    Raises:
        InputError: one is no number.
    """
    numbers = {}
    for name, value in given.items():
        kind = float if name in ("epsilons", "alpha") else bool if name == "best_of" else operator.index
        try:
            if value is not None:
                several = name in ("epsilons", "query_budgets")
                numbers[name] = [kind(one) for one in _listed(value)] if several else kind(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} is {value!r}: {error}") from error
    return numbers


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) else [value]


@contextmanager
def _registered(
    targets: Any, attacks: Any, suite: str, given: dict[str, Any], images: Any
) -> Iterator[tuple[Suite, list[str]]]:
    """The suite that the arguments ask for, and the options that ask for the same. What is not registered is meanwhile.

    Raises:
        InputError: it cannot be run.
    """
    given = dict(given)
    settings: dict[str, dict[str, Any]] = {}
    before = Snapshot.take()
    with ExitStack() as stack:
        stack.callback(before.restore)
        base = load_suite(suite)
        if targets is not None:
            given["targets"] = register_targets(targets)
        if attacks is not None:
            given["attacks"], settings = register_attacks(attacks)
        chosen = TARGETS.match(given.get("targets", base.targets))
        stamp(chosen)
        if isinstance(images, tuple):
            given["images"] = give_images(images, _classes(chosen, targets), chosen)
        check_data(chosen)
        stack.enter_context(stamped(ATTACKS.match(given.get("attacks", base.attacks))))
        words = [
            word for name, values in settings.items() for word in set_words(name, values, base.settings.get(name, {}))
        ]
        arguments = argparse.Namespace(
            **{"all": True, "suite": suite, "set": [], "plugin": [], "dry_run": False}
            | dict.fromkeys(OVERRIDES)
            | given
        )
        wanted = chosen_suite(arguments)
        wanted = dataclasses.replace(wanted, settings={**wanted.settings, **settings})
        wanted.check()
        if "query_budgets" in given and not any(ATTACKS[name].access.metered for name in wanted.attack_names()):
            raise InputError("query_budgets: none of these attacks makes queries; leave it out")
        arguments.set = words
        yield wanted, asked_options(arguments, wanted)


def _classes(names: list[str], given: Any) -> int:
    """K of these targets.

    Raises:
        InputError: they differ.
    """
    own = {one.name: one.num_classes for one in _listed(given) if isinstance(one, SmoothedClassifier)}
    counts = {name: own.get(name) or DATA[TARGETS[name].data].num_classes for name in names}
    if len(set(counts.values())) > 1:
        several = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the targets have different numbers of classes ({several}); run them one by one")
    return next(iter(counts.values()))
