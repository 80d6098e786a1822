from __future__ import annotations

import pytest
import torch
from torch import nn

from targets.models import ARCHITECTURES, SmallCNN, WideResNet10

SMALL = [name for name in ARCHITECTURES if name not in ("resnet-18", "resnet-50", "wide-resnet-28-10")]
SMALL = [name for name in SMALL if not name.startswith("vgg-")]
"""The others have tens of millions of parameters and a test of their own."""


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("shape", "classes"), [((1, 8, 8), 11), ((3, 32, 32), 10), ((2, 9, 13), 3)])
def test_every_architecture_takes_every_shape(name, shape, classes):
    module = ARCHITECTURES[name](shape, classes).eval()
    images = torch.rand(5, *shape)
    with torch.no_grad():
        logits = module(images)
    assert logits.shape == (5, classes)
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize("name", SMALL)
def test_rows_do_not_depend_on_one_another_in_evaluation_mode(name):
    module = ARCHITECTURES[name]((1, 8, 8), 10).eval()
    images = torch.rand(6, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(module(images)[2:4], module(images[2:4]), rtol=1e-4, atol=1e-5)


def test_the_small_cnn_s_size():
    assert sum(p.numel() for p in SmallCNN().parameters()) == 13_962


def test_the_wide_resnet_has_depth_ten():
    # 6·1 + 4: the stem, two convolutions and a shortcut's in each of three groups.
    assert sum(isinstance(module, nn.Conv2d) for module in WideResNet10().modules()) == 10


def test_the_width_factor():
    wide = ARCHITECTURES["wide-resnet-10-2"]((1, 8, 8), 11)
    assert wide.head.in_features == 128
    assert ARCHITECTURES["wide-resnet-10"]((1, 8, 8), 11).head.in_features == 64
