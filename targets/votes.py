"""The sampling loop: counts a base classifier's votes under Gaussian noise, many images in a batch.

An image leaves once its rule decides, and the next image takes its place.
"""

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

from targets.binomial import IntArray
from targets.engine.arithmetic import SMALL
from targets.engine.engine import NOT_FINITE, Engine
from targets.errors import TargetError
from targets.noise import BLOCK, Key, Noise, Stream
from targets.stopping import PENDING, Rule

GRANULE = 25
"""Samples of one image that are drawn together; its rule is applied after them. Small images, of which a batch holds
many, have BLOCK samples instead. It divides BLOCK."""

Observer = Callable[[int, NDArray[np.float32], IntArray], None]
"""A function that is shown an image's row, its next noisy copies (M, C, H, W) and the base classifier's answers (M,).

Without a rule it gets one block of noise at a time, so that its sums do not depend on the other images of a batch."""

AHEAD = {"cpu": 1}
"""Batches in flight, by device. Other devices have 2: the next batch is drawn while the last one is computed."""


@dataclass(frozen=True)
class Tally:
    """The result of sampling.

    Attributes:
        votes: counts (N, K).
        drawn: the number of samples (N,) that were counted, which an image's votes sum to.
        decisions: the rule's decisions (N,): a class or ABSTAIN; all PENDING without a rule.
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
    """An image's rows of a batch, from ``begin`` up to ``end``."""

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
    """Count how often the base classifier answers each class, over at most ``n`` noise samples an image.

    Memory does not grow with N and n, but for ``images``, the votes (N, K) and what the observer keeps: it holds two
    batches of noisy images and the base classifier's activations for one.

    Args:
        engine: runs the base classifier.
        images: (N, C, H, W) in [0, 1], float32, on the CPU. Noise is added there for every device, and not clipped.
        n: noise samples an image, at most.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        noise: draws the standard normal noise.
        indices: the images' indices in their data set, which key their noise.
        rule: decides when an image needs no more samples; None for ``n`` each.
        observer: is shown all noisy images.

    Raises:
        TargetError: the base classifier raises, or returns NaN or another number of classes.
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
    """Divide a batch of ``size`` rows: images get a piece each in turn, and new images join while there is room."""
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
    """Fill ``samples`` with image + σ · noise. NumPy draws without Python's global lock, so threads help."""

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
    """Add a batch's answers to the votes. An image's answers count up to the piece after which its rule decides."""
    shares = [share for share in shares if decisions[share.image.row] == PENDING]
    if not shares:
        return
    rows = np.array([share.image.row for share in shares])
    lengths = np.array([share.end - share.begin for share in shares])
    pieces = -(-lengths // piece)
    ends = pieces.cumsum()
    starts = ends - pieces
    # All images' pieces at once: a loop over images would cost more than the sampling.
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
    """How often each class occurs in each of the P pieces (P, K); ``owners`` (M,) numbers the piece of each answer."""
    result: IntArray = np.bincount(owners * num_classes + classes, minlength=pieces * num_classes)
    return result.reshape(pieces, num_classes)
