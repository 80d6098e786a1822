"""The arithmetic of a base classifier: one for each target on a machine, whatever images come and in whatever order."""

from __future__ import annotations

import itertools
import warnings

import pytest
import torch
from targets_networks import SHAPE, gradient, in_bfloat16, noisy, trained
from torch import Tensor, nn

from targets import InputError, SmoothedClassifier, load
from targets.engine import Engine, arithmetic
from targets.engine.arithmetic import AS_IS, FOLDED, ROUNDED, VARIABLE, choose, elsewhere
from targets.models import SmallCNN
from targets.precision import Bfloat16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
DIGIT = (1, 8, 8)

NETWORKS = {"float32": trained(), "bfloat16": in_bfloat16(trained())}
SMALL = {"float32": SmallCNN().eval(), "bfloat16": in_bfloat16(SmallCNN())}

PATHS = [("float32", AS_IS), ("float32", FOLDED), ("bfloat16", AS_IS), ("bfloat16", ROUNDED)]
"""All there are, each of which is tested on every machine."""


@pytest.fixture(params=PATHS, ids=lambda path: f"{path[0]}, {path[1]}")
def forced(request, monkeypatch) -> Engine:
    precision, name = request.param
    monkeypatch.setenv(VARIABLE, name)
    engine = Engine(NETWORKS[precision], 10, batch=60)
    assert engine.arithmetic(SHAPE).name == name
    return engine


RULE = {
    # precision, large, bfloat16 instructions: the arithmetic on a CPU
    ("float32", False, True): (AS_IS, False),
    ("float32", False, False): (AS_IS, False),
    ("float32", True, True): (FOLDED, True),
    ("float32", True, False): (FOLDED, True),
    ("float32", True, None): (FOLDED, True),
    ("bfloat16", False, True): (AS_IS, False),
    ("bfloat16", False, False): (ROUNDED, False),
    ("bfloat16", True, True): (AS_IS, True),
    ("bfloat16", True, False): (ROUNDED, True),
    ("bfloat16", True, None): (AS_IS, True),
}


@pytest.mark.parametrize("case", RULE, ids=str)
def test_the_rule(case, monkeypatch):
    precision, large, instructions = case
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(arithmetic, "bfloat16_instructions", lambda: instructions)
    module, shape = (NETWORKS[precision], SHAPE) if large else (SMALL[precision], DIGIT)
    found = choose(module, shape, CPU)
    assert (found.name, found.compilable) == RULE[case]
    assert (found.module is module) == (found.name == AS_IS)
    assert choose(module, shape, CUDA).name == AS_IS


def test_what_has_nothing_to_fold_is_left_as_it_is(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    module = nn.Sequential(nn.Flatten(), nn.Linear(768, 10)).eval()
    assert choose(module, SHAPE, CPU).module is module


@pytest.mark.parametrize(("forced", "instructions"), list(itertools.product([AS_IS, FOLDED, ROUNDED], [True, False])))
def test_it_can_be_forced_for_whom_it_fits(forced, instructions, monkeypatch):
    monkeypatch.setenv(VARIABLE, forced)
    monkeypatch.setattr(arithmetic, "bfloat16_instructions", lambda: instructions)
    single, half = (choose(NETWORKS[precision], SHAPE, CPU).name for precision in ("float32", "bfloat16"))
    assert single == (AS_IS if forced == AS_IS else FOLDED)
    assert half == (forced if forced != FOLDED else AS_IS if instructions else ROUNDED)


def test_another_name_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(InputError, match=f"^{VARIABLE} is 'fast'; set it to as-is, folded or rounded, or to nothing$"):
        _ = load("digits-sigma0.50", "cpu").identity


def test_only_an_arithmetic_of_its_own_is_in_the_identity(monkeypatch):
    published = {"target": "t", "data": "digits", "sigma": 0.5, "weights": "abc"}
    target = SmoothedClassifier(in_bfloat16(SmallCNN()), 0.5, 10, name="t", digest="abc", data="digits")
    monkeypatch.setenv(VARIABLE, AS_IS)
    assert target.identity == published
    monkeypatch.setenv(VARIABLE, ROUNDED)
    assert target.identity == published  # chosen once
    target = SmoothedClassifier(in_bfloat16(SmallCNN()), 0.5, 10, name="t", digest="abc", data="digits")
    assert target.identity == {**published, "arithmetic": "rounded"}
    assert elsewhere(target.identity) == [published, {**published, "arithmetic": "folded"}]
    assert elsewhere(published)[0] == {**published, "arithmetic": "folded"}
    assert SmoothedClassifier(in_bfloat16(SmallCNN()), 0.5, 10).arithmetic is None  # of no data set


def test_a_row_does_not_depend_on_its_batch_nor_on_what_it_is_asked_for(forced):
    images = noisy(120)
    together = forced.logits(images)
    assert torch.equal(forced.answers(images), together.argmax(1))
    for size in (1, 7, 16, 25, 60, 100):
        parts = images.split(size)
        assert torch.equal(torch.cat([forced.logits(part) for part in parts]), together), size
        assert torch.equal(torch.cat([forced.answers(part) for part in parts]), together.argmax(1)), size
    assert torch.equal(forced.logits(images.clone().requires_grad_()), together)


def test_logits_and_gradients_are_near_the_plain_network_s(forced):
    images, plain = noisy(120), NETWORKS["float32"]
    near = 0.05 if isinstance(forced.base_classifier, Bfloat16) else 1e-3
    logits, slopes = forced.logits(images), gradient(forced.logits, images)
    assert (logits - plain(images)).norm() < near * plain(images).norm()
    expected = torch.cat([gradient(plain, part) for part in images.split(24)])
    assert (slopes - expected).norm() < 4 * near * expected.norm()


def test_gradients_can_be_taken_after_answers(forced):
    forced.answers(noisy(3))  # in inference mode, whose tensors autograd refuses
    assert gradient(forced.logits, noisy(3)).abs().max() > 0


class Branching(nn.Module):
    """Cannot be traced: it looks at the images."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = trained()

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images) if float(images.sum()) > -1e9 else self.inner(-images)


class Shared(nn.Module):
    """A convolution with a batch normalisation for each of its two uses: folded, it would have to be two."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        for norm in (self.first, self.second):
            nn.init.uniform_(norm.weight, 0.5, 2)
        self.fc = nn.Linear(768, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.second(self.conv(self.first(self.conv(images)))).flatten(1))


class Hooked(nn.Module):
    """A network whose hook, which a trace leaves out, is a part of what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = trained()
        self.register_forward_hook(lambda module, inputs, logits: -logits)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Branching(), "float\\(\\) argument must be"),
        (Shared(), "the result computes another function"),
        (Hooked(), "the result computes another function"),
    ],
)
def test_what_cannot_be_rewritten_is_computed_as_it_is_and_that_is_said(module, reason, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    engine, images = Engine(module.eval().requires_grad_(False), 10), noisy(20)
    with pytest.warns(UserWarning, match=f"computed as it is, which is slower, since it cannot be rewritten: {reason}"):
        logits = engine.logits(images)
    assert torch.equal(logits, module(images))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(engine.logits(images), logits)
    assert engine.arithmetic(SHAPE).identity == {}


def test_digits_are_computed_as_they_were():
    target = load("digits-sigma0.50", "cpu")
    assert target.arithmetic is not None
    assert target.arithmetic.module is target.base_classifier
    assert not target.arithmetic.compilable
