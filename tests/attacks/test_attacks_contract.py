"""The contract that every registered attack keeps."""

from __future__ import annotations

import types
from functools import cache

import pytest
import torch
from attacks_world import cell_of, cheap, evaluation, granted, streams
from torch import nn

from attacks import ATTACKS, Attack, NoAccess, Transfer, WhiteBox
from benchmark.kit.bench import Bench
from benchmark.kit.contract import AttackContract
from benchmark.kit.world import World
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.surrogates import Surrogates
from leaderboard import Store
from targets import SmoothedClassifier, load
from targets.noise import Streams

IMAGES = (0, 5, 9)


@pytest.fixture(scope="module")
def target() -> SmoothedClassifier:
    return load("digits-sigma0.50", "cpu")


@pytest.fixture(scope="module")
def surrogates(target, tmp_path_factory) -> Surrogates:
    return Surrogates(Store.open(tmp_path_factory.mktemp("store")), target, n=100, alpha=0.001, seed=0)


def attack(name, target, surrogates):
    """What the attack was charged."""
    cell = cell_of(target, name, cheap(ATTACKS[name]), IMAGES)
    access, meter = granted(cell, surrogates)
    cell.attack(access, *evaluation(IMAGES), cell.epsilon, Streams((0, "test"), IMAGES))
    return meter


class TestAttacks(AttackContract):
    """The contract that plugins' authors test theirs by, to the bit, on a trained network and in few steps."""

    tolerance = 0.0

    @pytest.fixture(params=list(ATTACKS))
    def bench(self, request, benches):
        return benches(request.param)


@pytest.fixture(scope="module")
def benches(target, tmp_path_factory):
    """By name, an attack and its runs."""
    world = World(target, IMAGES, 0.5, 100, 0.001, tmp_path_factory.mktemp("contract"))

    @cache
    def bench(name: str) -> Bench:
        settings = cheap(ATTACKS[name]).parameters()
        return Bench(world, name, settings=settings, tolerance=0.0)

    return bench


@pytest.mark.parametrize("name", list(ATTACKS))
def test_uses_the_target_as_its_access_declares_and_is_charged_for_it(name, target, surrogates, monkeypatch):
    """Spy on the base classifier: every sample is metered, and gradients flow through white-box access alone."""
    attack(name, target, surrogates)  # a transfer attack trains its surrogate before
    samples, with_gradient = 0, 0
    forward = target.base_classifier.forward

    def spy(batch):
        nonlocal samples, with_gradient
        samples += len(batch)
        with_gradient += len(batch) * batch.requires_grad
        return forward(batch)

    monkeypatch.setattr(target.base_classifier, "forward", spy)
    meter = attack(name, target, surrogates)
    access = ATTACKS[name].access
    assert samples == meter.forward.sum()
    if access in (NoAccess, Transfer):
        assert samples == 0
        assert meter.queries.sum() == 0
    if access is WhiteBox:
        assert meter.backward.sum() == with_gradient > 0
    else:
        assert with_gradient == meter.backward.sum() == 0


@pytest.mark.parametrize("name", list(ATTACKS))
def test_the_access_object_does_not_hold_the_target(name, target, surrogates):
    cell = cell_of(target, name, cheap(ATTACKS[name]), IMAGES)
    access, _ = granted(cell, surrogates)
    assert type(access) is ATTACKS[name].access
    seen, todo = set(), [access]
    while todo:
        thing = todo.pop()
        secret = nn.Module | SmoothedClassifier | Surrogates | CellSurrogates
        assert not isinstance(thing, secret), "reachable from the access object"
        if id(thing) in seen or isinstance(thing, types.FunctionType | type):
            continue
        seen.add(id(thing))
        todo += list(getattr(thing, "__dict__", {}).values())
    assert not hasattr(access, "base_classifier")
    assert hasattr(access, "logits") == (ATTACKS[name].access is WhiteBox)


def test_streams_of_two_images_differ():
    draws = streams(2).normal((8,))
    assert not torch.equal(draws[0], draws[1])


def test_an_attack_without_a_docstring_has_no_summary():
    """As every attack under ``python -OO``, for which dataclass writes the signature instead."""

    class Silent(Attack):
        access = NoAccess
        steps: int = 3

        def __call__(self, model, images, labels, epsilon, generator):
            return images

    assert Silent.summary() == ""
    assert Silent(steps=4).parameters() == {"steps": 4}
