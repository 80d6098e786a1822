"""Estimates of the class probabilities, against the closed form."""

from __future__ import annotations

import torch
from attacks_world import SIGMA, Linear, streams, white_box
from scipy.special import ndtr

from attacks.search.estimates import probabilities, soft_probabilities, vote_probabilities


def test_vote_frequencies_have_the_softmaxs_gradient_and_no_zero():
    logits = torch.tensor([[[2.0, 0.0, -1.0], [1.0, 0.0, 0.5], [0.0, 1.0, -2.0]]], requires_grad=True)
    votes, soft = vote_probabilities(logits), soft_probabilities(logits)
    assert torch.allclose(votes, (torch.tensor([[2.0, 1.0, 0.0]]) + soft) / 4)
    assert bool((votes > 0).all())
    direction = torch.tensor([[1.0, -2.0, 0.5]])
    (counted,) = torch.autograd.grad((votes * direction).sum(), logits, retain_graph=True)
    (smooth,) = torch.autograd.grad((soft * direction).sum(), logits)
    assert torch.equal(counted, smooth)


def test_they_are_the_smoothed_classifiers():
    base = Linear()
    images = base.images([0.1, -0.3, 0.0])
    model, meter = white_box(base, 3)
    estimates = probabilities(model, streams(3))(images[[2, 0]], [2, 0], 20_000)
    exact = torch.from_numpy(ndtr(base.margin(images[[2, 0]]).numpy() / SIGMA))
    assert float((estimates[:, 0] - exact).abs().max()) < 0.015
    assert meter.forward.tolist() == [20_000, 0, 20_000]
    assert meter.backward.sum() == 0
