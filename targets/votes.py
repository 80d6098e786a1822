"""The sampling loop: votes of a base classifier under Gaussian noise, packed over images, stopped when decided."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from targets.arithmetic import SMALL
from targets.binomial import IntArray
from targets.engine import NOT_FINITE, Engine
from targets.errors import TargetError
from targets.noise import BLOCK, Key, Noise, Stream
from targets.stopping import PENDING, Rule

GRANULE = 25
"""Samples of one image that are drawn together, and after which its rule is asked (BLOCK for small images, of which a
batch holds many). It divides BLOCK."""

Observer = Callable[[int, NDArray[np.float32], IntArray], None]
"""Is shown an image's row, its next noisy images (M, C, H, W), and the base classifier's answers (M,) to them.

Without a rule it is a block at a time: what it makes of them does not depend on the image's neighbours."""

AHEAD = {"cpu": 1}
"""Batches in flight, by device: 2 elsewhere, where the next one is drawn while this one is computed."""


@dataclass(frozen=True)
class Tally:
    """What sampling found.

    Attributes:
        votes: counts (N, K).
        drawn: samples (N,) that were counted; an image's votes sum to them.
        decisions: the rule's (N,): a class or ABSTAIN; PENDING everywhere without a rule.
    """

    votes: IntArray
    drawn: IntArray
    decisions: IntArray


@dataclass
class _Image:
    """One image in flight."""

    row: int
    stream: Stream
    planned: int = 0


@dataclass
class _Share:
    """What an image has of a batch: rows ``begin`` to ``end``."""

    image: _Image
    begin: int
    end: int


def count_votes(
    engine: Engine,
    images: Tensor,
    n: int,
    *,
    sigma: float,
    noise: Noise,
    indices: Sequence[Key],
    rule: Rule | None = None,
    observer: Observer | None = None,
) -> Tally:
    """How often each class is the base classifier's answer over at most ``n`` noise samples an image.

    A batch holds samples of as many images as it has room for pieces of; an image that is decided leaves and the
    next one takes its place. Memory is bounded whatever N and n: two batches of noisy images and the base
    classifier's activations for one, beside ``images``, the votes (N, K) and what the observer keeps.

    Args:
        images: (N, C, H, W) in [0, 1], float32, on the CPU, where noise is added for every device alike. It is not
            clipped.
        indices: the images' indices in their data set, which key their noise.
        rule: decides when an image needs no more samples; without, each gets ``n``.
        observer: is shown all that is drawn.
    """
    shape = tuple(images.shape[1:])
    votes = np.zeros((len(images), engine.num_classes), dtype=np.int64)
    decisions = np.full(len(images), PENDING, dtype=np.int64)
    if n == 0 or len(images) == 0:
        return Tally(votes, votes.sum(1), decisions)
    small = math.prod(shape) <= SMALL
    piece = BLOCK if rule is None or small else GRANULE
    pixels = images.numpy()
    waiting = (_Image(row, Stream(noise, indices[row])) for row in range(len(images)))
    flight: list[_Image] = []
    ahead = AHEAD.get(engine.device.type, 2)
    running: deque[tuple[list[_Share], NDArray[np.float32], Tensor]] = deque()
    workers = torch.get_num_threads() if engine.device.type == "cpu" else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) if workers > 1 and not small else nullcontext() as pool:
        while True:
            shares = _next_batch(flight, waiting, engine.size(shape), piece, n)
            if shares:
                samples = np.empty((shares[-1].end, *shape), dtype=np.float32)
                _draw(shares, samples, pixels, sigma, pool)
                running.append((shares, samples, engine.answers(torch.from_numpy(samples).to(engine.device))))
            elif not running:
                return Tally(votes, votes.sum(1), decisions)
            if len(running) == ahead or not shares:
                shares, samples, answers = running.popleft()
                classes = _finite(answers)
                if observer is not None:
                    for share in shares:
                        for begin in range(share.begin, share.end, BLOCK):
                            drawn = slice(begin, min(begin + BLOCK, share.end))
                            observer(share.image.row, samples[drawn], classes[drawn])
                _count(shares, classes, votes, decisions, rule, piece)
                flight = [image for image in flight if image.planned < n and decisions[image.row] == PENDING]


def _next_batch(flight: list[_Image], waiting: Iterator[_Image], size: int, piece: int, n: int) -> list[_Share]:
    """Shares of a batch of ``size`` rows: piece by piece in turn, and new images join while there is room."""
    while len(flight) < max(1, size // min(piece, n)) and (image := next(waiting, None)) is not None:
        flight.append(image)
    counts = [0] * len(flight)
    used, full = 0, False
    while not full:
        full = True
        for i, image in enumerate(flight):
            count = min(piece, n - image.planned)
            if count and (used == 0 or used + count <= size):
                image.planned += count
                counts[i] += count
                used += count
                full = False
    ends = list(accumulate(counts))
    return [_Share(image, end - count, end) for image, count, end in zip(flight, counts, ends, strict=True) if count]


def _draw(
    shares: Iterable[_Share],
    samples: NDArray[np.float32],
    pixels: NDArray[np.float32],
    sigma: float,
    pool: ThreadPoolExecutor | None,
) -> None:
    """Fill ``samples`` with image + σ · noise. NumPy draws without the interpreter's lock, so threads help."""

    def fill(share: _Share) -> None:
        rows = samples[share.begin : share.end]
        share.image.stream.fill(rows)
        rows *= np.float32(sigma)
        rows += pixels[share.image.row]

    for _ in map(fill, shares) if pool is None else pool.map(fill, shares):
        pass


def _finite(answers: Tensor) -> IntArray:
    classes: IntArray = answers.cpu().numpy()
    if (classes == NOT_FINITE).any():
        raise TargetError("the base classifier returned NaN or infinite logits")
    return classes


def _count(
    shares: list[_Share], classes: IntArray, votes: IntArray, decisions: IntArray, rule: Rule | None, piece: int
) -> None:
    """Add a batch's answers to the votes, for each image up to the piece after which its rule decides."""
    shares = [share for share in shares if decisions[share.image.row] == PENDING]
    if not shares:
        return
    rows = np.array([share.image.row for share in shares])
    lengths = np.array([share.end - share.begin for share in shares])
    pieces = -(-lengths // piece)
    ends = pieces.cumsum()
    starts = ends - pieces
    # All images' pieces, one below the other: what is done for each image by itself costs more than the sampling.
    within = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
    owners = np.repeat(starts, lengths) + within // piece
    chosen = np.concatenate([classes[share.begin : share.end] for share in shares])
    sums = _counts(owners, chosen, int(ends[-1]), votes.shape[1]).cumsum(0)
    before = np.concatenate([np.zeros_like(sums[:1]), sums])[starts]
    sums += np.repeat(votes[rows] - before, pieces, axis=0)
    if rule is None:
        last = ends - 1
        found = np.full(len(sums), PENDING)
    else:
        found = rule(sums, sums.sum(1))
        decided = np.where(found != PENDING, np.arange(len(found)), len(found))
        last = np.minimum(np.minimum.reduceat(decided, starts), ends - 1)
    votes[rows], decisions[rows] = sums[last], found[last]


def _counts(owners: IntArray, classes: IntArray, pieces: int, num_classes: int) -> IntArray:
    """Counts (P, K) of the classes (M,) in each of the P pieces that they are of, by number (M,)."""
    result: IntArray = np.bincount(owners * num_classes + classes, minlength=pieces * num_classes)
    return result.reshape(pieces, num_classes)
