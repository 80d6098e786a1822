"""Images whose ceiling rules abstention out are named."""

from __future__ import annotations

import torch
from attacks_world import DEPLOYMENT

from attacks import Meter, NoAccess
from attacks.search.reach import within_reach


def test_reach_grows_with_epsilon_and_a_tie_is_always_in_it():
    model = NoAccess(DEPLOYMENT, Meter(3))
    votes = torch.tensor([[250.0, 250.0], [450.0, 50.0], [500.0, 0.0]])
    assert within_reach(model, votes, 0.01) == [0]
    assert within_reach(model, votes, 0.4) == [0, 1]
    assert within_reach(model, votes, 5.0) == [0, 1, 2]
