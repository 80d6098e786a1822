"""The engine against a transcription of Cohen's PREDICT and against ART's, on ``cifar10-sigma0.50``, in one run.

``python -m pytest tests/timings/test_bench_engine.py --benchmark-only --benchmark-json=FILE`` measures, and
``python tests/timings/summary.py FILE`` makes the README's table and plot of it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from bench_oracle import transcribed_predict

from targets import ABSTAIN, load, precision, votes
from targets.binomial import decide
from targets.engine import engine
from targets.engine.arithmetic import AS_IS

ALPHA = 0.001
SIZES = [(1000, 20), (10_000, 4), (100_000, 1)]
"""n, and the images that are timed at it."""


@pytest.fixture
def once(benchmark, full_size):
    """Times a call: after a warm-up call, which compiles, at full size; else just once."""

    def timed(function, *arguments, rounds: int = 3, warm=None):
        if full_size and warm is not None:
            warm()
        return benchmark.pedantic(function, arguments, rounds=rounds if full_size else 1)

    return timed


@pytest.fixture(params=SIZES, ids=lambda size: f"n={size[0]}")
def sized(request, full_size, clean_images):
    n, count = request.param
    if not full_size:
        if n > 1000:
            pytest.skip("large n is timed with --benchmark-only")
        n, count = 200, 2
    return n, clean_images[:count]


def describe(benchmark, images, n, what):
    benchmark.group = f"PREDICT at n = {n}"
    benchmark.extra_info.update(images=len(images), n=n, what=what)


def warm_up(target):
    """Enough whole batches that the engine has compiled."""
    images = torch.full((50, 3, 32, 32), 0.5)
    return lambda: target.votes(images, 1000, purpose="warm-up")


def agree(answers, target, images, n):
    """Confident answers on other noise must not contradict ours: that would be an error of one of the two."""
    answers, ours = np.asarray(answers), target.predict(images, n, ALPHA)
    both = (answers != ABSTAIN) & (ours != ABSTAIN)
    np.testing.assert_array_equal(answers[both], ours[both])


def test_transcription(benchmark, once, sized, plain):
    n, images = sized
    describe(benchmark, images, n, "Cohen's PREDICT, transcribed: float32, eager, batch 400")
    base, sigma = plain.base_classifier, plain.sigma
    answers = once(lambda: [transcribed_predict(base, x, sigma, n, ALPHA) for x in images], rounds=1 if n > 1e4 else 2)
    agree(answers, plain, images, n)


def test_art(benchmark, once, sized, plain):
    from art.estimators.certification.randomized_smoothing import PyTorchRandomizedSmoothing

    n, images = sized
    describe(benchmark, images, n, "ART's PyTorchRandomizedSmoothing.predict")
    smoothed = PyTorchRandomizedSmoothing(
        plain.base_classifier,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(3, 32, 32),
        nb_classes=10,
        channels_first=True,
        clip_values=(0, 1),
        sample_size=n,
        scale=plain.sigma,
        alpha=ALPHA,
    )
    rows = once(lambda: [smoothed.predict(x[None].numpy(), batch_size=400)[0] for x in images], rounds=1)
    agree([int(row.argmax()) if row.any() else ABSTAIN for row in rows], plain, images, n)


def test_all_samples(benchmark, once, sized, deployed):
    n, images = sized
    describe(benchmark, images, n, "ours, without curtailment")
    votes = once(deployed.votes, images, n, warm=warm_up(deployed))
    assert (votes.sum(1) == n).all()


def test_predict(benchmark, once, sized, deployed):
    n, images = sized
    describe(benchmark, images, n, "ours")
    answers = once(deployed.predict, images, n, warm=warm_up(deployed))
    np.testing.assert_array_equal(answers, decide(deployed.votes(images, n), ALPHA, ABSTAIN))


def test_predict_in_float32(benchmark, once, sized, plain):
    n, images = sized
    describe(benchmark, images, n, "ours, in float32")
    answers = once(plain.predict, images, n, warm=warm_up(plain))
    np.testing.assert_array_equal(answers, decide(plain.votes(images, n), ALPHA, ABSTAIN))


def test_sequential(benchmark, once, sized, deployed, clean_images, full_size):
    n, images = sized
    if full_size:
        images = clean_images  # all: the few near a tie take nearly n samples, and are most of the time
    describe(benchmark, images, n, "ours, sequential")
    answers, used = once(deployed.predict_sequentially, images, n, warm=warm_up(deployed))
    benchmark.extra_info["samples"] = float(used.mean())
    agree(answers, deployed, images, min(n, 10_000))


def test_what_each_part_buys(benchmark, clean_images, full_size, monkeypatch, cifar10):
    """In turn, round by round: a machine's speed changes more from minute to minute than with some of the parts."""
    n, images, rounds = (500, clean_images, 7) if full_size else (50, clean_images[:1], 1)
    variants = {}

    def variant(name: str, target, single_thread: bool = False, packed: bool = True) -> None:
        def every() -> None:
            with monkeypatch.context() as patch:
                if single_thread:
                    patch.setattr(votes, "ThreadPoolExecutor", lambda workers: ThreadPoolExecutor(1))
                for part in [images] if packed else images.split(1):
                    assert target.votes(part, n).sum() == n * len(part)

        variants[name] = every

    target = load("cifar10-sigma0.50-bf16", "cpu")
    if full_size:
        warm_up(target)()
    variant("nothing", target)
    variant("packing (image by image)", target, packed=False)
    variant("noise on both threads", target, single_thread=True)
    # Set aside before its turn comes: an engine that never reaches the batch at which it compiles.
    monkeypatch.setattr(engine, "COMPILE_AFTER", 10**9)
    variant("the compiler", load("cifar10-sigma0.50-bf16", "cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(precision, "folded", lambda module: module)
        variant("the compiler and folding", load("cifar10-sigma0.50-bf16", "cpu"))
    variant("bfloat16 and the compiler", load("cifar10-sigma0.50", "cpu"))
    seconds: dict[str, list[float]] = {name: [] for name in variants}

    def one_round() -> None:
        for name, every in variants.items():
            begun = time.perf_counter()
            every()
            seconds[name].append(time.perf_counter() - begun)

    benchmark.group = "votes, one part switched off"
    benchmark.pedantic(one_round, rounds=rounds)
    rates = {name: len(images) * n / float(np.median(times)) for name, times in seconds.items()}
    benchmark.extra_info.update(images=len(images), n=n, what="parts", rates=rates)


def product_rate(dtype: torch.dtype, size: int = 2048, repeats: int = 8) -> float:
    """FLOP/s of a large matrix product, the best of a few."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - begun)
    return 2 * size**3 / min(seconds)


def test_share_of_the_matrix_product_rate(benchmark, once, deployed, full_size):
    batch = torch.rand(400, 3, 32, 32)
    as_is = deployed.engine.arithmetic((3, 32, 32)).name == AS_IS
    rate = product_rate(torch.bfloat16 if as_is else torch.float32) if full_size else 1.0
    benchmark.group = "base classifier"
    once(deployed.engine.answers, batch, rounds=10, warm=warm_up(deployed))
    benchmark.extra_info.update(images=400, n=1, what="forward", flops=400 * 2 * 40.8e6, product_rate=rate)


def gradients(logits, images, samples: int) -> torch.Tensor:
    noise = 0.5 * torch.randn(len(images), samples, *images.shape[1:])
    images = images.clone().requires_grad_()
    margin = logits((images[:, None] + noise).flatten(0, 1)).softmax(1).view(len(images), samples, -1).mean(1)
    top = margin.topk(2, dim=1).values
    return torch.autograd.grad((top[:, 0] - top[:, 1]).sum(), images)[0]


@pytest.mark.parametrize("how", ["naive, image by image in float32", "ours"])
def test_gradients(benchmark, once, clean_images, plain, deployed, full_size, how):
    samples = 64 if full_size else 4
    images = clean_images if full_size else clean_images[:2]
    benchmark.group = f"gradients, {samples} samples an image"
    benchmark.extra_info.update(images=len(images), n=samples, what=how)
    if how == "ours":
        result = once(gradients, deployed.logits, images, samples)
    else:
        result = once(lambda: torch.cat([gradients(plain.base_classifier, x[None], samples) for x in images]))
    assert result.shape == images.shape
    assert result.abs().max() > 0


@pytest.mark.parametrize(
    ("images", "n", "sigma"),
    [(i, 1000, 0.5) for i in (1, 5, 20)]
    + [(4, n, 0.5) for n in (100, 1000, 10_000)]
    + [(20, 1000, s) for s in (0.12, 0.25, 1.0)],
)
def test_growth(benchmark, once, clean_images, full_size, images, n, sigma, cifar10):
    if not full_size and (images, n, sigma) != (1, 1000, 0.5):
        pytest.skip("growth is timed with --benchmark-only")
    target = load(f"cifar10-sigma{sigma:.2f}-bf16", "cpu")
    benchmark.group = "growth"
    benchmark.extra_info.update(images=images, n=n, sigma=sigma, what="growth")
    assert len(once(target.predict, clean_images[:images], n, warm=warm_up(target))) == images
