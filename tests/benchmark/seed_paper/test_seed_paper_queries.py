"""The adversary's images: how many, which, and what is held out of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_tiny import CLASSES, SETTINGS, SHAPE, install, split

from benchmark.seed_paper.queries import answers, query_set, resized
from benchmark.seed_paper.settings import PER_IMAGE, Settings
from benchmark.seed_paper.stages import Stages
from leaderboard import Store
from targets import TARGETS, InputError, load


@pytest.fixture(autouse=True)
def _tiny() -> None:
    install()


def test_with_a_thousand_images_the_sets_are_the_papers():
    settings = Settings(images=1000)
    assert len(settings.queried("test", 10_000)) == 10_000
    assert len(settings.queried("train", 50_000)) == 50_000
    assert settings.queried("test", 10_000) == list(range(10_000))
    assert Settings(images=10_000).queried("train", 50_000) == list(range(50_000))
    assert len(Settings(images=10).queried("train", 50_000)) == 500


@pytest.mark.parametrize(("images", "available"), [(4, 60), (7, 60), (60, 60), (3, 10_000), (999, 10_000)])
def test_attacked_images_are_among_the_queried_test_images(images: int, available: int):
    settings = Settings(images=images)
    assert set(settings.attacked(available)) <= set(settings.queried("test", available))


def test_smaller_sets_are_gone_through_more_often():
    settings = Settings(epochs=20)
    assert [settings.epochs_for(n) for n in (50_000, 45_000, 20_000, 10_000, 9000, 100)] == [20, 20, 40, 80, 80, 80]
    assert settings.recipe_for(9000).epochs == 80


@pytest.mark.parametrize("name", list(PER_IMAGE))
def test_query_sets_are_images_of_the_target(name: str):
    queries = query_set(SETTINGS, name)
    assert queries.images.shape == (len(queries.indices), *SHAPE)
    assert 0 <= float(queries.images.min()) <= float(queries.images.max()) <= 1
    assert len(queries.indices) == {"test": 40, "train": 80, "noise": 8, "unrelated": 8}[name]
    again = query_set(SETTINGS, name)
    assert torch.equal(queries.images, again.images)
    held_out = queries.held_out(0)
    assert held_out.sum() == max(1, round(0.1 * len(queries.indices)))
    assert np.array_equal(held_out, again.held_out(0))
    if name in ("test", "train"):
        whole = split("evaluation" if name == "test" else "train")
        assert torch.equal(queries.images, whole.images[list(queries.indices)])
        assert queries.labels is not None
        assert torch.equal(queries.labels, whole.labels[list(queries.indices)])
        assert not np.array_equal(held_out, queries.held_out(1))
    else:
        assert queries.labels is None


def test_uniform_noise_is_uniform_and_keyed_by_the_seed():
    many = query_set(replace(SETTINGS, images=60), "noise").images
    assert float(many.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(many.var()) == pytest.approx(1 / 12, rel=0.05)
    assert not torch.equal(many, query_set(replace(SETTINGS, images=60, seed=1), "noise").images)


def test_resized_images_keep_their_mean_and_get_the_targets_channels():
    images = torch.rand(2, 1, 4, 4)
    large = resized(images, (3, 8, 8))
    assert large.shape == (2, 3, 8, 8)
    assert torch.equal(large[:, 0], large[:, 2])
    assert torch.allclose(large.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=0.05)


def test_answers_are_predicts_and_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stages, target, queries = Stages(Store.open(tmp_path), quiet=True), load(SETTINGS.target, "cpu"), None
    queries = query_set(SETTINGS, "test")
    found = answers(stages, target, queries, SETTINGS)
    direct = target.predict(
        queries.images, 50, 0.001, 0, purpose=f"reproduce query {queries.source}", indices=list(queries.indices)
    )
    assert np.array_equal(found, direct)
    assert set(found) <= {-1, *range(CLASSES)}
    assert -1 in found
    other = replace(target, sigma=2 * target.sigma)
    assert not np.array_equal(answers(stages, other, queries, SETTINGS), found)
    monkeypatch.setattr(target, "predict", None)
    assert np.array_equal(answers(stages, target, queries, SETTINGS), found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": 0}, "images is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"samples": (200, 50)}, "smallest first"),
        ({"samples": (50, 50)}, "give each once"),
        ({"samples": (5,)}, "always abstain"),
        ({"query_samples": 5}, "always abstain"),
        ({"target": "tiny-liner"}, "did you mean 'tiny-linear'"),
        ({"target": "digits-sigma0.50"}, "unrelated queries"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(change: dict[str, object], words: str):
    with pytest.raises(InputError, match=words) as caught:
        replace(SETTINGS, **change).check()  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert SETTINGS.target in TARGETS
