"""The budget rule: what breaks it is not sent, and its record says which rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.running.evaluation import AttackError, enforce, take

ORIGINALS = torch.full((2, 1, 2, 2), 0.5)


def returned(pixel: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """The originals, but for one pixel of the second."""
    images = ORIGINALS.to(dtype).clone()
    images[1, 0, 0, 0] = pixel
    return images


def test_a_valid_image_is_sent():
    images = returned(0.75)
    sent = enforce(ORIGINALS, images, 0.25)
    assert sent.validity.tolist() == ["valid", "valid"]
    assert torch.equal(sent.images, images)
    assert sent.changed.tolist() == [False, True]
    assert sent.l2.tolist() == sent.linf.tolist() == [0.0, 0.25]


def test_norms_are_of_the_difference():
    images = ORIGINALS.clone()
    images[0] += torch.tensor([[0.25, -0.25], [0.25, -0.25]])
    images[1] += torch.tensor([[0.0, -0.375], [0.5, 0.0]])
    sent = enforce(ORIGINALS, images, 1.0)
    assert sent.l2.tolist() == [0.5, 0.625]
    assert sent.linf.tolist() == [0.25, 0.5]


@pytest.mark.parametrize("pixel", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_not_sent(pixel: float):
    sent = enforce(ORIGINALS, returned(pixel), 10.0)
    assert sent.validity.tolist() == ["valid", "not-finite"]
    assert torch.equal(sent.images, ORIGINALS)
    assert sent.changed.tolist() == [False, False]
    assert np.isnan(sent.l2).tolist() == np.isnan(sent.linf).tolist() == [False, True]


@pytest.mark.parametrize("pixel", [1.0000001192092896, -1e-7, 2.0])
def test_what_leaves_the_range_is_not_sent(pixel: float):
    sent = enforce(ORIGINALS, returned(pixel), 10.0)
    assert sent.validity.tolist() == ["valid", "out-of-range"]
    assert torch.equal(sent.images, ORIGINALS)
    assert sent.changed.tolist() == [False, False]
    assert sent.l2[1] == pytest.approx(abs(pixel - 0.5))


@pytest.mark.parametrize("pixel", [0.0, 1.0])
def test_the_ends_of_the_range_are_in_it(pixel: float):
    assert enforce(ORIGINALS, returned(pixel), 10.0).validity.tolist() == ["valid", "valid"]


@pytest.mark.parametrize(("excess", "verdict"), [(0.9e-6, "valid"), (1.1e-6, "over-budget"), (0.5, "over-budget")])
def test_the_budget_has_a_relative_slack_of_a_millionth(excess: float, verdict: str):
    for size in (0.5, 2.0**-10):  # exact in float32
        sent = enforce(ORIGINALS, returned(0.5 + size), size / (1 + excess))
        assert sent.validity.tolist() == ["valid", verdict]
        assert sent.changed.tolist() == [False, verdict == "valid"]
        assert sent.l2[1] == size
        assert bool(torch.equal(sent.images, ORIGINALS)) == (verdict != "valid")


def test_the_first_rule_broken_is_the_one_named():
    assert enforce(ORIGINALS, returned(5.0), 0.1).validity[1] == "out-of-range"
    assert enforce(ORIGINALS, returned(float("inf")), 0.1).validity[1] == "not-finite"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "NoneType"),
        (np.zeros((2, 1, 2, 2), dtype=np.float32), "ndarray"),
        ([ORIGINALS], "list"),
        (ORIGINALS[:1], "shape \\(1, 1, 2, 2\\)"),
        (ORIGINALS[:, 0], "shape \\(2, 2, 2\\)"),
        (ORIGINALS.to(torch.uint8), "torch.uint8"),
        (ORIGINALS > 0, "torch.bool"),
        (ORIGINALS.to(torch.complex64), "torch.complex64"),
        (ORIGINALS.to("meta"), "a tensor on device meta, which has no values; expected a dense one on cpu$"),
        (ORIGINALS.to_sparse(), "a tensor of layout torch.sparse_coo; expected a dense one on cpu$"),
    ],
)
def test_what_is_no_batch_of_images_is_an_error(wrong: Any, words: str):
    with pytest.raises(AttackError, match=words):
        enforce(ORIGINALS, wrong, 0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_any_floating_point_is_taken(dtype: torch.dtype):
    sent = enforce(ORIGINALS, returned(0.75, dtype), 0.25)
    assert sent.validity.tolist() == ["valid", "valid"]
    assert sent.images.dtype == torch.float32


def test_gradients_end_here():
    sent = enforce(ORIGINALS, returned(0.75).requires_grad_(), 0.25)
    assert not sent.images.requires_grad


def test_zero_images():
    sent = enforce(ORIGINALS[:0], ORIGINALS[:0], 0.5)
    assert sent.images.shape == (0, 1, 2, 2)
    assert [len(sent.validity), len(sent.l2), len(sent.linf), len(sent.changed)] == [0, 0, 0, 0]


def test_take_gives_copies_in_the_order_asked_for():
    split = torch.arange(5)
    taken = take(split, [3, 1])
    assert taken.tolist() == [3, 1]
    taken[0] = 99
    assert split.tolist() == [0, 1, 2, 3, 4]
