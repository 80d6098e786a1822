"""Residual networks: the sizes of He et al. 2016 (Table 6), the field's names, Cohen's normalisation."""

from __future__ import annotations

from typing import Any

import pytest
import targets_cohen as cohen
import torch
from torch import nn

from targets.models import ARCHITECTURES
from targets.resnet import Normalize, ResNet


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(module: nn.Module, images: torch.Tensor) -> int:
    """Of the convolutions and linear layers of one forward pass."""
    total = 0

    def count(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        module.eval()(images)
    for hook in hooks:
        hook.remove()
    return total


# Two projections of a shortcut, each a 1×1 convolution and its norm, are not in the paper's count.
PROJECTIONS = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)


@pytest.mark.parametrize(("depth", "exact", "published"), [(20, 272_474, 0.27e6), (110, 1_730_714, 1.73e6)])
def test_the_number_of_parameters_is_the_published_one(depth: int, exact: int, published: float):
    count = parameters(ResNet(depth))
    assert count == exact
    assert count == sum(
        t.numel() for n, t in cohen.state_dict(depth).items() if not n.endswith(("_mean", "_var", "ed"))
    )
    assert abs(count - PROJECTIONS - published) < 0.005e6


def test_a_forward_pass_of_depth_20_is_41_million_multiply_adds():
    assert 40.5e6 < multiply_adds(ResNet(20), torch.rand(1, 3, 32, 32)) < 41.5e6
    assert multiply_adds(ResNet(20), torch.rand(2, 3, 32, 32)) == 2 * multiply_adds(
        ResNet(20), torch.rand(1, 3, 32, 32)
    )


@pytest.mark.parametrize("depth", [8, 20, 110])
def test_names_and_shapes_are_the_field_s(depth: int):
    expected = {name: tensor.shape for name, tensor in cohen.state_dict(depth).items()}
    assert {name: tensor.shape for name, tensor in ResNet(depth).state_dict().items()} == expected


@pytest.mark.parametrize("depth", [0, 2, 7, 18, 21, 52, -4])
def test_a_depth_that_cannot_be(depth: int):
    with pytest.raises(ValueError, match=rf"^depth is {depth}; a residual network for CIFAR-10 has depth 6k \+ 2$"):
        ResNet(depth)


def test_images_are_normalised_channel_by_channel():
    images = torch.rand(4, 3, 5, 6)
    found = Normalize()(images)
    for channel in range(3):
        expected = (images[:, channel] - cohen.MEANS[channel]) / cohen.SDS[channel]
        torch.testing.assert_close(found[:, channel], expected)
    assert not list(Normalize().parameters())
    assert not Normalize().state_dict()  # weights trained elsewhere load, whatever their normalisation is called


def test_normalisation_is_part_of_the_network():
    module = ResNet(8).eval()
    seen: list[torch.Tensor] = []
    module.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        module(images)
    torch.testing.assert_close(seen[0], Normalize()(images))
    grey = ResNet(8, (1, 8, 8))
    torch.testing.assert_close(grey.normalize(torch.tensor([[[[0.25, 0.5]]]])), torch.tensor([[[[-1.0, 0.0]]]]))


@pytest.mark.parametrize(("name", "blocks"), [("resnet-20", 3), ("resnet-110", 18)])
def test_the_registered_depths(name: str, blocks: int):
    module = ARCHITECTURES[name]((3, 32, 32), 7)
    assert isinstance(module, ResNet)
    assert [len(group) for group in (module.layer1, module.layer2, module.layer3)] == [blocks] * 3
    assert module.fc.out_features == 7


def test_a_new_network_s_weights_have_the_variance_of_he_et_al_2015():
    torch.manual_seed(0)
    weight = ResNet(20).layer3[1].conv2.weight.detach()
    assert float(weight.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
