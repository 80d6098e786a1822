"""What every access tells, its names, and the checks of rows."""

from __future__ import annotations

import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, SIGMA, N

import attacks
import leaderboard.access
from attacks import ACCESSES, ATTACKS, Access, Meter, NoAccess


def test_every_access_has_a_name_and_the_boards_names_and_order_are_the_same():
    assert tuple(access.kind for access in ACCESSES) == leaderboard.access.ACCESSES
    assert [access.kind for access in ACCESSES if access.metered] == ["score", "decision", "hybrid"]
    assert {ATTACKS[name].access for name in ATTACKS} == set(ACCESSES)


def test_the_public_names_are_those_of_the_folder():
    for access in (Access, *ACCESSES):
        assert getattr(attacks, access.__name__) is getattr(attacks.access, access.__name__) is access


def test_the_public_facts_and_the_budget():
    meter = Meter(2, query_budget=3)
    model = NoAccess(DEPLOYMENT, meter)
    assert (model.num_classes, model.shape, model.sigma, model.n, model.alpha) == (2, (1, 8, 8), SIGMA, N, ALPHA)
    meter.charge([1, 1], queries=1)
    assert [model.queries_left(row) for row in range(2)] == [3, 1]
    assert NoAccess(DEPLOYMENT, Meter(1)).queries_left(0) == float("inf")


@pytest.mark.parametrize(
    ("shape", "rows", "message"),
    [
        ((2, 64), None, "give \\(N, C, H, W\\)"),
        ((2, 1, 8, 8), [0], "2 images for 1 rows"),
        ((2, 1, 8, 8), [0, 2], "rows must name one of the 2 images"),
        ((2, 1, 8, 8), [-1, 0], "rows must name one of the 2 images"),
    ],
)
def test_rows_that_name_no_image_are_refused(shape, rows, message):
    with pytest.raises(ValueError, match=message):
        NoAccess(DEPLOYMENT, Meter(2)).rows(torch.zeros(shape), rows)


def test_what_an_access_lacks_is_told_with_what_it_has():
    model = NoAccess(DEPLOYMENT, Meter(1))
    assert not hasattr(model, "logits")
    with pytest.raises(
        AttributeError, match="none access has no 'logits'; it has alpha, kind, metered, n, num_classes"
    ):
        model.logits  # noqa: B018
