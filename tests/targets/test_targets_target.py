from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from targets_linear import Linear, image_at
from torch import nn

from targets import DATA, TARGETS, DataSet, InputError, Split, TargetError, load, register
from targets.target import device_named
from targets.weights import module_digest

DIGITS = ["digits-sigma0.12", "digits-sigma0.25", "digits-sigma0.50", "digits-sigma1.00"]


@pytest.fixture
def two_classes() -> Iterator[str]:
    """A data set of a user's own."""

    def split(name):
        return Split(image_at(0.4, -0.4), torch.tensor([0, 1]))

    DATA.add("halves", DataSet("halves", num_classes=2, shape=(1, 8, 8), split=split))
    yield "halves"
    DATA.remove("halves")


@pytest.fixture
def clean_registry() -> Iterator[None]:
    """Forgets the targets that a test registers."""
    before = TARGETS.snapshot()
    yield
    TARGETS.restore(before)


@pytest.mark.parametrize("name", DIGITS)
def test_load_a_shipped_target(name):
    target = load(name, "cpu")
    assert target.name == name
    assert target.sigma == float(name[-4:])
    assert target.num_classes == 10
    assert target.data == "digits"
    assert target.device == torch.device("cpu")
    assert target.digest == hashlib.sha256(TARGETS[name].weights.read_bytes()).hexdigest()
    assert not target.base_classifier.training


def test_the_shipped_targets_differ():
    images = DATA["digits"].split("evaluation").images[:20]
    with torch.no_grad():
        logits = [load(name, "cpu").base_classifier(images) for name in DIGITS]
    assert not any(torch.equal(a, b) for i, a in enumerate(logits) for b in logits[:i])


@pytest.mark.usefixtures("clean_registry")
def test_register_a_target(two_classes):
    @register("halves-mine", sigma=0.25, data=two_classes)
    def build() -> nn.Module:
        """One line of mine.

        And more.
        """
        return Linear()

    assert isinstance(build(), Linear)  # the decorator gives the function back
    assert TARGETS["halves-mine"].description == "One line of mine."
    assert TARGETS["halves-mine"].recipe is None
    target = load("halves-mine", "cpu")
    assert target.digest == module_digest(Linear())
    assert (target.sigma, target.num_classes) == (0.25, 2)
    images = TARGETS["halves-mine"].data_set.split("evaluation").images
    np.testing.assert_array_equal(target.predict(images, n=200), [0, 1])


@pytest.mark.usefixtures("clean_registry")
def test_a_taken_name_is_refused_and_the_first_stays():
    with pytest.raises(InputError, match=r"the target name 'digits-sigma0\.50' is taken"):
        register("digits-sigma0.50", sigma=0.5, data="digits")(Linear)
    assert TARGETS["digits-sigma0.50"].sha256 is not None


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_sigma_not_above_zero_is_refused_before_anything_is_registered(sigma):
    with pytest.raises(InputError, match=r"sigma of target 'mine' is .*; give a number above 0"):
        register("mine", sigma=sigma, data="digits")
    assert "mine" not in TARGETS


def test_an_unknown_data_set_is_refused():
    with pytest.raises(InputError, match="unknown data set 'digitz'; did you mean 'digits'"):
        register("mine", sigma=0.5, data="digitz")


@pytest.mark.usefixtures("clean_registry")
def test_a_builder_that_returns_something_else():
    register("mine", sigma=0.5, data="digits")(lambda: "a network")
    with pytest.raises(TargetError, match=r"^target 'mine' must return a torch\.nn\.Module, not str$"):
        load("mine", "cpu")
    assert TARGETS["mine"].description == ""


def test_an_unknown_target():
    with pytest.raises(InputError, match=r"^unknown target 'digits-sigma0\.5'; did you mean 'digits-sigma0\.50'\?$"):
        load("digits-sigma0.5")


def test_weights_that_are_damaged_or_missing(tmp_path, monkeypatch):
    whole = TARGETS["digits-sigma0.25"].weights.read_bytes()
    monkeypatch.setattr("targets.target.FOLDER", tmp_path)
    with pytest.raises(TargetError, match="are missing"):
        load("digits-sigma0.25", "cpu")
    (tmp_path / "digits-sigma0.25.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 0x80]))
    with pytest.raises(TargetError, match="are damaged"):
        load("digits-sigma0.25", "cpu")
    (tmp_path / "digits-sigma0.25.safetensors").write_bytes(whole)
    assert load("digits-sigma0.25", "cpu").sigma == 0.25


def test_devices_where_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == torch.device("cpu")
    assert device_named("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match=f"device '{name}' asked for, but PyTorch sees no CUDA device"):
            device_named(name)
    with pytest.raises(InputError, match="--device cpu"):
        load("digits-sigma0.50", "cuda")


def test_devices_where_there_is_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto") == device_named("cuda") == torch.device("cuda")


@pytest.mark.parametrize("name", ["gpu", "", "cpu0"])
def test_an_unknown_device(name):
    with pytest.raises(InputError, match=f"^unknown device '{name}'; give auto, cpu or cuda$"):
        device_named(name)


@pytest.mark.parametrize(("name", "precision"), [("mine-bf16", "float32"), ("mine", "bfloat16")])
def test_the_name_says_the_precision(name, precision):
    better = "mine-bf16" if precision == "bfloat16" else "mine"
    words = f"computes in {precision}; only names of bfloat16 targets end in -bf16, and all do; name it '{better}'$"
    with pytest.raises(InputError, match=words):
        register(name, sigma=0.5, data="digits", precision=precision)
    with pytest.raises(InputError, match="unknown precision 'float23'; did you mean 'float32'"):
        register("mine", sigma=0.5, data="digits", precision="float23")


def test_a_target_in_bfloat16_is_another_classifier_on_the_same_noise():
    def build():
        return load("digits-sigma0.50", "cpu").base_classifier

    register("mine", sigma=0.5, data="digits")(build)
    register("mine-bf16", sigma=0.5, data="digits", precision="bfloat16")(build)
    try:
        full, half = load("mine", "cpu"), load("mine-bf16", "cpu")
    finally:
        TARGETS.remove("mine")
        TARGETS.remove("mine-bf16")
    images = DATA["digits"].split("evaluation").images[:30]
    votes, rounded = full.votes(images, 500), half.votes(images, 500)
    assert not np.array_equal(votes, rounded)
    assert np.abs(votes - rounded).max() <= 10  # other noise would differ by about √500
    assert half.base_classifier(images).dtype == torch.float32
