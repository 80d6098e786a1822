"""Cached answers are those of the target, and the same question is not asked twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.running.sample_cache import SampleCache
from targets import SmoothedClassifier, load
from targets.kept_noise import KeptNoise

ASK = {
    "votes": lambda on, images, keys, n=200, purpose="p": on.votes(images, n, seed=0, purpose=purpose, indices=keys),
    "predict": lambda on, images, keys, n=200, purpose="p": on.predict(
        images, n, 0.001, seed=0, purpose=purpose, indices=keys
    ),
}


@pytest.fixture
def target(monkeypatch) -> SmoothedClassifier:
    loaded = load("digits-sigma0.50", "cpu")
    loaded.asked = 0  # type: ignore[attr-defined]
    sample = loaded.sample

    def counted(images, *arguments, **settings):
        loaded.asked += len(images)  # type: ignore[attr-defined]
        return sample(images, *arguments, **settings)

    monkeypatch.setattr(loaded, "sample", counted)
    return loaded


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_what_is_held_is_not_sampled_again_and_all_answers_are_the_targets(target, ask):
    cache = SampleCache(target)
    images = torch.rand((5, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    truth = ask(target, images, [3, (4, 1), 5, 6, 7])
    target.asked = 0
    assert np.array_equal(ask(cache, images[:3], [3, (4, 1), 5]), truth[:3])
    assert np.array_equal(ask(cache, images, [3, (4, 1), 5, 6, 7]), truth)
    assert target.asked == 5


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_another_image_index_purpose_or_n_is_another_question(target, ask):
    cache = SampleCache(target)
    image = torch.full((1, 1, 8, 8), 0.5)
    nudged = image.clone()
    nudged[0, 0, 0, 0] += 1e-7
    for arguments in [(image, [0]), (nudged, [0]), (image, [1]), (image, [0], 201), (image, [0], 200, "q")]:
        before = target.asked
        assert np.array_equal(ask(cache, *arguments), ask(target, *arguments))
        assert target.asked == before + 2


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_no_images(target, ask):
    nothing = torch.zeros((0, 1, 8, 8))
    assert ask(SampleCache(target), nothing, []).shape == ask(target, nothing, []).shape


def test_noise_that_is_asked_for_again_is_drawn_once(target, monkeypatch):
    drawn = []
    block = KeptNoise.block

    def counted(self, key, shape, draw):
        return block(self, key, shape, lambda: drawn.append(key) or draw())

    monkeypatch.setattr(KeptNoise, "block", counted)
    cache, settings = SampleCache(target), {"seed": 0, "purpose": "evaluation", "indices": [3, 4]}
    for pixel in (0.2, 0.5, 0.8):
        images = torch.full((2, 1, 8, 8), pixel)
        truth = target.votes(images, 250, **settings)
        drawn.clear()
        assert np.array_equal(cache.votes(images, 250, **settings, again=True), truth)
        assert len(drawn) == (6 if pixel == 0.2 else 0)
