from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from leaderboard_data import make_records

from leaderboard.stored.records import COLUMNS, frame


def columns(**changed):
    return make_records([3, 4]).to_dict("list") | changed


def test_frame_has_the_columns_in_order_with_their_types():
    table = frame(dict(reversed(columns().items())))
    assert list(table.columns) == list(COLUMNS)
    text = str(pd.Series(["valid"], dtype="str").dtype)  # "object" before pandas 3
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
        name: text if column.dtype == "str" else column.dtype for name, column in COLUMNS.items()
    }
    assert len(table) == 2


def test_frame_of_no_images():
    empty = frame({name: [] for name in COLUMNS})
    assert len(empty) == 0
    assert str(empty["image"].dtype) == "int64"


def test_frame_takes_whole_floats_as_integers_and_nan_as_a_norm():
    table = frame(columns(queries=np.array([1.0, 2.0]), l2=[np.nan, 1.0]))
    assert table.queries.tolist() == [1, 2]
    assert np.isnan(table.l2[0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": [1, 2]}, r"unknown columns .*colour"),
        ({"image": [1]}, "differ in length"),
        ({"queries": [1.5, 2.0]}, "'queries' is not int64"),
        ({"label": [np.nan, 2.0]}, "'label' is not int64"),
        ({"seconds": ["fast", "slow"]}, "'seconds' is not float64"),
        ({"validity": ["valid", "fine"]}, r"unknown validity .*fine"),
    ],
)
def test_frame_refuses(changed, message):
    with pytest.raises(ValueError, match=message):
        frame(columns(**changed))


def test_frame_refuses_a_missing_column():
    missing = columns()
    del missing["ceiling"]
    with pytest.raises(ValueError, match=r"missing columns .*ceiling"):
        frame(missing)
