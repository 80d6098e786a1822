"""Attacks of foolbox and ART, under every access."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from attacks_world import cell_of, evaluation, granted
from torch import Tensor

from attacks import Decision, Deployment, Meter, NoAccess, Score, Transfer, WhiteBox
from attacks.base import Attack
from attacks.libraries.art import ARTAttack
from attacks.libraries.foolbox import FoolboxAttack
from attacks.surrogate import SurrogateRecipe
from benchmark.running.surrogates import Surrogates
from leaderboard import Store
from targets import load
from targets.noise import Streams

IMAGES = (0, 5)
QUICK = SurrogateRecipe("small-cnn", epochs=2, batch=64, learning_rate=0.05, abstention=True)


class PGD(FoolboxAttack):
    """foolbox's ℓ2 PGD, with a random start."""

    access = WhiteBox
    recipe = QUICK

    def build(self):
        from foolbox.attacks import L2PGD

        return L2PGD(steps=3, random_start=True)


class TransferPGD(PGD):
    """The same on a surrogate."""

    access = Transfer


class DeepFool(FoolboxAttack):
    """foolbox's DeepFool, which cannot be aimed."""

    access = Transfer
    targeted = False
    recipe = QUICK

    def build(self):
        from foolbox.attacks import L2DeepFoolAttack

        return L2DeepFoolAttack(steps=10)


class Hopeless(FoolboxAttack):
    """A minimum-norm attack that cannot succeed: foolbox returns a black image for it."""

    access = WhiteBox

    def build(self):
        from foolbox.attacks import L2CarliniWagnerAttack

        return L2CarliniWagnerAttack(binary_search_steps=1, steps=1, initial_const=1e-6)


class ARTPGD(ARTAttack):
    """ART's PGD."""

    access = WhiteBox

    def build(self, classifier, epsilon):
        from art.attacks.evasion import ProjectedGradientDescent

        return ProjectedGradientDescent(
            classifier, norm=2, eps=epsilon, eps_step=epsilon / 2, max_iter=3, targeted=True, verbose=False
        )


class ARTTransferPGD(ARTPGD):
    """ART's PGD on a surrogate."""

    access = Transfer
    recipe = QUICK


class HopSkipJump(ARTAttack):
    """ART's HopSkipJump on labels."""

    access = Decision

    def build(self, classifier, epsilon):
        from art.attacks.evasion import HopSkipJump as Art

        return Art(classifier, max_iter=1, max_eval=20, init_eval=5, init_size=5, verbose=False)


class ScoreHopSkipJump(HopSkipJump):
    """The same on vote counts."""

    access = Score


ADAPTED = [PGD, TransferPGD, DeepFool, Hopeless, ARTPGD, ARTTransferPGD, HopSkipJump, ScoreHopSkipJump]


@pytest.fixture(scope="module")
def target():
    return load("digits-sigma0.50", "cpu")


@pytest.fixture(scope="module")
def surrogates(target, tmp_path_factory):
    return Surrogates(Store.open(tmp_path_factory.mktemp("store")), target, n=100, alpha=0.001, seed=0)


def attack(cls: type[Attack], target, surrogates, images=IMAGES, meter_with=None):
    cell = cell_of(target, cls.__name__, cls(), images)
    access, meter = granted(cell, surrogates)
    if meter_with is not None:
        meter.query_budget = meter_with
    originals, labels = evaluation(images)
    return cell.attack(access, originals, labels, 0.5, Streams((0, "test"), images)), originals, meter


def states() -> tuple[object, ...]:
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.parametrize("cls", ADAPTED)
def test_contract(cls, target, surrogates):
    first, originals, meter = attack(cls, target, surrogates)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    torch.manual_seed(99)
    before = states()
    alone, _, _ = attack(cls, target, surrogates, images=IMAGES[1:])
    assert states() == before, "a global random state was not put back"
    assert torch.equal(alone[0], first[1])
    assert first.shape == originals.shape
    assert bool(torch.isfinite(first).all())
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert bool((meter.queries > 0).all()) == (cls.access in (Score, Decision))
    assert bool((meter.backward > 0).all()) == (cls.access is WhiteBox)
    empty, _, _ = attack(cls, target, surrogates, images=())
    assert len(empty) == 0


def test_a_failed_minimum_norm_attack_sends_the_original_not_a_black_image(target, surrogates):
    returned, originals, _ = attack(Hopeless, target, surrogates)
    assert torch.equal(returned, originals)


def test_an_attack_over_its_query_budget_sends_the_original(target, surrogates):
    returned, originals, meter = attack(HopSkipJump, target, surrogates, meter_with=3)
    assert torch.equal(returned, originals)
    assert meter.queries.max() <= 3


def test_controls_have_no_classifier_to_attack(target, surrogates):
    class Nothing(PGD):
        """No access."""

        access = NoAccess

    with pytest.raises(TypeError, match="no classifier to attack"):
        attack(Nothing, target, surrogates)


class SquareART(ARTAttack):
    """ART's Square attack, which draws from Python's own generator, too."""

    access = Score

    def build(self, classifier, epsilon):
        from art.attacks.evasion import SquareAttack

        return SquareAttack(classifier, norm=2, eps=epsilon, max_iter=8, nb_restarts=1, verbose=False)


def test_art_s_square_attack_is_repeated_and_disturbs_no_generator():
    def votes(images: Tensor, rows: object, ordinals: object, samples: int) -> np.ndarray:
        first = (50 + 10 * (images - 0.5).flatten(1).sum(1)).clamp(0, 100).long().numpy()
        return np.stack([first, 100 - first], axis=1)

    images = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(1))  # on 8×8 its tiles are empty
    found = []
    for outside in (1, 2):
        random.seed(outside)
        before = states()
        model = Score(votes, Deployment(2, (1, 12, 12), 0.5, 100, 0.001), Meter(2))
        found.append(SquareART()(model, images, torch.zeros(2), 1.0, Streams(("test",), (0, 1))))
        assert states() == before
    assert torch.equal(*found)
    assert not torch.equal(found[0], images)
