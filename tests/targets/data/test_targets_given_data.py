"""Data sets of one's own: from tensors and functions, and what the adversary knows of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from targets import DATA, InputError, Split, register_data

SHAPE = (1, 28, 28)
IMAGES = torch.rand((20, *SHAPE), generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 5


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = set(DATA)
    yield
    for name in set(DATA) - before:
        DATA.remove(name)


@pytest.mark.parametrize("given", [Split(IMAGES, LABELS), (IMAGES, LABELS), lambda: (IMAGES, LABELS)])
def test_a_split_is_given_as_tensors_or_made_by_a_function(given):
    register_data("mine", shape=SHAPE, num_classes=5, evaluation=given)
    split = DATA["mine"].split("evaluation")
    assert torch.equal(split.images, IMAGES)
    assert torch.equal(split.labels, LABELS)
    assert split.images is not IMAGES


def test_the_adversary_needs_no_labels():
    for name, given in {"a": IMAGES, "b": lambda: IMAGES}.items():
        register_data(name, shape=SHAPE, num_classes=5, evaluation=(IMAGES, LABELS), adversary=given)
        assert DATA[name].split("adversary").labels.tolist() == [-1] * 20
    register_data("c", shape=SHAPE, num_classes=5, evaluation=IMAGES)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="labels go from -1"):
        DATA["c"].split("evaluation")


def test_the_adversary_may_know_the_evaluation_images_but_some():
    register_data("mine", shape=SHAPE, num_classes=5, evaluation=(IMAGES, LABELS), held_back=10)
    assert torch.equal(DATA["mine"].split("adversary").images, torch.cat([IMAGES[1:10], IMAGES[11:]]))
    assert DATA["mine"].exposed([0, 3, 10]) == [3]


def test_what_was_not_given_is_said_where_it_is_needed():
    register_data("mine", shape=SHAPE, num_classes=5, evaluation=(IMAGES, LABELS))
    with pytest.raises(InputError, match="'mine' has no split 'train': give train= to register_data"):
        DATA["mine"].split("train")
    with pytest.raises(InputError, match="'mine' has no split 'adversary': give adversary= or held_back="):
        DATA["mine"].split("adversary")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"adversary": IMAGES, "held_back": 2}, "has adversary and held_back; give one"),
        ({"held_back": 1}, "held_back of data set 'mine' is 1; give 2 or more"),
        ({"num_classes": 1}, "has 1 classes"),
        ({"shape": (28, 28)}, r"has shape \(28, 28\)"),
    ],
)
def test_what_cannot_be_is_refused_at_once(given, words):
    with pytest.raises(InputError, match=words):
        register_data("mine", **{"shape": SHAPE, "num_classes": 5, "evaluation": (IMAGES, LABELS), **given})
    assert "mine" not in DATA


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((IMAGES, LABELS[:3]), "20 images and 3 labels"),
        ((255 * IMAGES, LABELS), "divide them by 255"),
        ("images", "is of type str; give a targets.Split"),
        (lambda: 1 / 0, "cannot load its split 'evaluation': ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_a_split_is_said_when_it_is_loaded(given, words):
    register_data("mine", shape=SHAPE, num_classes=5, evaluation=given)
    with pytest.raises(InputError, match=words):
        DATA["mine"].split("evaluation")


def test_an_unknown_data_set_says_how_one_is_added():
    with pytest.raises(InputError, match=r"known: cifar10, digits.* \(targets.register_data adds one of your own\)"):
        DATA["zzzzzz"]
