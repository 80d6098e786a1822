"""The door of a data set: every split is what the field takes for granted, or one line says what it is instead."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from targets import DataSet, InputError, Split
from targets.data.digits import split as digits
from targets.data.split import Checked

SHAPE, CLASSES = (2, 4, 6), 5
IMAGES = torch.rand(10, *SHAPE, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(10) % CLASSES


def data_set(images: object = IMAGES, labels: object = LABELS, **values: object) -> DataSet:
    def load(name: str) -> Split:
        return Split(images, labels)  # type: ignore[arg-type]

    return DataSet(**{"name": "mine", "num_classes": CLASSES, "shape": SHAPE, "split": load, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.double(),
        IMAGES.half(),
        IMAGES.bfloat16(),
        IMAGES.clone().requires_grad_(True),
        IMAGES.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
    ],
    ids=["float64", "float16", "bfloat16", "gradient", "strides"],
)
def test_floating_images_are_cast(images: Tensor):
    found = data_set(images).split("evaluation").images
    assert (found.dtype, found.requires_grad, found.is_contiguous()) == (torch.float32, False, True)
    assert torch.equal(found, images.detach().float())


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.int64])
def test_labels_of_every_width_are_cast(kind: torch.dtype):
    found = data_set(labels=LABELS.to(kind)).split("train").labels
    assert found.dtype == torch.int64
    assert torch.equal(found, LABELS)


BAD_IMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "NumPy": (IMAGES.numpy, "images are of type ndarray; give tensors (torch.from_numpy makes them)"),
    "bytes": (
        lambda: (IMAGES * 255).to(torch.uint8),
        "images are uint8; give floating numbers in [0, 1]: divide them by 255",
    ),
    "whole": (lambda: IMAGES.long(), "images are int64; give floating numbers in [0, 1]"),
    "complex": (lambda: IMAGES + 1j, "images are complex64; give floating numbers in [0, 1]"),
    "channels last": (
        lambda: IMAGES.permute(0, 2, 3, 1),
        "images have shape (10, 4, 6, 2); give (N, 2, 4, 6); its channels come last: images.permute(0, 3, 1, 2)",
    ),
    "flat": (lambda: IMAGES.flatten(1), "images have shape (10, 48); give (N, 2, 4, 6)"),
    "another size": (lambda: torch.rand(10, 2, 4, 5), "images have shape (10, 2, 4, 5); give (N, 2, 4, 6)"),
    "none": (lambda: IMAGES[:0], "it has no images; give at least one"),
    "0 to 255": (lambda: IMAGES * 255, "give finite numbers in [0, 1] (divide them by 255)"),
    "normalised": (lambda: 4 * IMAGES - 2, "give finite numbers in [0, 1] (normalising is the network's part)"),
    "just above": (lambda: IMAGES.index_fill(0, torch.tensor([3]), 1.001), "to 1.001; give finite numbers in [0, 1]"),
    "NaN": (lambda: IMAGES.index_fill(0, torch.tensor([3]), torch.nan), "images go from nan to nan; give finite"),
    "infinite": (lambda: IMAGES.index_fill(0, torch.tensor([9]), torch.inf), "to inf; give finite numbers in [0, 1]"),
}
BAD_LABELS: dict[str, tuple[Callable[[], object], str]] = {
    "NumPy": (LABELS.numpy, "labels are of type ndarray; give tensors (torch.from_numpy makes them)"),
    "floats": (LABELS.float, "labels are float32; give whole numbers, one an image: labels.long()"),
    "truth": (lambda: LABELS > 2, "labels are bool; give whole numbers"),
    "one-hot": (
        lambda: torch.nn.functional.one_hot(LABELS),
        "labels have shape (10, 5); give (N,), one an image; of one-hot labels take labels.argmax(1)",
    ),
    "column": (lambda: LABELS[:, None], "labels have shape (10, 1); give (N,), one an image"),
    "short": (lambda: LABELS[:4], "10 images and 4 labels; give one label for each image"),
    "unknown": (
        lambda: torch.full((10,), -1),
        "labels go from -1 to -1; give 0 to 4 for 5 classes (-1 stands for ABSTAIN; leave images without a label out)",
    ),
    "from 1": (lambda: LABELS + 1, "labels go from 1 to 5; give 0 to 4 for 5 classes: subtract 1"),
    "one too high": (lambda: LABELS.clone().fill_(5), "labels go from 5 to 5; give 0 to 4 for 5 classes"),
    "below": (lambda: LABELS - 3, "labels go from -3 to 1; give 0 to 4 for 5 classes"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_images_that_are_none_are_refused_in_one_line(case: str):
    make, words = BAD_IMAGES[case]
    with pytest.raises(InputError) as caught:
        data_set(make()).split("evaluation")
    assert str(caught.value).startswith("split 'evaluation' of data set 'mine': ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_are_none_are_refused_in_one_line(case: str):
    make, words = BAD_LABELS[case]
    with pytest.raises(InputError) as caught:
        data_set(labels=make()).split("train")
    assert str(caught.value).startswith("split 'train' of data set 'mine': ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_adversary_may_have_images_without_a_label():
    """Nothing reads its labels, and unlabelled splits, as STL-10's, have -1 for them."""
    unlabelled = data_set(labels=torch.full((10,), -1))
    assert unlabelled.split("adversary").labels.tolist() == [-1] * 10
    with pytest.raises(InputError, match="give 0 to 4"):
        data_set(labels=torch.full((10,), -2)).split("adversary")


