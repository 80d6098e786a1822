"""Digests: alike for alike content, and asked of data sets that do not check themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import targets.data.digits
from targets import DATA, DataSet, InputError, Split
from targets.data import SplitName
from targets.data.digest import ABSENT, Part, content, digest

IMAGES = torch.arange(2 * 9).view(2, 1, 3, 3) / 32
LABELS = torch.tensor([1, 0])
PARTS: tuple[Part, ...] = ("images", "labels", "adversary", "training")


@pytest.fixture
def add() -> Iterator[Callable[..., None]]:
    """Registers, in place of any before it, a data set "mine" of the same images and labels in all splits given."""

    def register(images: Tensor = IMAGES, labels: Tensor = LABELS, without: str = "", verified: bool = False) -> None:
        def split(name: SplitName) -> Split:
            if name == without:
                raise KeyError(name)
            return Split(images, labels)

        data = DataSet("mine", num_classes=2, shape=(1, 3, 3), split=split, verified=verified)
        if "mine" in DATA:
            DATA.replace("mine", data)
        else:
            DATA.add("mine", data)

    yield register
    DATA.remove("mine")


def test_a_digest_is_of_values_types_and_shapes():
    base = digest(IMAGES, LABELS)
    assert base == "0c5ecf1d4b245af180218b6e85b3faa5"
    assert digest(IMAGES.clone(), LABELS.clone()) == base
    # A view of other memory layout holds the same images.
    assert digest(IMAGES.contiguous(memory_format=torch.channels_last), LABELS) == base
    changed = IMAGES.clone()
    changed[1, 0, 2, 2] -= 1 / 32
    others = [
        digest(changed, LABELS),
        digest(IMAGES, 1 - LABELS),
        digest(IMAGES.double(), LABELS),
        digest(IMAGES, LABELS.int()),
        digest(IMAGES.view(1, 2, 3, 3), LABELS),
        digest(IMAGES.flip(0), LABELS),
        digest(IMAGES),
        digest(IMAGES[:0], LABELS),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_built_in_data_sets_add_nothing():
    assert content("digits", *PARTS) == content("cifar10", *PARTS) == {}


def test_each_part_answers_for_itself(add: Callable[..., None]):
    add()
    before = content("mine", *PARTS)["content"]
    assert set(before) == set(PARTS)
    assert content("mine", "labels") == {"content": {"labels": before["labels"]}}
    add(labels=1 - LABELS)
    relabelled = content("mine", *PARTS)["content"]
    assert {part for part in PARTS if relabelled[part] != before[part]} == {"labels", "training"}
    add(images=1 - IMAGES)
    redrawn = content("mine", *PARTS)["content"]
    assert {part for part in PARTS if redrawn[part] != before[part]} == {"images", "adversary", "training"}


def test_a_data_set_that_checks_itself_is_not_read(add: Callable[..., None]):
    add(without="evaluation", verified=True)
    assert content("mine", "images") == {}


def test_what_there_is_none_of_is_no_error_but_for_what_attacks_are_evaluated_on(add: Callable[..., None]):
    add(without="train")
    found = content("mine", *PARTS)["content"]
    assert found["training"] == ABSENT
    assert ABSENT not in (found["images"], found["labels"], found["adversary"])
    add(without="evaluation")
    with pytest.raises(InputError, match="cannot load its split 'evaluation'"):
        content("mine", "images")


def test_an_unknown_data_set_is_an_error():
    with pytest.raises(InputError, match="unknown data set"):
        content("mine", "images")


def test_a_split_is_read_once_so_that_a_run_has_one_content():
    reads: list[str] = []

    def split(name: SplitName) -> Split:
        reads.append(name)
        return Split(IMAGES / len(reads), LABELS)

    data = DataSet("mine", num_classes=2, shape=(1, 3, 3), split=split)
    assert torch.equal(data.split("evaluation").images, data.split("evaluation").images)
    data.split("train")
    assert reads == ["evaluation", "train"]


def test_other_digits_than_the_registered_are_refused(monkeypatch: pytest.MonkeyPatch):
    """As a release of scikit-learn might bring them."""
    import sklearn.datasets

    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    images[0, 20] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda return_X_y: (images, labels))
    targets.data.digits.shuffled.cache_clear()
    with pytest.raises(InputError, match=r"scikit-learn \S+ has other digits than .*; install another release"):
        targets.data.digits.split("evaluation")
    monkeypatch.undo()
    assert len(DATA["digits"].split("evaluation").labels) == 397
