"""Networks of torchvision and the field: their names, their logits, and checkpoints of theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from targets import InputError
from targets.checkpoint import load_checkpoint
from targets.engine.arithmetic import choose
from targets.models import ARCHITECTURES
from targets.torchvision_networks import DEVIATIONS, MEANS
from targets.wide_resnet import WideResNet

THEIRS = {"resnet-18": "resnet18", "resnet-50": "resnet50", "vgg-16": "vgg16", "vgg-16-bn": "vgg16_bn"}


@pytest.mark.parametrize("name", THEIRS)
def test_parameters_have_the_names_and_shapes_of_torchvision_s(name: str):
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        ours = ARCHITECTURES[name]((3, 64, 64), 7)
        theirs = getattr(models, THEIRS[name])(num_classes=7)
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in theirs.state_dict().items()
    }
    with torch.device("meta"):
        grey = ARCHITECTURES[name]((1, 64, 64), 7)
        assert grey(torch.rand(2, 1, 64, 64)).shape == (2, 7)


def test_a_plain_state_dict_of_torchvision_s_gives_its_logits(tmp_path: Path):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = models.resnet18(num_classes=5).eval()
    torch.save(theirs.state_dict(), tmp_path / "plain.pt")
    images = torch.rand(2, 3, 32, 32)
    expected = theirs((images - torch.tensor(MEANS).view(3, 1, 1)) / torch.tensor(DEVIATIONS).view(3, 1, 1))
    for name in ("resnet-18", "resnet18"):
        module = load_checkpoint(tmp_path / "plain.pt", (3, 32, 32), 5, name, MEANS, DEVIATIONS).eval()
        torch.testing.assert_close(module(images), expected)
    # Traced, as on some CPUs, it normalises too.
    traced = torch.fx.symbolic_trace(module)
    torch.testing.assert_close(traced(images), expected)
    with torch.no_grad():
        torch.testing.assert_close(
            choose(module, (3, 32, 32), torch.device("cpu")).module(images), expected, rtol=1e-3, atol=1e-3
        )


def test_vgg_is_for_images_that_can_be_halved_five_times():
    with pytest.raises(InputError, match="vgg16 takes images of 32×32 or more, not 28×28"):
        ARCHITECTURES["vgg-16"]((1, 28, 28), 10)


def test_the_wide_residual_network():
    with torch.device("meta"):
        network = ARCHITECTURES["wide-resnet-28-10"]((3, 32, 32), 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == 36_479_194  # as in the paper and TRADES
    names = set(network.state_dict())
    assert {"conv1.weight", "block1.layer.0.convShortcut.weight", "block3.layer.3.bn2.bias", "bn1.weight"} <= names
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 28
    small = WideResNet(10, 1, (1, 8, 8), 3).eval()
    assert small(torch.rand(2, 1, 8, 8)).shape == (2, 3)
    with pytest.raises(ValueError, match="depth 6k"):
        WideResNet(12)


def test_an_unknown_architecture_gets_the_list():
    with pytest.raises(InputError, match=r"unknown architecture 'resnet-19'; known: resnet-110, resnet-18, res"):
        ARCHITECTURES["resnet-19"]


def test_torchvision_is_imported_when_one_is_built():
    done = subprocess.run(
        [sys.executable, "-c", "import targets, sys; assert 'torchvision' not in sys.modules"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
