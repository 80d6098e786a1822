"""Searches that cross the boundary: what they leave alone, what they cost, and what carries over to other accesses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, MARGINS, SIGMA, Linear, N, Perfect, not_asked, streams, white_box
from scipy.special import ndtr
from torch import Tensor

from attacks import ATTACKS, Deployment, Hybrid, Meter, Transfer, WhiteBox
from attacks.search.crossing import Crossing
from attacks.white_box.apgd import AutoPGD, checkpoint_steps
from attacks.white_box.fmn import FastMinimumNorm
from targets import ABSTAIN
from targets.abstention import abstention_probability
from targets.binomial import decide

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")

SEARCHES = {
    "crossing": Crossing(steps=16, samples=64, step_size=0.35, momentum=0.75, overshoot=0.3),
    "fmn": FastMinimumNorm(steps=24, samples=64, step_size=0.5, gamma=0.2, overshoot=0.3),
    "apgd": AutoPGD(steps=24, samples=64, rho=0.75),
}
LANDING = ["cross-and-land", "fmn", "apgd"]


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_search_moves_the_named_images_across_and_no_other(search):
    base = Linear()
    images = base.images([0.3, 0.3, -0.3, 0.3])
    model, meter = white_box(base, 4)
    home = torch.tensor([0, 0, 1, 0])
    found = search(model, images, home, 1.0, streams(4), [0, 2, 3])
    assert torch.equal(found[1], images[1])
    assert meter.forward[1] == meter.backward[1] == 0
    margin = base.margin(found)
    # The minimum-norm search stops near the tie, by estimates.
    slack = 0.3 * SIGMA if isinstance(search, FastMinimumNorm) else 0.0
    assert margin[0] < slack
    assert margin[2] > -slack
    assert margin[3] < slack
    assert float((found - images).flatten(1).norm(dim=1).max()) <= 1.0


@pytest.mark.parametrize("name", LANDING)
def test_an_image_whose_votes_are_all_for_one_class_is_moved_too(name):
    """Ten σ from the tie and with logits of hundreds, neither votes nor probabilities have a gradient."""
    base = Linear(sharpness=200.0)
    margins = [0.4, -0.4, 0.5]
    images = base.images(margins)
    model = WhiteBox(base, Deployment(2, (1, 8, 8), 0.04, N, ALPHA), Meter(3))
    adversarial = ATTACKS[name]()(model, images, torch.zeros(3, dtype=torch.int64), 1.0, streams(3))
    assert float(base.margin(adversarial).abs().max()) < 0.04


def test_the_minimum_norm_search_stops_just_beyond_the_boundary():
    base = Linear()
    margins = [0.1, 0.2, 0.3, 0.4]
    images = base.images(margins)
    model, _ = white_box(base, 4)
    found = SEARCHES["fmn"](model, images, torch.zeros(4, dtype=torch.int64), 1.0, streams(4), range(4))
    norms = (found - images).flatten(1).norm(dim=1).numpy()
    # A gap of -0.3 lies 0.15σ beyond the tie; an estimate of 64 samples errs by as much.
    assert np.all(np.abs(norms - np.array(margins)) < 0.6 * SIGMA)


def test_croce_and_heins_checkpoints():
    assert list(checkpoint_steps(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoint_steps(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]


@pytest.mark.parametrize("name", LANDING)
def test_nothing_is_spent_on_an_image_that_its_ceiling_rules_out(name):
    base = Linear()
    images = base.images([0.6, 0.1])
    model, meter = white_box(base, 2)
    attack = ATTACKS[name]()
    # Φ(0.6 / σ) is so near 1 that no tie lies within 0.1.
    adversarial = attack(model, images, torch.zeros(2, dtype=torch.int64), 0.1, streams(2))
    assert torch.equal(adversarial[0], images[0])
    assert meter.forward[0] == attack.clean_samples
    assert meter.backward[0] == 0 < meter.backward[1]


@pytest.mark.parametrize("n", [1000, 10_000])
def test_the_landing_grows_with_n_as_the_band_shrinks(n):
    base = Linear()
    margins = [0.15, 0.25, 0.35, 0.45, -0.2, -0.4]
    images = base.images(margins)
    meter = Meter(6)
    model = WhiteBox(base, Deployment(2, (1, 8, 8), SIGMA, n, ALPHA), meter)
    adversarial = ATTACKS["cross-and-land"]()(model, images, torch.zeros(6, dtype=torch.int64), 1.0, streams(6))
    p = torch.from_numpy(ndtr(base.margin(adversarial).double().numpy() / SIGMA))
    assert float(abstention_probability(torch.stack([p, 1 - p], dim=1), n, ALPHA).mean()) > 0.9
    assert meter.forward.max() < 3 * n + 3000


def outcome(world: Perfect, adversarial: Tensor) -> float:
    p = torch.from_numpy(ndtr(world.base.margin(adversarial).double().numpy() / SIGMA))
    return float(abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA).mean())


@pytest.mark.parametrize("same_data", [False, True])
def test_without_a_query_the_transfer_lands_on_the_surrogates_tie(same_data):
    world = Perfect(len(MARGINS))
    surrogates = (not_asked, world.surrogate) if same_data else (world.surrogate, not_asked)
    model = Transfer(*surrogates, DEPLOYMENT, world.meter)
    images = world.base.images(MARGINS)
    attack = ATTACKS["same-data-transfer" if same_data else "cross-and-land-transfer"]()
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert outcome(world, adversarial) > 0.85
    assert world.meter.queries.sum() == world.meter.forward.sum() == 0


@pytest.mark.parametrize("same_data", [False, True])
@pytest.mark.parametrize(("shift", "mean"), [(0.0, 3.5), (0.25, 8.0)])
def test_the_hybrid_finds_the_targets_own_tie_even_where_the_surrogates_is_elsewhere(shift, mean, same_data):
    world = Perfect(len(MARGINS), shift)
    images = world.base.images(MARGINS)
    surrogates = (not_asked, world.surrogate) if same_data else (world.surrogate, not_asked)
    model = Hybrid(*surrogates, world.predict, lambda: images, DEPLOYMENT, world.meter)
    attack = ATTACKS["same-data-hybrid" if same_data else "cross-and-land-hybrid"]()
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert outcome(world, adversarial) > 0.85
    assert world.meter.queries.mean() <= mean
    assert torch.equal(adversarial[-1], images[-1])  # which abstains as it is
    assert world.meter.queries[-1] == 2


@pytest.mark.parametrize("budget", [0, 1, 3])
def test_the_hybrid_keeps_to_the_query_budget(budget):
    world = Perfect(len(MARGINS), 0.25)
    world.meter.query_budget = budget
    images = world.base.images(MARGINS)
    model = Hybrid(world.surrogate, not_asked, world.predict, lambda: images, DEPLOYMENT, world.meter)
    attack = ATTACKS["cross-and-land-hybrid"]()
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert world.meter.queries.max() == budget
    assert bool(torch.isfinite(adversarial).all())


class Misled:
    """A target of three classes and a surrogate that believes in a tie of classes 0 and 1 nearer than that of 0 and 2.

    The target knows no class 1: its tie is the surrogate's second, σ away along the second axis.
    """

    def __init__(self, images: int) -> None:
        self.meter = Meter(images)
        self.random = np.random.default_rng(0)
        self.images = torch.full((images, 1, 8, 8), 0.5)

    def surrogate(self, key, build, fit) -> torch.nn.Module:
        class Believes(torch.nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                first, second = (images.flatten(1) - 0.5)[:, :2].unbind(1)
                return 20 * torch.stack([torch.zeros_like(first), first - 0.2 * SIGMA, second - SIGMA], dim=1)

        return Believes()

    def probability(self, images: Tensor) -> np.ndarray:
        """Of class 0, (N,)."""
        return ndtr(1 - (images.flatten(1)[:, 1] - 0.5).double().numpy() / SIGMA)

    def predict(self, images: Tensor, rows, ordinals):
        zero = self.random.binomial(N, self.probability(images))
        return decide(np.stack([zero, np.zeros_like(zero), N - zero], axis=1), ALPHA, ABSTAIN)


@pytest.mark.parametrize(("rivals", "queries", "abstains"), [(0, 3, 0.0), (1, 4, 0.0), (2, 15, 0.9)])
def test_where_the_surrogate_is_wrong_about_the_nearest_class_the_hybrid_makes_for_the_next(rivals, queries, abstains):
    world = Misled(6)
    deployment = Deployment(3, (1, 8, 8), SIGMA, N, ALPHA)
    model = Hybrid(world.surrogate, not_asked, world.predict, lambda: world.images, deployment, world.meter)
    attack = ATTACKS["cross-and-land-hybrid"](rivals=rivals)
    adversarial = attack(model, world.images, torch.zeros(6), 0.4, streams(6))
    p = torch.from_numpy(world.probability(adversarial))
    assert float((adversarial - world.images).flatten(1).norm(dim=1).max()) <= 0.4 + 1e-6
    assert abs(float(abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA).mean()) - abstains) < 0.1
    assert world.meter.queries.max() <= queries
