"""Submissions: images that another program made, scored by the same rules and put on the board."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from benchmark.key import key_of
from benchmark.provenance import provenance
from benchmark.recheck.npz_file import ImageFile, read_images
from benchmark.recheck.place import Place, Submission, place_of
from benchmark.recheck.scoring import Made, MadeCell, forget_pieces, quick_threads, score
from benchmark.running.evaluation import broken_rules
from benchmark.running.sample_cache import SampleCache
from benchmark.running.work import Progress
from leaderboard import Store, StoredCell
from leaderboard.stored.cell import Request
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import SUBMITTED, source_of
from targets import DATA, TARGETS, SmoothedClassifier, load
from targets.data.digest import content
from targets.isolation import isolated

PURPOSE = "submitted"
"""Keys the noise that submitted images are scored on."""

EVALUATION_SEED = "evaluation_seed"
"""The setting of a submitted cell that keys that noise: the row's own seed was known to whoever made the images."""

ACCESS = "submitted"
"""Stands where other rows have an access: nobody can check what a submitter looked at."""


def evaluation_seed(settings: Mapping[str, Any], seed: int) -> int:
    """The seed of the noise on which a submitted cell is scored again under another seed.

    Like the first one, nobody could know it before the file was submitted.
    """
    drawn: int = settings[EVALUATION_SEED]
    if seed == settings["seed"]:
        return drawn
    return int(key_of({EVALUATION_SEED: drawn, "seed": seed})[:15], 16)


def submit(store: Store, submission: Submission, device: str, progress: Progress) -> StoredCell:
    """Score a file's images and store them as a cell; the one that is held where the same file was scored before.

    The noise's seed is drawn when a file is scored for the first time. Only an explicit one scores it on other noise:
    the newer row then replaces the older, and says how many it replaces.

    Raises:
        InputError: a file or settings that cannot be scored, in one line.
    """
    submission.check()
    data = DATA[TARGETS[submission.target].data]
    available = len(data.split("evaluation").images)
    file = read_images(submission.path, data.shape, available)
    place = place_of(store, submission, file, available)
    target = load(submission.target, device)
    seed = submission.seed
    if seed is None:
        seed = _drawn_before(store, file.sha256, submission.target)
    if seed is None:
        seed = secrets.randbits(62)
    cell = _cell(submission, file, place, target, seed)
    request = Request(images=place.of_images, options=_options(submission))
    if (found := store.cell(cell.key)) is not None and found.status == "ok":
        return store.ask(found, request)
    return _score(store, cell, file, request, submission.queries or 0, seed, progress)


def _cell(submission: Submission, file: ImageFile, place: Place, target: SmoothedClassifier, seed: int) -> MadeCell:
    said = "" if submission.queries is None else f"; {submission.queries:,} queries an image, as they say"
    return MadeCell(
        suite=place.suite,
        target=target,
        attack_name=submission.name,
        attack=Made(),
        epsilon=submission.epsilon,
        images=place.indices,
        stored={
            "access": ACCESS,
            "description": f"Submitted images, made by somebody else's program{said}. SHA-256 {file.sha256}.",
            "parameters": {"queries": submission.queries, "evaluation_seed": seed},
            "version": 1,
            SUBMITTED: file.sha256,
            EVALUATION_SEED: seed,
            **content(target.data, "images", "labels"),
        },
    )


def _drawn_before(store: Store, sha256: str, target: str) -> int | None:
    """The seed that was drawn when this file was scored on this target first, by whatever name and at whatever ε.

    Drawing until a seed pleases is not on offer.
    """
    cells = [cell for cell in store.cells() if cell.settings.get(SUBMITTED) == sha256]
    cells = [cell for cell in cells if cell.settings["target"] == target and source_of(cell) == "submitted"]
    first = min(cells, key=lambda cell: (cell.created, cell.key), default=None)
    return None if first is None else int(first.settings[EVALUATION_SEED])


def _score(
    store: Store, cell: MadeCell, file: ImageFile, request: Request, queries: int, seed: int, progress: Progress
) -> StoredCell:
    count = len(file.images)
    nothing = np.zeros(count, dtype=np.int64)
    costs = {
        "queries": np.full(count, queries, dtype=np.int64),
        "forward_samples": nothing,
        "backward_samples": nothing,
        "seconds": np.zeros(count),
    }
    progress.start(cell, 1)
    begun = time.perf_counter()
    try:
        with quick_threads(cell.target), isolated():
            made = torch.from_numpy(file.images).to(cell.target.device)
            cache = SampleCache(cell.target)
            records = score(cell, store, made, costs, cache, purpose=PURPOSE, seed=seed, report=progress.stage)
    except KeyboardInterrupt:
        forget_pieces(store, cell.key)  # another seed will be drawn
        raise
    seconds = time.perf_counter() - begun
    facts = provenance(cell.target.device, cell.target.arithmetic)
    store.write_cell(
        cell.key, cell.settings(), records, file.images, provenance=facts, seconds=seconds, asked=[request]
    )
    forget_pieces(store, cell.key)
    rate = float((records.outcome == ABSTAIN).mean())
    progress.finish(cell, seconds, "ok", rate, broken_rules(records.validity.to_numpy()))
    stored = store.cell(cell.key)
    assert stored is not None
    return stored


def _options(submission: Submission) -> list[str]:
    """The words that ask for the same again, with the file's name and no folder of this machine."""
    words = ["submit", submission.path.name, "--target", submission.target, "--epsilon", str(submission.epsilon)]
    words += ["--name", submission.name]
    for option in ("queries", "suite", "samples", "alpha", "seed"):
        value = getattr(submission, option)
        words += [] if value is None else [f"--{option}", str(value)]
    return words
