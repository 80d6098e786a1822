"""The constants that images are normalised by: as saved, as given, or one clear line; never assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import targets_cohen as cohen
import torch
from safetensors.torch import save_file
from targets_checkpoint import COHENS, SHAPE, answers

import targets
from targets import InputError, TargetError
from targets.checkpoint import load_checkpoint
from targets.models import ARCHITECTURES
from targets.resnet import ResNet
from targets.weights import save_weights

pytestmark = pytest.mark.usefixtures("shallow")


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


def test_an_architecture_that_normalises_by_itself(tmp_path: Path):
    network = ARCHITECTURES["wide-resnet-10"](SHAPE, 10).eval()
    path = cohen.write(tmp_path / "c.pth.tar", network.state_dict(), "wide-resnet-10")
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images), network(images))
    with pytest.raises(TargetError, match="wide-resnet-10 normalises in its own way"):
        load_checkpoint(path, SHAPE, 10, sds=[1, 1, 1])


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
