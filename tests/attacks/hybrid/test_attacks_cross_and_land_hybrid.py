"""The hybrid attacks: they find the target's own tie where the surrogate's is elsewhere, with few labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, MARGINS, SIGMA, N, Perfect, abstention, norms, not_asked, streams
from scipy.special import ndtr
from torch import Tensor

from attacks import ATTACKS, Deployment, Hybrid, Meter
from targets import ABSTAIN
from targets.abstention import abstention_probability
from targets.binomial import decide

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")


@pytest.mark.parametrize("same_data", [False, True])
@pytest.mark.parametrize(("shift", "mean"), [(0.0, 3.5), (0.25, 8.0)])
def test_the_hybrid_finds_the_targets_own_tie_even_where_the_surrogates_is_elsewhere(shift, mean, same_data):
    world = Perfect(len(MARGINS), shift)
    images = world.base.images(MARGINS)
    surrogates = (not_asked, world.surrogate) if same_data else (world.surrogate, not_asked)
    model = Hybrid(*surrogates, world.predict, lambda: images, DEPLOYMENT, world.meter)
    attack = ATTACKS["same-data-hybrid" if same_data else "cross-and-land-hybrid"]()
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert float(abstention(world.base, adversarial).mean()) > 0.85
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
    assert float(norms(adversarial - world.images).max()) <= 0.4 + 1e-6
    assert abs(float(abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA).mean()) - abstains) < 0.1
    assert world.meter.queries.max() <= queries


def test_more_labels_confirm_a_tie_and_move_from_the_edge_of_the_band_to_its_middle():
    # From originals inside the band, at its edge and far from it, both sides of the shifted surrogate's tie.
    margins = (np.linspace(0.05, 2.0, 100) * SIGMA).tolist()

    def land(confirm: int) -> tuple[float, float]:
        world = Perfect(len(margins), 0.25)
        images = world.base.images(margins)
        model = Hybrid(world.surrogate, not_asked, world.predict, lambda: images, DEPLOYMENT, world.meter)
        attack = ATTACKS["cross-and-land-hybrid"](confirm=confirm)
        adversarial = attack(model, images, torch.zeros(len(margins)), 1.0, streams(len(margins)))
        assert world.meter.queries.max() <= attack.queries
        return float(abstention(world.base, adversarial).mean()), float(world.meter.queries.mean())

    (usual, few), (confirmed, more) = land(1), land(4)
    assert confirmed > usual + 0.02
    assert confirmed > 0.95
    assert few < more < 11


def test_results_from_before_a_setting_keep_their_keys():
    for name in ("cross-and-land-hybrid", "same-data-hybrid"):
        assert "confirm" not in ATTACKS[name]().parameters()
        assert ATTACKS[name](confirm=4).parameters()["confirm"] == 4
