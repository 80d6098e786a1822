"""What is observed of a target's gradients: which are zero, not finite or absent, image by image."""

from __future__ import annotations

import pytest
import torch
from attacks_world import DEPLOYMENT, MARGINS, Linear, Perfect, cheap, not_asked, streams, white_box
from torch import Tensor, nn

from attacks import ATTACKS, Transfer, WhiteBox
from attacks.access import NoGradient
from leaderboard.checks import OBSERVED

WHITE_BOX = [name for name in ATTACKS if ATTACKS[name].access is WhiteBox]


class Rounded(Linear):
    """Quantises its input first, as a defence may: answers as before, no gradient."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(torch.round(images * 16) / 16)


class Detached(Linear):
    """Gives its logits without their past."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).detach()


class Silent(torch.autograd.Function):
    """Has no gradient to give at all, which is not even a zero."""

    @staticmethod
    def forward(ctx, images):
        return images.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None


def attack(name: str, base: Linear):
    """(the meter, what the attack returns, the originals)."""
    model, meter = white_box(base, len(MARGINS))
    images = base.images(MARGINS)
    labels = torch.zeros(len(images), dtype=torch.int64)
    return meter, cheap(ATTACKS[name])(model, images, labels, 0.5, streams(len(images))), images


@pytest.mark.parametrize("name", WHITE_BOX)
def test_rounded_inputs_give_every_attack_zeros_and_it_is_counted(name):
    meter, returned, images = attack(name, Rounded())
    seen = meter.observed()
    assert seen.keys() == OBSERVED.keys()
    assert seen["zero_gradients"] == seen["gradients"] > 0
    assert seen["images_blind"] == seen["images_asked"] > 0
    assert seen["broken_gradients"] == 0
    # The last image is a tie already, where an attack may well accept another one.
    assert float((returned - images)[:-1].flatten(1).norm(dim=1).max()) < 1e-4


@pytest.mark.parametrize("name", WHITE_BOX)
def test_a_plain_target_gives_gradients_at_all_but_the_image_that_is_a_tie(name):
    seen = attack(name, Linear(sharpness=1.0))[0].observed()
    assert seen["gradients"] > 0
    assert seen["images_blind"] <= 1


@pytest.mark.parametrize("name", WHITE_BOX)
def test_detached_logits_stop_every_attack_alike(name):
    with pytest.raises(NoGradient, match="logits are detached from its input, so it gives no gradients"):
        attack(name, Detached())


def test_detached_logits_will_do_where_no_gradient_is_asked_for():
    model, meter = white_box(Detached(), 2)
    images = Linear().images([0.1, 0.2])
    noise = torch.zeros(2, 3, 1, 8, 8)
    assert model.logits(images, noise).shape == (2, 3, 2)
    with torch.no_grad():
        model.logits(images.requires_grad_(), noise)
    assert meter.observed() == {}


class Endless(torch.autograd.Function):
    """An infinite gradient beyond a margin of 0.4."""

    @staticmethod
    def forward(ctx, margin):
        ctx.save_for_backward(margin)
        return margin.clone()

    @staticmethod
    def backward(ctx, gradient):
        (margin,) = ctx.saved_tensors
        return torch.where(margin > 0.4, torch.inf, gradient)


class Half(Linear):
    """A gradient on one side of the tie only, and one that is not finite far on that side."""

    def forward(self, images: Tensor) -> Tensor:
        margin = Endless.apply(self.margin(images)).clamp_min(0)
        return torch.stack([margin, -margin], dim=1)


def test_counted_by_image_whatever_is_asked_and_however_often():
    base = Half()
    model, meter = white_box(base, 4)
    images = base.images([0.2, -0.2, 0.5, 0.3]).requires_grad_()
    rows = [2, 0, 0, 1]
    logits = model.logits(images[rows], torch.zeros(4, 2, 1, 8, 8), rows)
    for _ in range(2):
        torch.autograd.grad(logits[..., 0].sum(), images, retain_graph=True)
    model.logits(images.detach().clone().requires_grad_(), torch.zeros(4, 2, 1, 8, 8))[..., 0].sum().backward()
    assert meter.gradients.tolist() == [5, 3, 3, 1]
    assert meter.zero_gradients.tolist() == [0, 3, 0, 0]
    assert meter.broken_gradients.tolist() == [0, 0, 3, 0]
    assert meter.observed() == {
        "gradients": 12,
        "zero_gradients": 3,
        "broken_gradients": 3,
        "images_asked": 4,
        "images_blind": 2,
    }


def test_a_gradient_that_is_absent_counts_as_zero():
    class Base(Linear):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(Silent.apply(images))

    model, meter = white_box(Base(), 2)
    images = Linear().images([0.1, 0.2]).requires_grad_()
    model.logits(images, torch.zeros(2, 3, 1, 8, 8)).sum().backward()
    assert images.grad is None
    assert meter.zero_gradients.tolist() == meter.gradients.tolist() == [1, 1]


def test_observing_changes_no_gradient():
    torch.manual_seed(0)
    base = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).requires_grad_(False)
    model, _ = white_box(base, 3)
    images, noise = torch.rand(3, 1, 8, 8).requires_grad_(), torch.randn(3, 5, 1, 8, 8)
    (seen,) = torch.autograd.grad(model.logits(images, noise).softmax(-1)[..., 0].sum(), images)
    flat = base((images.unsqueeze(1) + noise).flatten(0, 1)).view(3, 5, 2)
    (plain,) = torch.autograd.grad(flat.softmax(-1)[..., 0].sum(), images)
    assert torch.equal(seen, plain)


def test_many_gradients_at_once_are_computed_and_not_looked_at():
    base = Linear()
    model, meter = white_box(base, 2)
    images = base.images([0.1, 0.2]).requires_grad_()
    mean = model.logits(images, torch.zeros(2, 3, 1, 8, 8)).mean(1)
    directions = torch.eye(2)[:, None].expand(2, 2, 2)
    (jacobian,) = torch.autograd.grad(mean, images, directions, is_grads_batched=True)
    torch.testing.assert_close(jacobian[0], base.sharpness * base.w.view(1, 1, 8, 8).expand(2, 1, 8, 8))
    assert meter.observed() == {}


def test_a_surrogates_gradients_are_not_the_targets():
    perfect = Perfect(2)
    model = Transfer(perfect.surrogate, not_asked, DEPLOYMENT, perfect.meter)
    images = perfect.base.images([0.1, 0.2]).requires_grad_()
    inner = model.smoothed(perfect.base, 2)
    inner.logits(images, torch.zeros(2, 3, 1, 8, 8)).sum(1)[:, 0].sum().backward()
    assert float(images.grad.abs().max()) > 0
    assert perfect.meter.observed() == {}
    assert perfect.meter.forward.sum() == perfect.meter.backward.sum() == 0
