"""Records: one image's outcome in one cell, and the columns that every record has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    Columns = Mapping[str, NDArray[Any]]
    """Columns of records by name, each (N,): of the dtypes of `COLUMNS`, texts as objects."""

ABSTAIN = -1
"""PREDICT's and CERTIFY's answer where the vote cannot be told from a tie (Cohen et al. 2019)."""

VALIDITIES = ("valid", "not-finite", "out-of-range", "over-budget")
"""What the budget rule says of an adversarial image; for all but the first the original image was sent."""


class HasRecords(Protocol):
    """What holds cells' records: a store, or a published board."""

    def records(self, key: str) -> DataFrame:
        """The records of the cell with that key (columns: `COLUMNS`)."""

    def columns(self, key: str, names: Iterable[str]) -> Columns:
        """Some columns of the same: a board is made of a few of them at a time."""


@dataclass(frozen=True)
class Column:
    """One column of a record: its pandas dtype and its meaning in one line."""

    dtype: str
    meaning: str


COLUMNS: dict[str, Column] = {
    "image": Column("int64", "index in the evaluation split"),
    "label": Column("int64", "true label"),
    "clean_outcome": Column("int64", "PREDICT's answer at the original image: a label, or ABSTAIN = -1"),
    "outcome": Column("int64", "PREDICT's answer at the image that was sent: a label, or ABSTAIN = -1"),
    "clean_first": Column("int64", "class with the most votes at the original image"),
    "clean_first_votes": Column("int64", "its votes, of n"),
    "clean_second": Column("int64", "class with the second most votes at the original image"),
    "clean_second_votes": Column("int64", "its votes, of n"),
    "clean_p": Column("float64", "PREDICT's p-value at the original image; it abstains above alpha"),
    "first": Column("int64", "class with the most votes at the image that was sent"),
    "first_votes": Column("int64", "its votes, of n"),
    "second": Column("int64", "class with the second most votes at the image that was sent"),
    "second_votes": Column("int64", "its votes, of n"),
    "p": Column("float64", "PREDICT's p-value at the image that was sent; it abstains above alpha"),
    "l2": Column("float64", "ℓ2 norm of what the attack returned minus the original; NaN if not finite"),
    "linf": Column("float64", "ℓ∞ norm of the same; NaN if not finite"),
    "changed": Column("bool", "the image that was sent differs from the original"),
    "validity": Column("str", "what the budget rule says: " + ", ".join(VALIDITIES)),
    "queries": Column("int64", "queries to the target that the attack spent on this image"),
    "forward_samples": Column("int64", "base-classifier samples forward that it spent on this image"),
    "backward_samples": Column("int64", "base-classifier samples backward that it spent on this image"),
    "seconds": Column("float64", "attack time per image, in seconds"),
    "ceiling": Column("float64", "proven upper bound on P[abstain] anywhere in the budget ball"),
    "certified_label": Column("int64", "CERTIFY's label at the original image, or ABSTAIN = -1"),
    "certified_radius": Column("float64", "CERTIFY's ℓ2 radius at the original image, in [0,1] pixel units"),
}
"""The single source of truth for what a record holds, in the order of the Parquet file."""


def arrays(records: DataFrame, names: Iterable[str]) -> Columns:
    """Some columns of records."""
    return {name: records[name].to_numpy(dtype=object if COLUMNS[name].dtype == "str" else None) for name in names}


def frame(columns: Mapping[str, Any]) -> DataFrame:
    """Records as a data frame: one row an image, exactly the columns of `COLUMNS`, in their order and dtypes.

    Takes one array-like of N values a column. Raises ValueError where a column is missing, unknown, of
    another length, not castable without loss (a fraction or NaN for an integer), or of unknown validity.
    """
    import numpy as np
    import pandas as pd

    missing = [name for name in COLUMNS if name not in columns]
    unknown = [str(name) for name in columns if name not in COLUMNS]
    if missing or unknown:
        raise ValueError(f"records: missing columns {missing}, unknown columns {unknown}")
    lengths = {name: len(columns[name]) for name in COLUMNS}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"records: columns differ in length: {lengths}")
    # One index for all columns: pandas would else compare each column's own with every other, for as long again.
    series, index = {}, pd.RangeIndex(lengths["image"])
    for name, column in COLUMNS.items():
        try:
            series[name] = pd.Series(np.asarray(columns[name]), index, column.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(f"records: column {name!r} is not {column.dtype}: {error}") from error
    strange = sorted(set(series["validity"]) - set(VALIDITIES))
    if strange:
        raise ValueError(f"records: unknown validity {strange}; one of {list(VALIDITIES)}")
    return pd.DataFrame(series, index)
