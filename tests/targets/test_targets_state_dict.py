"""A checkpoint's tensors under every prefix; the first that does not fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import targets_cohen as cohen
import torch
from targets_checkpoint import COHENS, SHAPE, answers
from torch import nn

from targets import TargetError
from targets.checkpoint import load_checkpoint
from targets.resnet import ResNet

pytestmark = pytest.mark.usefixtures("shallow")


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


@pytest.mark.parametrize("prefix", ["module.1.", "1.", "backbone."])
def test_a_tensor_beside_a_whole_network_is_named(prefix: str, tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth", state, "resnet-8", prefix, **{"ema.x": torch.zeros(1)})
    with pytest.raises(TargetError) as caught:
        load_checkpoint(path, SHAPE, 10, **COHENS)
    said = f"'ema.x' is no part of the network: the tensors of resnet-8 are all there, under '{prefix}'; write those"
    assert said in str(caught.value)
