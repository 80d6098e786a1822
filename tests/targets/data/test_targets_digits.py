from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from targets import DATA, TARGETS, load
from targets.defences import Gaussian
from targets.digits_targets import TRAINED

SIZES = {"train": 1000, "adversary": 400, "evaluation": 397}


def rows(images: torch.Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


@pytest.mark.parametrize("name", SIZES)
def test_splits_have_their_size_range_and_type(name):
    split = DATA["digits"].split(name)
    assert split.images.shape == (SIZES[name], *DATA["digits"].shape)
    assert split.images.dtype == torch.float32
    assert split.labels.shape == (SIZES[name],)
    assert split.labels.dtype == torch.int64
    assert float(split.images.min()) == 0.0
    assert float(split.images.max()) == 1.0
    assert np.bincount(split.labels, minlength=10).min() >= 25


def test_splits_are_disjoint_and_together_all_of_scikit_learn_s():
    splits = {name: DATA["digits"].split(name) for name in SIZES}
    pixels, labels = load_digits(return_X_y=True)
    ours = [(row, int(label)) for s in splits.values() for row, label in zip(rows(s.images), s.labels, strict=True)]
    theirs = [(row, int(label)) for row, label in zip(rows(torch.tensor(pixels / 16).float()), labels, strict=True)]
    assert len(set(theirs)) == 1797  # no scan twice, so that the next line shows that the splits are disjoint
    assert len(ours) == 1797
    assert set(ours) == set(theirs)


def test_splits_are_the_same_every_time():
    first, again = DATA["digits"].split("evaluation"), DATA["digits"].split("evaluation")
    assert torch.equal(first.images, again.images)
    assert first.labels[:10].tolist() == [9, 9, 2, 0, 1, 0, 0, 1, 6, 2]


def test_the_four_targets():
    digits = [name for name in TARGETS if name.startswith("digits-sigma")]
    assert digits == ["digits-sigma0.12", "digits-sigma0.25", "digits-sigma0.50", "digits-sigma1.00"]
    for name in digits:
        target = TARGETS[name]
        assert target.name == name
        assert f"{target.sigma:.2f}" == name[-4:]
        assert target.data_set is DATA["digits"]
        assert target.recipe is not None
        assert target.description
        assert "\n" not in target.description


DEFENDED = [line for line in TRAINED if not isinstance(line[1], Gaussian)]


@pytest.mark.parametrize(
    ("sigma", "defence", "recipe", "sha256"), DEFENDED, ids=lambda value: getattr(value, "name", "")
)
def test_a_defence_s_target_and_its_model_card_say_the_same(sigma, defence, recipe, sha256):
    target = TARGETS[f"digits-{defence.name}-sigma{sigma:.2f}"]
    assert (target.sigma, target.defence, target.recipe, target.sha256) == (sigma, defence, recipe, sha256)
    card = target.weights.with_suffix(".md").read_text(encoding="utf-8")
    assert f"SHA-256 `{sha256}`" in card
    assert f"| training | {defence.name} |" in card
    for name, value in {**asdict(defence), **asdict(recipe)}.items():
        said = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        assert f"| {name.replace('_', ' ')} | {said} |" in card
    assert target.chosen in card
    assert f"{target.description}." in card


def test_a_defence_s_target_answers():
    images = DATA["digits"].split("evaluation").images[:4]
    answers = load("digits-ensemble-sigma0.25", "cpu").predict(images, 100)
    assert answers.tolist() == DATA["digits"].split("evaluation").labels[:4].tolist()
