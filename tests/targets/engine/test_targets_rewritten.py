"""Rewritten base classifiers: the same function, and in bfloat16 the same roundings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from targets_networks import SHAPE, gradient, in_bfloat16, noisy, trained, whole, whole_images
from torch import Tensor, nn
from torch.nn import functional

from targets.engine.rewritten import Folded, Rounded, rounded, whole_mean
from targets.precision import Bfloat16
from targets.resnet import ResNet


def test_rounding_is_bfloat16_s_and_so_is_the_gradient_s():
    values = torch.tensor([1.0, 257.0, 258.0, 259.0, -257.0, 1e-40, 3.4e38]).requires_grad_()
    assert torch.equal(rounded(values), values.to(torch.bfloat16).float())
    assert rounded(values)[1] == 256
    weights = torch.tensor([1.0, 257.0, 2.0, 259.0, 0.0, 1.0, 1.0])
    (slope,) = torch.autograd.grad(rounded(values) @ weights, values)
    assert torch.equal(slope, weights.to(torch.bfloat16).float())
    assert torch.equal(rounded(torch.tensor([257])), torch.tensor([257]))  # no floating-point number
    assert rounded((2, 3)) == (2, 3)


@pytest.mark.parametrize("fork", [True, False])
def test_where_sums_are_exact_logits_are_those_of_the_bfloat16_module_to_the_bit(fork):
    base, images = in_bfloat16(whole(fork)), whole_images(20)
    found, expected = Rounded(base)(images), base(images)
    assert torch.equal(found, expected)
    assert not torch.equal(base.module.float()(images), expected)  # without roundings


@pytest.mark.parametrize("fork", [True, False])
def test_and_gradients_have_its_precision(fork):
    base, images = in_bfloat16(whole(fork)), whole_images(20)
    found, expected = gradient(Rounded(base), images), gradient(base, images)
    assert torch.equal(found, found.to(torch.bfloat16).float())
    # Where there are no bfloat16 instructions, the module itself rounds every summand of a gradient.
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_a_residual_network_is_the_bfloat16_one_up_to_ties():
    base, images = in_bfloat16(trained()), noisy(200)
    found, expected = Rounded(base)(images), base(images)
    # A sum that another order takes across a tie is one unit in the last place off, 2^-8 of it.
    assert (found - expected).abs().max() <= 2**-6 * expected.abs().max()
    assert torch.equal(found, found.to(torch.bfloat16).float())


@pytest.mark.parametrize("net", [trained(), ResNet(8).eval()], ids=["residual", "resnet-8"])
def test_folding_keeps_the_function_and_leaves_the_module_alone(net):
    images = torch.rand(20, 3, 32, 32) if isinstance(net, ResNet) else noisy(20)
    before = net(images)
    rewritten = Folded(net)
    torch.testing.assert_close(rewritten(images), before, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in rewritten.modules())
    assert torch.equal(net(images), before)


class Ending(nn.Module):
    """A convolution, and what follows it."""

    def __init__(self, ending: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 10, 3, padding=1)
        self.ending = ending

    def forward(self, images: Tensor) -> Tensor:
        return self.ending(self.conv(images))


MEANS: dict[str, Callable[[Tensor], Tensor]] = {
    "function": lambda x: functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1),
    "module": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "mean": lambda x: x.mean((2, 3)),
    "mean, by name": lambda x: x.mean(dim=[-1, -2], keepdim=True).flatten(1),
    "torch.mean": lambda x: torch.mean(x, (2, 3)),
}


@pytest.mark.parametrize("ending", MEANS.values(), ids=MEANS)
def test_the_mean_of_a_plane_is_taken_in_one_way_however_it_is_written(ending):
    rewritten, images = Folded(Ending(ending).eval()), noisy(5)
    assert whole_mean in [node.target for node in rewritten.module.graph.nodes]
    torch.testing.assert_close(rewritten(images), Ending(ending)(images), rtol=1e-5, atol=1e-5)


def test_other_means_stay():
    for ending in (lambda x: x.mean((1, 2)), lambda x: functional.adaptive_avg_pool2d(x, 2).flatten(1)):
        rewritten, images = Folded(Ending(ending).eval()), noisy(5)
        torch.testing.assert_close(rewritten(images), Ending(ending)(images), rtol=1e-5, atol=1e-5)


TWINS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "normalise": (lambda x: (x - 0.3) / 0.7, lambda x: x.sub_(0.3).div_(0.7)),
    "by its old name": (lambda x: x * 0.3, lambda x: (x.mul_(0.3), x)[1]),
    "relu": (nn.ReLU(), nn.ReLU(inplace=True)),
    "hardtanh": (nn.Hardtanh(0, 0.3), nn.Hardtanh(0, 0.3, inplace=True)),
}


@pytest.mark.parametrize("name", TWINS)
def test_what_writes_into_its_input_is_rounded_as_its_twin_that_does_not(name):
    found = []
    for step in TWINS[name]:
        net = nn.Sequential(Ending(step), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        found.append(Rounded(in_bfloat16(net))(noisy(20)))
    assert torch.equal(*found)
    torch.testing.assert_close(found[0], in_bfloat16(net)(noisy(20)), rtol=2**-6, atol=1e-3)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.GRU(16, 10, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images[:, 0])[0][:, -1]


@pytest.mark.parametrize("net", [Ending(lambda x: x.float().mean((2, 3))), Ending(lambda x: x.to(x).mean((2, 3)))])
def test_a_module_that_chooses_its_precision_is_not_rewritten(net):
    with pytest.raises(ValueError, match="it chooses a precision or rounds inside"):
        Rounded(Bfloat16(net.eval()))


def test_nor_is_one_whose_parts_round_inside():
    with pytest.raises(ValueError, match="rounds inside inner"):
        Rounded(Bfloat16(Recurrent().eval()))


def test_weights_are_rounded_once_and_stay_fixed():
    rewritten = Rounded(in_bfloat16(trained()))
    for weights in rewritten.parameters():
        assert weights.dtype == torch.float32
        assert not weights.requires_grad
        assert torch.equal(weights, weights.to(torch.bfloat16).float())
    assert rewritten(torch.zeros(2, *SHAPE)).shape == (2, 10)
