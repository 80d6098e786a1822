"""The contract that every registered attack keeps."""

from __future__ import annotations

import types
from dataclasses import replace

import pytest
import torch
from attacks_world import cell_of, cheap, evaluation, granted, streams
from torch import nn

from attacks import ATTACKS, Attack, NoAccess, Transfer, WhiteBox
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.evaluation import enforce
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


def attack(name, target, surrogates, images=IMAGES, query_budget=None):
    """(what the attack returns, the originals, its meter)."""
    cell = replace(cell_of(target, name, cheap(ATTACKS[name]), images), query_budget=query_budget)
    access, meter = granted(cell, surrogates)
    originals, labels = evaluation(images)
    before = originals.clone()
    returned = cell.attack(access, originals, labels, cell.epsilon, Streams((0, "test"), images))
    assert torch.equal(originals, before), "the attack wrote into the originals"
    return returned, originals, meter


@pytest.mark.parametrize("name", list(ATTACKS))
def test_output_is_a_batch_of_images(name, target, surrogates):
    returned, originals, _ = attack(name, target, surrogates)
    assert returned.shape == originals.shape
    assert returned.dtype == torch.float32
    assert bool(torch.isfinite(returned).all())
    assert 0 <= float(returned.min()) <= float(returned.max()) <= 1


@pytest.mark.parametrize("name", list(ATTACKS))
def test_the_budget_rule_sends_nothing_over_budget(name, target, surrogates):
    returned, originals, _ = attack(name, target, surrogates)
    sent = enforce(originals, returned, epsilon=0.5)
    norms = (sent.images - originals).flatten(1).norm(dim=1)
    assert float(norms.max()) <= 0.5 * (1 + 1e-5)
    # What an attack that needs no more than its budget returns is sent as it is.
    valid = torch.from_numpy(sent.validity == "valid")
    assert torch.equal(sent.images[valid], returned[valid])
    assert torch.equal(sent.images[~valid], originals[~valid])


@pytest.mark.parametrize("name", list(ATTACKS))
def test_deterministic_and_independent_of_the_global_random_state(name, target, surrogates):
    first, _, meter = attack(name, target, surrogates)
    torch.manual_seed(12345)
    second, _, meter_again = attack(name, target, surrogates)
    assert torch.equal(first, second)
    assert meter.queries.tolist() == meter_again.queries.tolist()
    assert meter.forward.tolist() == meter_again.forward.tolist()
    assert meter.backward.tolist() == meter_again.backward.tolist()


@pytest.mark.parametrize("name", list(ATTACKS))
def test_a_single_image_gets_what_it_gets_in_a_batch(name, target, surrogates):
    batch, _, _ = attack(name, target, surrogates)
    alone, _, _ = attack(name, target, surrogates, images=IMAGES[1:2])
    assert torch.equal(alone[0], batch[1])


@pytest.mark.parametrize("query_budget", [1, 5, 30])
@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].access.metered])
def test_a_metered_attack_makes_do_with_any_query_budget(name, query_budget, target, surrogates):
    returned, originals, meter = attack(name, target, surrogates, query_budget=query_budget)
    assert returned.shape == originals.shape
    assert 0 <= float(returned.min()) <= float(returned.max()) <= 1
    assert meter.queries.max() <= query_budget


@pytest.mark.parametrize("name", list(ATTACKS))
def test_zero_images(name, target, surrogates):
    returned, _, _ = attack(name, target, surrogates, images=())
    assert returned.shape == (0, 1, 8, 8)


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
    _, _, meter = attack(name, target, surrogates)
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


@pytest.mark.parametrize("name", list(ATTACKS))
def test_described_and_with_plain_hyper_parameters(name):
    cls = ATTACKS[name]
    assert len(cls.summary()) > 10
    assert "\n" not in cls.summary()
    for value in cls().parameters().values():
        assert value is None or isinstance(value, bool | int | float | str)


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
