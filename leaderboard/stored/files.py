"""The files of a results folder: where those of a key lie, and how JSON, arrays and records are written in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored.records import COLUMNS, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from pyarrow import Table

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]*")


def place(folder: Path, key: str, suffix: str) -> Path:
    """The file of that suffix under a key. Raises ValueError for a key that could lead out of the folder."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a key: {key!r}")
    return folder / f"{key}.{suffix}"


def remove(folder: Path, key: str, suffixes: Sequence[str]) -> None:
    """Remove the files under a key, in the order of the suffixes. Raises StoreError where that fails."""
    try:
        for suffix in suffixes:
            place(folder, key, suffix).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot remove {key} from {folder.parent}: {error.strerror or error}") from error


def now() -> str:
    """The time, as files record it: ISO 8601, UTC, microseconds; sorts by time as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def to_json(content: Mapping[str, Any]) -> bytes:
    """The content of a JSON file, its names in alphabetical order."""
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a compressed NPZ file of named arrays."""
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file by name. Where the file is absent or damaged this may raise anything."""
    import numpy as np

    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # NumPy leaves a damaged file open
        return dict(arrays)


def to_parquet(records: DataFrame) -> bytes:
    """The content of a Parquet file of records. Raises ValueError for records that `records.frame` refuses."""
    table = BytesIO()
    frame(records).to_parquet(table, engine="pyarrow", index=False, write_page_checksum=True)
    return table.getvalue()


def from_parquet(data: bytes) -> DataFrame:
    """The records in the content of a Parquet file. Where it is damaged this may raise anything."""
    records: DataFrame = table_from_parquet(data).to_pandas()
    return records


def table_from_parquet(data: bytes) -> Table:
    """The same as an Arrow table."""
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    # From bytes: given a path, pyarrow would read "name=value" folders above it as columns. For tables as small as
    # these, threads, Python's files and pandas' own reader take longer than the reading.
    file = ParquetFile(BufferReader(data), page_checksum_verification=True)
    table = file.read(use_threads=False)
    if table.column_names != list(COLUMNS):
        raise ValueError(f"the records have columns {table.column_names}")
    return table


def in_one_line(error: Exception) -> str:
    """What an error says, with its type."""
    return " ".join(f"{type(error).__name__}: {error}".split())
