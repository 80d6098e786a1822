from __future__ import annotations

from itertools import pairwise

import pytest

from targets import DATA, InputError
from targets.data import evenly_spaced


def test_two_hundred_of_ten_thousand_are_every_fiftieth():
    assert evenly_spaced(10_000, 200) == list(range(0, 10_000, 50))


@pytest.mark.parametrize(("available", "wanted"), [(397, 1), (397, 50), (397, 200), (397, 396), (397, 397), (1, 1)])
def test_indices_are_distinct_ascending_and_even(available, wanted):
    indices = evenly_spaced(available, wanted)
    assert len(indices) == wanted
    assert indices[0] == 0
    assert indices[-1] < available
    steps = {b - a for a, b in pairwise(indices)}
    assert steps <= {available // wanted, available // wanted + 1}
    assert all(type(i) is int for i in indices)


@pytest.mark.parametrize("wanted", [0, -1, 398])
def test_more_images_than_there_are_or_none(wanted):
    with pytest.raises(InputError, match=f"^{wanted} images asked for; give a number from 1 to 397$"):
        evenly_spaced(397, wanted)


def test_an_unknown_data_set():
    with pytest.raises(InputError, match="unknown data set 'digit'; did you mean 'digits'"):
        DATA["digit"]