def test_what_is_no_split_is_refused():
    for given, kind in ((None, "NoneType"), ((IMAGES, LABELS), "tuple"), ({"images": IMAGES}, "dict")):
        with pytest.raises(InputError, match=rf"is of type {kind}; give a targets\.Split\(images, labels\)$"):
            data_set(split=lambda name, given=given: given).split("evaluation")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file", "x.npy"), KeyError("train"), SystemExit(3), GeneratorExit("no")]
)
def test_a_loader_that_raises_is_one_line(error: BaseException):
    def load(name: str) -> Split:
        raise error

    with pytest.raises(InputError) as caught:
        data_set(split=load).split("train")
    words = f"data set 'mine' cannot load its split 'train': {type(error).__name__}: {error}"
    assert str(caught.value) == words


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("no intact CIFAR-10 in x")])
def test_what_a_loader_means_to_say_passes(error: BaseException):
    def load(name: str) -> Split:
        raise error

    with pytest.raises(type(error)) as caught:
        data_set(split=load).split("train")
    assert caught.value is error


def test_the_same_split_is_checked_once(monkeypatch: pytest.MonkeyPatch):
    checks = []
    whole = Tensor.aminmax
    monkeypatch.setattr(Tensor, "aminmax", lambda self: checks.append(self.dtype) or whole(self))
    held = {name: Split(IMAGES.double(), LABELS.clone()) for name in ("train", "evaluation")}
    checked = Checked(held.__getitem__, "mine", SHAPE, CLASSES)
    first = checked("evaluation")
    assert checks == [torch.float32, torch.int64]
    assert checked("evaluation") is first
    assert len(checks) == 2
    checked("train")
    assert checked("evaluation") is first
    assert len(checks) == 4
    held["evaluation"] = Split(IMAGES + 7, LABELS)  # another object: it is not taken for the one that was checked
    with pytest.raises(InputError, match="give finite numbers"):
        checked("evaluation")


def test_what_is_right_comes_through_as_it_is_and_is_not_kept_alive():
    import gc
    import weakref

    held = [Split(IMAGES, LABELS)]
    checked = Checked(lambda name: held[0], "mine", SHAPE, CLASSES)
    assert checked("evaluation") is held[0]
    gone = weakref.ref(held.pop())
    gc.collect()
    assert gone() is None


def test_a_copy_of_a_data_set_checks_by_its_own_fields():
    renamed = dataclasses.replace(data_set(labels=LABELS + 1), name="other", num_classes=6)
    assert renamed.split("train").labels.max() == 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_classes": 1}, "data set 'mine' has 1 classes; give 2 or more"),
        ({"num_classes": 2.0}, "data set 'mine' has 2.0 classes; give 2 or more"),
        ({"num_classes": True}, "data set 'mine' has True classes; give 2 or more"),
        ({"shape": (8, 8)}, "data set 'mine' has shape (8, 8); give (C, H, W), three whole numbers above 0"),
        ({"shape": (1, 0, 8)}, "data set 'mine' has shape (1, 0, 8); give (C, H, W)"),
        ({"shape": (1, 8.0, 8)}, "data set 'mine' has shape (1, 8.0, 8); give (C, H, W)"),
        ({"held_back": 0}, "held_back of data set 'mine' is 0; give 1 or more"),
    ],
)
def test_a_data_set_s_own_fields(values: dict[str, object], words: str):
    with pytest.raises(InputError) as caught:
        data_set(**values)
    assert str(caught.value).startswith(words)


def test_numbers_of_numpy_and_torch_are_numbers():
    mine = data_set(num_classes=np.int64(5), shape=torch.Size(SHAPE))
    assert (type(mine.num_classes), mine.shape, type(mine.shape)) == (int, SHAPE, tuple)
    assert len(mine.split("train").images) == 10


def test_the_digits_come_through_untouched():
    from targets import DATA

    for name in ("train", "adversary", "evaluation"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, own = DATA["digits"].split(name), digits(name)
        assert torch.equal(found.images, own.images)
        assert torch.equal(found.labels, own.labels)
