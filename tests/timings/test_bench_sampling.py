"""Timings, for comparison within one run only (pytest-benchmark's table); nothing here passes or fails on seconds.

``python -m pytest tests/timings --benchmark-only`` prints the table; in the ordinary test run each is run once.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bench_oracle import transcribed_predict

from targets import ABSTAIN, DATA, SmoothedClassifier, load
from targets.abstention import log_abstention_probability

IMAGES, N, ALPHA = 20, 1000, 0.001


@pytest.fixture(scope="module")
def target() -> SmoothedClassifier:
    return load("digits-sigma0.50", "cpu")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return DATA["digits"].split("evaluation").images[:IMAGES]


@pytest.mark.benchmark(group=f"PREDICT, {IMAGES} digits, n = {N}")
def test_transcription(benchmark, target, images):
    answers = benchmark(
        lambda: [transcribed_predict(target.base_classifier, x, target.sigma, N, ALPHA) for x in images]
    )
    # Other noise, so single answers may differ; confident ones that contradict would be an error of one of the two.
    ours = target.predict(images, N, ALPHA)
    both = (np.array(answers) != ABSTAIN) & (ours != ABSTAIN)
    assert both.sum() > IMAGES / 2
    assert np.array_equal(np.array(answers)[both], ours[both])


@pytest.mark.benchmark(group=f"PREDICT, {IMAGES} digits, n = {N}")
def test_predict(benchmark, target, images):
    assert benchmark(target.predict, images, N, ALPHA).shape == (IMAGES,)


@pytest.mark.benchmark(group="exact abstention condition and its gradient, 64 images")
@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_abstention_probability(benchmark, n):
    logits = torch.randn(64, 10, generator=torch.Generator().manual_seed(0), requires_grad=True)

    def value_and_gradient():
        return torch.autograd.grad(log_abstention_probability(logits.softmax(1), n, ALPHA).sum(), logits)[0]

    assert bool(torch.isfinite(benchmark(value_and_gradient)).all())
