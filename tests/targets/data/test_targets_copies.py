"""Whoever asks for a split may ruin what it gets."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from targets import DATA, DataSet, InputError, Split
from targets.data import SplitName
from targets.data.copies import Copies, Kept

NAMES: tuple[SplitName, ...] = ("train", "adversary", "evaluation")
HELD = torch.linspace(0, 1, 16).reshape(4, 1, 2, 2)
LABELS = torch.arange(4)


def held(name: SplitName) -> Split:
    """Views of what its own file goes on holding, as a plugin's loader may give."""
    return Split(HELD[:], LABELS[:])


@pytest.mark.parametrize("load", [held, Copies(held), Kept(held)], ids=["plain", "copies", "kept"])
@pytest.mark.parametrize("name", NAMES)
def test_a_split_shares_no_memory_with_the_loader_nor_with_the_next_one(load, name):
    data = DataSet("held", num_classes=4, shape=(1, 2, 2), split=load)
    mine, theirs = data.split(name), data.split(name)
    for tensor in (mine.images, mine.labels):
        assert tensor._base is None
        tensor.zero_()
    assert torch.equal(theirs.images, HELD)
    assert torch.equal(data.split(name).images, HELD)
    assert torch.equal(data.split(name).labels, LABELS)
    assert HELD.sum() > 1


@pytest.mark.parametrize("name", NAMES)
def test_nobody_reaches_the_digits_that_others_use(name):
    expected = {other: DATA["digits"].split(other).images.sum() for other in NAMES}
    split = DATA["digits"].split(name)
    assert split.images._base is None
    assert split.images.untyped_storage().nbytes() == 4 * split.images.numel()  # and not of all splits
    split.images.mul_(-1)
    split.labels.fill_(3)
    assert {other: DATA["digits"].split(other).images.sum() for other in NAMES} == expected
    assert len(set(DATA["digits"].split(name).labels.tolist())) == 10


def test_what_a_loader_gave_first_is_kept_whatever_its_own_file_does_to_it_later():
    mine = Split(torch.full((2, 1, 1, 1), 0.5), torch.tensor([0, 1]))
    data = DataSet("mine", num_classes=2, shape=(1, 1, 1), split=lambda name: mine)
    assert data.split("evaluation").images.sum() == 1
    mine.images.sub_(0.5)
    mine.labels.fill_(1)
    assert data.split("evaluation").images.sum() == 1
    assert data.split("evaluation").labels.tolist() == [0, 1]


def test_a_loader_that_draws_from_global_generators_gives_the_same_in_every_process_and_disturbs_none():
    def drawn(name: SplitName) -> Split:
        np.random.seed(None)  # noqa: NPY002 - as another library might
        return Split(torch.rand(2, 1, 1, 1), torch.tensor([int(random.random() * 2), 1]))

    torch.manual_seed(5)
    random.seed(5)
    before = torch.get_rng_state(), random.getstate()
    first = DataSet("a", num_classes=2, shape=(1, 1, 1), split=drawn).split("evaluation")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    torch.rand(3)
    again = DataSet("b", num_classes=2, shape=(1, 1, 1), split=drawn).split("evaluation")
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)


def test_a_loader_that_fails_is_asked_again():
    answers = iter([OSError("no disk today"), Split(HELD, LABELS)])

    def load(name: SplitName) -> Split:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    data = DataSet("held", num_classes=4, shape=(1, 2, 2), split=load)
    with pytest.raises(InputError, match="OSError: no disk today"):
        data.split("train")
    assert torch.equal(data.split("train").images, HELD)
