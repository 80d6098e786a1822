"""Checkpoints in the field's format: the same logits as the original network's, or one clear line."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import targets_cohen as cohen
import torch
from safetensors.torch import save_file
from torch import nn

import targets
from targets import TARGETS, InputError, TargetError
from targets.checkpoint import load_checkpoint
from targets.models import ARCHITECTURES
from targets.resnet import ResNet
from targets.weights import module_digest, save_weights

SHAPE = (3, 32, 32)
COHENS: dict[str, Any] = {"means": cohen.MEANS, "sds": cohen.SDS}
"""What must be said of a checkpoint that does not hold it."""


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    """A shallow network to be quick with; and what a test registers is gone after it."""
    before = TARGETS.snapshot()
    ARCHITECTURES.add("resnet-8", lambda shape, num_classes: ResNet(8, shape, num_classes))
    yield
    ARCHITECTURES.remove("resnet-8")
    TARGETS.restore(before)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return cohen.state_dict(8)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(5))


def answers(path: Path, images: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return load_checkpoint(path, SHAPE, 10, *arguments, **options).eval()(images)


@pytest.mark.parametrize(("depth", "arch"), [(20, "cifar_resnet20"), (110, "cifar_resnet110")])
def test_the_logits_are_those_of_the_original_network(depth: int, arch: str, tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(depth)
    path = cohen.write(tmp_path / "checkpoint.pth.tar", state, arch)
    targets.register_checkpoint("mine", path, sigma=0.5, **COHENS)
    target = targets.load("mine", "cpu")
    assert (target.sigma, target.num_classes, target.data) == (0.5, 10, "cifar10")
    with torch.no_grad():
        found = target.base_classifier(images)
    expected = cohen.logits(state, images, depth)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert float((expected - expected.mean(0)).abs().max()) > 0.1  # the images do not all give the same


@pytest.mark.parametrize(
    "prefix",
    [
        *("1.", "1.module.", "module.1.", "module.1.module.", "module.", ""),
        *("_orig_mod.1.", "1._orig_mod.", "_orig_mod.", "module._orig_mod.1.", "1._orig_mod.module."),
        *("model.", "net.", "model.1.", "model.1._orig_mod.", "module.model."),
    ],
)
def test_every_way_of_wrapping(prefix: str, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", prefix)
    found = answers(path, images, **COHENS)
    torch.testing.assert_close(found, cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)


def test_the_prefixes_are_those_that_pytorch_writes(state: dict[str, torch.Tensor]):
    inner = ResNet(8)
    for wrapped, prefix in [
        (nn.Sequential(nn.Identity(), inner), "1."),
        (nn.Sequential(nn.Identity(), nn.DataParallel(inner)), "1.module."),
        (nn.DataParallel(nn.Sequential(nn.Identity(), inner)), "module.1."),
        (torch.compile(nn.Sequential(nn.Identity(), inner)), "_orig_mod.1."),
        (nn.Sequential(nn.Identity(), torch.compile(inner)), "1._orig_mod."),
    ]:
        assert set(wrapped.state_dict()) == {f"{prefix}{name}" for name in state}


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1, 1)])
@pytest.mark.parametrize("names", [("means", "sds"), ("mean", "std")])
@pytest.mark.parametrize(
    ("prefix", "layer"),
    [
        ("1.", "0."),
        ("module.1.", "module.0."),
        ("1.module.", "0.module."),
        ("_orig_mod.1.", "_orig_mod.0."),
        ("model.1.", "model.0."),
    ],
)
def test_saved_constants_are_used(
    prefix: str,
    layer: str,
    names: tuple[str, str],
    shape: tuple[int, ...],
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    images: torch.Tensor,
):
    means, sds = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    saved = {f"{layer}{names[0]}": torch.tensor(means).view(shape), f"{layer}{names[1]}": torch.tensor(sds).view(shape)}
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", prefix, **saved)
    expected = cohen.logits(state, images, 8, means, sds)
    torch.testing.assert_close(answers(path, images), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(expected, cohen.logits(state, images, 8), atol=1e-2)


def test_given_constants_are_used_where_the_checkpoint_has_none(
    tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    """Some networks of smoothing-adversarial are centred only, and nothing in their checkpoints says so."""
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("centred", path, sigma=0.5, means=cohen.MEANS, sds=[1, 1, 1])
    with torch.no_grad():
        found = targets.load("centred", "cpu").base_classifier(images)
    torch.testing.assert_close(
        found, cohen.logits(state, images, 8, cohen.MEANS, [1.0, 1.0, 1.0]), rtol=1e-4, atol=1e-4
    )
    centred = {"0.means": torch.tensor(cohen.MEANS)}
    path = cohen.write(tmp_path / "d.pth.tar", state, "resnet-8", **centred)
    torch.testing.assert_close(answers(path, images, sds=[1, 1, 1]), found)


def test_old_files_load_too(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    """From before PyTorch counted batches (0.4.1) and wrote zip archives (1.6)."""
    old = {f"1.{name}": tensor for name, tensor in state.items() if "num_batches" not in name}
    path = tmp_path / "old.pth.tar"
    torch.save({"epoch": 90, "arch": "resnet-8", "state_dict": old}, path, _use_new_zipfile_serialization=False)
    found = answers(path, images, **COHENS)
    torch.testing.assert_close(found, cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)


def test_a_given_architecture_is_taken_by_our_name_and_by_the_field_s(tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(20)
    path = cohen.write(tmp_path / "c.pth.tar", state, arch=None)
    for name in ("resnet-20", "cifar_resnet20"):
        found = answers(path, images, name, **COHENS)
        torch.testing.assert_close(found, cohen.logits(state, images, 20), rtol=1e-4, atol=1e-4)


def test_an_architecture_that_normalises_by_itself(tmp_path: Path):
    network = ARCHITECTURES["wide-resnet-10"](SHAPE, 10).eval()
    path = cohen.write(tmp_path / "c.pth.tar", network.state_dict(), "wide-resnet-10")
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images), network(images))
    with pytest.raises(TargetError, match="wide-resnet-10 normalises in its own way"):
        load_checkpoint(path, SHAPE, 10, sds=[1, 1, 1])


def test_nothing_is_read_before_the_target_is_loaded(tmp_path: Path):
    path = tmp_path / "c.pth.tar"
    path.write_bytes(b"not yet a checkpoint")
    targets.register_checkpoint("mine", str(path), sigma=0.25, architecture="resnet-8", **COHENS)
    assert TARGETS["mine"].description == "resnet-8 from c.pth.tar"
    assert TARGETS["mine"].recipe is None
    with pytest.raises(TargetError, match="is damaged"):
        targets.load("mine", "cpu")
    cohen.write(path, cohen.state_dict(8))
    assert targets.load("mine", "cpu").sigma == 0.25


def test_the_digest_tells_networks_apart_and_not_files(tmp_path: Path, state: dict[str, torch.Tensor]):
    def digest(
        name: str, state: dict[str, torch.Tensor], prefix: str = "1.", sds: Any = cohen.SDS, **others: Any
    ) -> str:
        path = cohen.write(tmp_path / f"{name}.pth.tar", state, "resnet-8", prefix, **others)
        given = {} if others else {"means": cohen.MEANS, "sds": sds}
        targets.register_checkpoint(name, path, sigma=0.5, **given)
        return targets.load(name, "cpu").digest

    changed = {**state, "bn1.running_mean": state["bn1.running_mean"] + 1e-3}
    cohens = {"0.means": torch.tensor(cohen.MEANS), "0.sds": torch.tensor(cohen.SDS)}
    others = {"0.means": torch.tensor(cohen.MEANS), "0.sds": torch.tensor([0.2023, 0.1994, 0.2011])}
    digests = [
        digest("one", state),
        digest("weights", changed),
        digest("centred", state, sds=[1, 1, 1]),
        digest("saved", state, **others),
    ]
    assert len(set(digests)) == 4
    plain = ResNet(8)  # which has Cohen's constants of its own: what is noted beside them is no part of the digest
    plain.load_state_dict(state)
    assert digests[0] == module_digest(plain)
    assert digest("parallel", state, "module.1.") == digests[0]
    assert digest("same-constants", state, **cohens) == digests[0]


def test_it_smooths(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.25, **COHENS)
    votes = targets.load("mine", "cpu").votes(images, 100)
    np.testing.assert_array_equal(votes.sum(1), [100, 100, 100])


# What is wrong with a file that is there, and the words that the error must hold.


class Unsafe:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


def test_an_unsafe_pickle_is_refused_and_not_run(tmp_path: Path, state: dict[str, torch.Tensor]):
    mark = tmp_path / "mark"
    unsafe = {"arch": "resnet-8", "state_dict": state, "best": Unsafe(mark)}
    torch.save(unsafe, tmp_path / "new.pth.tar")
    (tmp_path / "plain.pth.tar").write_bytes(pickle.dumps(unsafe))
    for name in ("new", "plain"):
        with pytest.raises(TargetError, match="more than tensors and plain values; nothing else is loaded") as caught:
            load_checkpoint(tmp_path / f"{name}.pth.tar", SHAPE, 10)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_a_damaged_file(damage: str, tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "text": b"<!DOCTYPE html><html>Sign in</html>",
            "flipped": whole[:40] + bytes(100) + whole[140:],
        }[damage]
    )
    with pytest.raises(TargetError, match=r"^checkpoint .*c\.pth\.tar is damaged, or holds more than") as caught:
        load_checkpoint(path, SHAPE, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"state_dict": [1], "epoch": 3}, "'state_dict', 'epoch'"),
        ([1], "list"),
        ({}, "nothing"),
        ({"state_dict": {"a": 1}}, "'state_dict'"),
        ({"weights": {"a": torch.zeros(1)}}, "'weights'"),
    ],
)
def test_a_file_without_a_state_dict(content: Any, found: str, tmp_path: Path):
    torch.save(content, tmp_path / "c.pth.tar")
    with pytest.raises(TargetError, match=rf"holds no state_dict of tensors, but {found}; write it by torch\.save"):
        load_checkpoint(tmp_path / "c.pth.tar", SHAPE, 10)


def test_the_first_tensor_that_does_not_fit_is_named(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = tmp_path / "c.pth.tar"
    start = rf"^checkpoint {path}: "
    lacking = {name: tensor for name, tensor in state.items() if name not in ("layer2.0.bn1.weight", "fc.bias")}
    cohen.write(path, lacking, "resnet-8")
    with pytest.raises(TargetError, match=start + r"'layer2\.0\.bn1\.weight' of resnet-8 is missing"):
        load_checkpoint(path, SHAPE, 10)
    cohen.write(path, state, "resnet-8")
    with pytest.raises(TargetError, match=start + r"'layer1\.1\.conv1\.weight' of resnet-20 is missing"):
        load_checkpoint(path, SHAPE, 10, "resnet-20")
    with pytest.raises(TargetError, match=start + r"'fc\.weight' has shape \(10, 64\), not \(7, 64\) as in resnet-8"):
        load_checkpoint(path, SHAPE, 7)
    cohen.write(path, cohen.state_dict(20), "cifar_resnet20")
    with pytest.raises(TargetError, match=start + r"'layer1\.1\.conv1\.weight' is no part of resnet-8"):
        load_checkpoint(path, SHAPE, 10, "resnet-8")
    cohen.write(path, state, "resnet-8", **{"1.module.fc.bias": state["fc.bias"]})
    with pytest.raises(TargetError, match=start + r"'1\.fc\.bias' is in it twice"):
        load_checkpoint(path, SHAPE, 10)


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("cifar_resnet32", "unknown architecture 'cifar_resnet32'; known: resnet-110 (cifar_resnet110), resnet-18 ("),
        ("resnet51", "unknown architecture 'resnet51'; known: resnet-110 (cifar_resnet110), resnet-18 ("),
        (None, "says no architecture; give one: resnet-110 (cifar_resnet110), resnet-18 ("),
    ],
)
def test_an_architecture_that_is_not_known(
    arch: str | None, words: str, tmp_path: Path, state: dict[str, torch.Tensor]
):
    path = cohen.write(tmp_path / "c.pth.tar", state, arch)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, SHAPE, 10)
    assert str(caught.value).startswith(f"checkpoint {path}: {words}")


@pytest.mark.parametrize(
    ("saved", "given", "words"),
    [
        ({"means": [0.1] * 3, "sds": [1.0] * 3}, {"sds": [1, 1, 1]}, "it holds its own sds; leave sds out"),
        ({"means": [0.1] * 3}, {}, "it holds means and no sds; give sds"),
        ({"means": [0.1], "sds": [1.0]}, {}, "0.means is [0.10000000149011612]; give 3 numbers, one a channel"),
        ({"means": [0.1] * 3, "sds": [1.0, 0.0, 1.0]}, {}, "0.sds is [1.0, 0.0, 1.0]; give numbers above 0"),
        ({"means": [float("nan")] * 3, "sds": [1.0] * 3}, {}, "0.means is [nan, nan, nan]; give 3 numbers"),
        ({"means": [125.0] * 3, "sds": [63.0] * 3}, {}, "0.means is [125.0, 125.0, 125.0]; give constants for images"),
        ({"means": [0.5] * 3, "sds": [63.0] * 3}, {}, "[0, 1]: divide those for 0 … 255 by 255"),
        ({"mean": [0.5] * 3, "std": [63.0] * 3}, {}, "0.sds is [63.0, 63.0, 63.0]"),
        ({"sds": [0.2] * 3}, {}, "it holds sds and no means; give means, [0, 0, 0] for a network that only divides"),
        ({}, {"sds": [1, 1, 1]}, "sds are given and no means; give both. Networks of Cohen et al. and"),
        ({}, {"means": [0.5] * 3}, "means are given and no sds; give both. Networks of Cohen et al. and"),
        ({}, {}, "it does not say how images are normalised, and a guess may be wrong; give means and sds. "),
    ],
)
def test_constants_that_cannot_be(
    saved: dict[str, list[float]], given: dict[str, Any], words: str, tmp_path: Path, state: dict[str, torch.Tensor]
):
    tensors = {f"0.{key}": torch.tensor(values) for key, values in saved.items()}
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", **tensors)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, SHAPE, 10, **given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": 0}, "sigma of target 'mine' is 0; give a number above 0"),
        ({"sigma": 0.5, "data": "cifar"}, "unknown data set 'cifar'; did you mean 'cifar10'?"),
        ({"sigma": 0.5, "architecture": "resnet-21"}, "unknown architecture 'resnet-21'; known: resnet-110"),
        ({"sigma": 0.5, "means": [0.5]}, "means is [0.5]; give 3 numbers, one a channel"),
        ({"sigma": 0.5, "sds": [1, 1, 0]}, "sds is [1, 1, 0]; give numbers above 0"),
        ({"sigma": 0.5, "sds": [51, 51, 51]}, "sds is [51, 51, 51]; give constants for images in [0, 1]: divide those"),
        ({"sigma": 0.5, "sds": [1, 1, 10**400]}, "sds is [1, 1, 1000"),
        ({"sigma": float("inf")}, "sigma of target 'mine' is inf; give a number above 0"),
        ({"sigma": 0.5, "name": "digits-sigma0.50"}, "the target name 'digits-sigma0.50' is taken"),
        ({"sigma": 0.5, "path": "gone.pth.tar"}, "there is no checkpoint gone.pth.tar"),
    ],
)
def test_what_is_wrong_is_said_at_registration(options: dict[str, Any], words: str, tmp_path: Path):
    (tmp_path / "c.pth.tar").write_bytes(b"never read")
    before = list(TARGETS)
    with pytest.raises(InputError) as caught:
        targets.register_checkpoint(**{"name": "mine", "path": tmp_path / "c.pth.tar", **options})
    assert str(caught.value).startswith(words)
    assert list(TARGETS) == before


def test_a_file_that_went_away(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.5)
    path.unlink()
    with pytest.raises(TargetError, match=rf"^cannot read the checkpoint {path}: No such file"):
        targets.load("mine", "cpu")


def test_weights_that_train_made_are_a_checkpoint_too(tmp_path: Path, images: torch.Tensor):
    module = ARCHITECTURES["resnet-8"](SHAPE, 10).eval()
    path = tmp_path / "cifar10-sigma1.00.safetensors"
    save_weights(module, path)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images, "resnet-8"), module(images))
    with pytest.raises(InputError, match="says no architecture"):
        answers(path, images)


@pytest.mark.parametrize("holder", ["net", "model", "model_state_dict", None])
def test_bare_weights_are_loaded_where_the_architecture_and_the_constants_are_said(
    holder: str | None, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    """As MACER saves its network, which sees raw pixels, and as ``torch.save(model.state_dict())`` does."""
    path = tmp_path / "440.pth"
    torch.save(state if holder is None else {holder: state, "epoch": 440}, path)
    with pytest.raises(InputError, match=r"says no architecture; give one: resnet-110 \(cifar_resnet110\)"):
        load_checkpoint(path, SHAPE, 10)
    with pytest.raises(InputError, match="does not say how images are normalised"):
        load_checkpoint(path, SHAPE, 10, "resnet-8")
    raw = cohen.logits(state, images, 8, [0.0] * 3, [1.0] * 3)
    found = answers(path, images, "resnet-8", means=[0, 0, 0], sds=[1, 1, 1])
    torch.testing.assert_close(found, raw, rtol=1e-4, atol=1e-4)


def test_constants_are_never_assumed_and_what_to_give_is_said(tmp_path: Path, state: dict[str, torch.Tensor]):
    """The three kinds of network below are saved under the same names, and two would be wrong without a word."""
    for suffix, prefix in [(".pth.tar", "1."), (".pth.tar", ""), (".safetensors", "1.")]:
        path = tmp_path / f"c{suffix}"
        if suffix == ".safetensors":
            save_file({f"{prefix}{name}": tensor for name, tensor in state.items()}, path)
        else:
            cohen.write(path, state, "resnet-8", prefix)
        with pytest.raises(InputError) as caught:
            load_checkpoint(path, SHAPE, 10, "resnet-8")
        line = str(caught.value)
        assert "\n" not in line
        for pasted in (
            "NormalizeLayer: means = [0.4914, 0.4822, 0.4465], sds = [0.2023, 0.1994, 0.201];",
            "InputCenterLayer (most of smoothing-adversarial): means = [0.4914, 0.4822, 0.4465], sds = [1, 1, 1];",
            "raw pixels (MACER): means = [0, 0, 0], sds = [1, 1, 1]",
        ):
            assert pasted in line


def test_what_was_used_is_noted(tmp_path: Path, state: dict[str, torch.Tensor]):
    saved = {"0.means": torch.tensor(cohen.MEANS), "0.sds": torch.tensor(cohen.SDS)}
    constants = "images are normalised by means [0.4914, 0.4822, 0.4465] and sds [0.2023, 0.1994, 0.201], "
    cohen.write(tmp_path / "given.pth", state, "resnet-8")
    cohen.write(tmp_path / "held.pth", state, "resnet-8", **saved)
    cohen.write(tmp_path / "half.pth", state, "resnet-8", **{"0.means": saved["0.means"]})
    save_weights(ResNet(8), tmp_path / "ours.safetensors")
    save_weights(ARCHITECTURES["wide-resnet-10"](SHAPE, 10), tmp_path / "wide.safetensors")
    for name, architecture, given, note in [
        ("given.pth", None, COHENS, f"{constants}as given"),
        ("held.pth", None, {}, f"{constants}which the checkpoint holds"),
        ("half.pth", None, {"sds": cohen.SDS}, f"{constants}of which the checkpoint holds the means"),
        ("ours.safetensors", "resnet-8", {}, f"{constants}as `train` does"),
        ("wide.safetensors", "wide-resnet-10", {}, "images are normalised as wide-resnet-10 does by itself"),
    ]:
        targets.register_checkpoint(name, tmp_path / name, sigma=0.5, architecture=architecture, **given)
        assert targets.load(name, "cpu").note == note
    assert targets.load("digits-sigma0.50", "cpu").note == ""


def test_a_network_of_another_shape_of_images_is_told_how_many_constants(tmp_path: Path):
    module = ResNet(8, (1, 16, 16), 10)
    torch.save({"state_dict": module.state_dict()}, tmp_path / "grey.pth")
    with pytest.raises(
        InputError, match=r"give means and sds, 1 numbers each \(means 0 and sds 1 for a network on raw"
    ):
        load_checkpoint(tmp_path / "grey.pth", (1, 16, 16), 10, "resnet-8")


def test_what_the_file_has_in_place_of_a_missing_tensor_is_named(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth", state, "resnet-8", "backbone.encoder.")
    with pytest.raises(
        TargetError,
        match=r"'conv1\.weight' of resnet-8 is missing; the file has 'backbone\.encoder\.conv1\.weight'; is",
    ):
        load_checkpoint(path, SHAPE, 10)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, state: dict[str, torch.Tensor]):
    damaged = {**state, "fc.bias": state["fc.bias"] * torch.nan}
    path = cohen.write(tmp_path / "c.pth.tar", damaged, "resnet-8")
    with pytest.raises(TargetError, match=r"'fc\.bias' holds NaN or infinite numbers"):
        load_checkpoint(path, SHAPE, 10)


@pytest.mark.parametrize(
    ("first", "second", "prefix"),
    [("state_dict", "model", "1."), ("state_dict", "net", ""), ("model", "ema", "module."), ("net", "model", "")],
)
def test_a_file_with_two_sets_of_weights_is_refused_unless_they_are_equal(
    first: str, second: str, prefix: str, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    def write(others: dict[str, torch.Tensor]) -> Path:
        held = {first: state, second: {f"{prefix}{name}": tensor for name, tensor in others.items()}}
        torch.save({"arch": "resnet-8", **held, "constants": {"scale": torch.ones(1)}}, tmp_path / "c.pth")
        return tmp_path / "c.pth"

    found = answers(write(state), images, **COHENS)
    torch.testing.assert_close(found, cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)
    for others in (
        {**state, "fc.bias": state["fc.bias"] + 1e-3},
        {name: tensor for name, tensor in state.items() if name != "fc.bias"},
    ):
        with pytest.raises(TargetError, match=r"^checkpoint .*c\.pth holds two sets of weights, '") as caught:
            load_checkpoint(write(others), SHAPE, 10, **COHENS)
        assert f"{first!r}" in str(caught.value)
        assert f"{second!r}" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["module.1.", "1.", "backbone."])
def test_a_tensor_beside_a_whole_network_is_named(prefix: str, tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth", state, "resnet-8", prefix, **{"ema.x": torch.zeros(1)})
    with pytest.raises(TargetError) as caught:
        load_checkpoint(path, SHAPE, 10, **COHENS)
    said = f"'ema.x' is no part of the network: the tensors of resnet-8 are all there, under '{prefix}'; write those"
    assert said in str(caught.value)
