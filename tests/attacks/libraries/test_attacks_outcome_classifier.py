"""The classifier of K + 1 outcomes: its probabilities are PREDICT's."""

from __future__ import annotations

import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, N, streams

from attacks import Meter, NoAccess
from attacks.libraries.outcome_classifier import OutcomeClassifier, outcome_logits
from attacks.surrogate import SurrogateRecipe
from targets.abstention import abstention_probability


def test_the_outcomes_probabilities_sum_to_one_and_the_last_is_exact():
    p = torch.tensor([[0.5, 0.45, 0.05], [0.9, 0.05, 0.05], [0.55, 0.44, 0.01]], dtype=torch.float64)
    outcomes = outcome_logits(p, N, ALPHA).double().exp()
    assert outcomes.sum(1).tolist() == pytest.approx([1.0] * 3, abs=1e-4)
    assert outcomes[:, 3].tolist() == pytest.approx(abstention_probability(p, N, ALPHA).tolist(), rel=1e-4)
    assert torch.equal(outcomes[:, :3].argsort(1), p.argsort(1))


def test_controls_have_none():
    recipe = SurrogateRecipe("small-cnn", 1, 64, 0.1, abstention=True)
    with pytest.raises(TypeError, match="an attack with 'none' access has no classifier to attack"):
        OutcomeClassifier(NoAccess(DEPLOYMENT, Meter(1)), 0, streams(1), recipe)
