from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

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


def test_an_offset_moves_them_all_and_stays_within_the_first_distance():
    assert evenly_spaced(10_000, 50, 10) == list(range(10, 10_000, 200))
    for available, wanted in [(397, 50), (397, 200), (7, 7), (10, 3)]:
        most = -(-available // wanted) - 1
        spread = [evenly_spaced(available, wanted, offset) for offset in range(most + 1)]
        assert all(indices[-1] < available for indices in spread)
        assert [indices[0] for indices in spread] == list(range(most + 1))
        with pytest.raises(InputError, match=f"^{wanted} of {available} images from index .*from 0 to {most}$"):
            evenly_spaced(available, wanted, most + 1)


def test_a_data_set_is_added_under_its_name_with_or_without_saying_it():
    mine = dataclasses.replace(DATA["digits"], name="digits-without")
    try:
        DATA.add(mine)
        assert DATA["digits-without"] is mine
        with pytest.raises(InputError, match="the data set name 'digits-without' is taken"):
            DATA.add("digits-without", mine)
    finally:
        DATA.remove("digits-without")


@pytest.mark.parametrize("given", [("mine",), (None,), ("mine", "digits"), (DATA["digits"], DATA["digits"]), (3, None)])
def test_what_is_no_data_set_is_refused_in_one_line(given: tuple[Any, ...]):
    with pytest.raises(InputError, match=r"is no data set; give DATA\.add\(NAME, targets\.DataSet\(NAME, …\)\)$"):
        DATA.add(*given)


def test_an_unknown_data_set():
    with pytest.raises(InputError, match="unknown data set 'digit'; did you mean 'digits'"):
        DATA["digit"]
