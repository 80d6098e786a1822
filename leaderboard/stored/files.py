"""The files of a results folder: where those of a key lie, and how JSON, arrays and records are written in them."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored import bounds
from leaderboard.stored.records import COLUMNS, VALIDITIES, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from pyarrow import Table

    from leaderboard.stored.records import Columns

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


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Where there is none this raises OSError or ValueError."""
    found = parsed(bounds.content(path))
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def parsed(text: str | bytes) -> Any:
    """What a JSON text holds. Raises ValueError for what is none, is nested too deep, or no file can hold in UTF-8."""
    text = text.decode() if isinstance(text, bytes) else text
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(found)
    if "\\u" in text:  # only an escape can be half a pair of surrogates
        json.dumps(found, ensure_ascii=False).encode()
    return found


DEEPEST = 100
"""Lists and tables within one another, at most. What reads and writes JSON ends with an error at a few hundred."""

_TOO_DEEP = "it is nested too deep"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        inner = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
        level = [part for part in inner if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a compressed NPZ file of named arrays."""
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file by name. Where it is absent, damaged or too large this may raise anything."""
    import numpy as np

    if not path.is_file():  # to open a pipe would wait for its writer
        raise FileNotFoundError(f"{path} is no file")
    with path.open("rb") as file:
        with zipfile.ZipFile(file) as archive:
            bounds.check_npz(archive, path.stat().st_size)
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:  # NumPy leaves a damaged file open
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
    file = ParquetFile(
        BufferReader(data), read_dictionary=[VALIDITY], pre_buffer=False, page_checksum_verification=True
    )
    bounds.check_records(file.metadata, len(data))
    if (names := file.schema_arrow.names) != list(COLUMNS):
        raise ValueError(f"the records have columns {names!r:.100}")
    return with_texts(file.read(use_threads=False))


VALIDITY = "validity"
"""The column of texts. Each text is read once: copies for all records could fill the memory."""


def with_texts(table: Table) -> Table:
    """A table of records whose column of texts is read as a dictionary, with the texts in it.

    Raises ValueError where a text or a type is none of a record's.
    """
    import pyarrow as pa

    for name, column in COLUMNS.items():
        found = table.schema.field(name).type
        if not _FITS[column.dtype](found):
            raise ValueError(f"column {name} is of type {found}"[:100])
        if column.dtype != "float64" and table[name].null_count:  # of a float it stands for NaN
            raise ValueError(f"column {name} has holes")
    texts = table[VALIDITY].combine_chunks()
    if strange := set(texts.dictionary.to_pylist()) - set(VALIDITIES):
        raise ValueError(f"a validity is {min(map(str, strange))!r:.50}")
    return table.set_column(table.column_names.index(VALIDITY), VALIDITY, texts.cast(pa.large_string()))


_FITS: dict[str, Callable[[Any], bool]] = {
    "int64": lambda found: str(found) in ("int8", "int16", "int32", "int64"),
    "float64": lambda found: str(found) in ("float", "double"),
    "bool": lambda found: str(found) == "bool",
    "str": lambda found: str(found).startswith("dictionary<values="),
}
"""By a column's dtype, whether a column of such an Arrow type is taken: none has more than 8 bytes a record."""


def columns_from_parquet(data: bytes, names: Iterable[str]) -> Columns:
    """Some columns of the same. What is in `data` is taken as it is: the caller has compared its digest."""
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    names = [*names]
    table = ParquetFile(BufferReader(data), pre_buffer=False).read(columns=names, use_threads=False)
    return {name: table[name].to_numpy() for name in names}


def in_one_line(error: Exception) -> str:
    """What an error says, with its type."""
    return printable(" ".join(f"{type(error).__name__}: {error}".split())[:500])


def printable(text: str) -> str:
    """A text that may be a stranger's, for a terminal: with control characters and the like escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
