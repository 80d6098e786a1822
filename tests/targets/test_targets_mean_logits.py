from __future__ import annotations

import torch
from torch import nn

from targets.defences import Consistency, Ensemble
from targets.mean_logits import MeanLogits, networks, trained_by
from targets.models import SmallCNN


def test_the_logits_are_the_mean_of_the_members():
    torch.manual_seed(0)
    module = MeanLogits(SmallCNN, 3)
    images = torch.rand(4, 1, 8, 8)
    expected = torch.stack([member(images) for member in module.members]).mean(0)
    torch.testing.assert_close(module(images), expected)
    assert not torch.equal(module.members[0](images), module.members[1](images))  # each has a random start of its own


def test_each_member_is_trained_with_a_seed_of_its_own():
    module = MeanLogits(SmallCNN, 3)
    assert [seed for _, seed in networks(module, 0)] == [0, 1, 2]
    assert [seed for _, seed in networks(module, 1)] == [3, 4, 5]
    assert all(network is member for (network, _), member in zip(networks(module, 0), module.members, strict=True))
    single = nn.Linear(2, 2)
    assert networks(single, 7) == [(single, 7)]


def test_only_an_ensemble_has_several_networks():
    assert trained_by(Consistency(), SmallCNN) is SmallCNN
    built = trained_by(Ensemble(members=2), SmallCNN)()
    assert isinstance(built, MeanLogits)
    assert len(built.members) == 2
