"""The archive: the cells of a published board and their records in one Parquet file, without images.

pandas reads it: `pd.read_parquet("records.parquet")`. Each line is a record. Its columns are:

- `cell`: all settings, provenance and timings of the record's cell, as JSON;
- the settings that tell cells apart (`PLACE`);
- `of_images`: the sizes of the image sets in whose rows the record counts. A record can count in rows of 50 and of 200
  images, and in none if a newer cell replaces its own. `frame.explode("of_images")` has a line for each row;
- `landed_for`, only where some rows are re-evaluated: the settings that their images were made for, empty for others;
- the columns of a record, see `leaderboard.stored.records.COLUMNS`.

`leaderboard.stored.archive_writer` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from leaderboard.errors import StoreError
from leaderboard.stored import bounds, files
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.plausible import check_cell, check_records
from leaderboard.stored.records import COLUMNS, frame
from leaderboard.stored.store import PROJECT, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

SCHEMA_VERSION = 2
"""Version 1 had no `of_images`; it is read all the same."""
RECORDS = "records.parquet"
PLACE = ("suite", "target", "attack", "epsilon", "query_budget", "n", "alpha", "seed")
"""Settings that are columns of their own; a query budget of 0 stands for none."""
CELL = "cell"
"""The column of a cell's JSON."""
SETS = "of_images"
"""The column of the sizes of the image sets in whose rows a record counts."""


def adopt(store: Store, cells: Sequence[tuple[StoredCell, DataFrame]]) -> int:
    """Put an archive's cells (see `read`) into `store`, unless it holds them; returns how many were new."""
    new = [(cell, records) for cell, records in cells if not _held(store, cell.key)]
    for cell, records in new:
        store.adopt_cell(cell, records)
    return len(new)


def _held(store: Store, key: str) -> bool:
    held = store.cell(key)
    return held is not None and held.status == "ok"


def read(path: Path, key_of: Callable[[dict[str, Any]], str]) -> list[tuple[StoredCell, DataFrame]]:
    """The cells of the archive at `path`, each with its records.

    Args:
        key_of: the key that a cell with such settings has in this version. A cell of another key is refused: its
            settings were edited, or another version computed it by other rules.

    Raises:
        StoreError: the file is no archive, or holds a cell of other rules, or one that no run can have written.
    """
    cells = _cells(path)
    for cell, _ in cells:
        try:
            check_cell(cell)
        except Exception as error:  # what is not checked yet may raise anything
            raise StoreError(_not_ours(path, cell, error)) from error
    strange = [cell.key for cell, _ in cells if key_of(cell.settings) != cell.key]
    if strange:
        raise StoreError(
            f"{path}: {len(strange)} of {len(cells)} cells were not computed by this version's rules, "
            f"{strange[0]} for one; use the version that published them, or run the suite anew"
        )
    if len({cell.key for cell, _ in cells}) < len(cells):
        raise StoreError(f"{path} holds a cell twice; get the file again")
    for cell, records in cells:
        if records.image.tolist() != cell.settings["images"]:
            raise StoreError(f"{path}: the records are not those of its cells; get the file again")
        try:
            check_records(cell.settings, records)
        except Exception as error:  # as above
            raise StoreError(_not_ours(path, cell, error)) from error
    return cells


def _not_ours(path: Path, cell: StoredCell, error: Exception) -> str:
    return f"{path}: cell {cell.key!s:.40} is none that a run wrote: {error}; get the file again"


def keys(path: Path) -> set[str] | None:
    """The keys of all cells in the archive at `path`, of whatever version; None if it is no archive."""
    found = set()
    try:
        with _opened(path) as file:
            held = _checked(file, path.stat().st_size)
            for number in range(held.num_row_groups):
                _, texts = _indexed(held.read_row_group(number, columns=[CELL], use_threads=False))
                found |= {files.parsed(text)["key"] for text in texts}
    except Exception:  # as in `_cells`
        return None
    return found


def _opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_dir() and not path.is_file():  # to open a pipe would wait for its writer
        raise ValueError("it is no file")
    return path.open("rb")


def _checked(file: BinaryIO, size: int) -> ParquetFile:
    """The Parquet file, once it is known what it unpacks to. Columns of texts are read as an index for each record."""
    from pyarrow.parquet import ParquetFile

    # The JSON of a cell is read once with an index for each record: copies for all could fill the memory. Read ahead,
    # Arrow's threads would still hold Python's file when an error ends the program, and abort it.
    held = ParquetFile(file, read_dictionary=[CELL, files.VALIDITY], pre_buffer=False, page_checksum_verification=True)
    bounds.check_parquet(file, held.metadata, size)
    return held


def _indexed(table: Table) -> tuple[NDArray[Any], list[str]]:
    """Of each line, the number of its cell's JSON, and the JSONs in alphabetical order."""
    import numpy as np

    column = table[CELL].combine_chunks()
    if column.null_count:
        raise ValueError("records without a cell")
    # Chunks are combined into one dictionary, which may hold texts twice.
    texts = column.dictionary.to_pylist()
    ordered = sorted(set(texts))
    place = {text: number for number, text in enumerate(ordered)}
    return np.array([place[text] for text in texts], dtype=np.int64)[column.indices.to_numpy()], ordered


def _cells(path: Path) -> list[tuple[StoredCell, DataFrame]]:
    try:
        with _opened(path) as file:
            held = _checked(file, path.stat().st_size)
            version = int(held.schema_arrow.metadata[PROJECT.encode()])
            cells = []
            if 1 <= version <= SCHEMA_VERSION:
                # Only these: another column could repeat a long text for each record.
                table = held.read(columns=[CELL, *COLUMNS], use_threads=False)
                numbers, texts = _indexed(table)
                groups = files.with_texts(table.drop_columns([CELL])).to_pandas().groupby(numbers, sort=True)
                cells = [(_cell(texts[n], len(part)), frame(part[list(COLUMNS)])) for n, part in groups]
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror or error}; name the folder of a published board that has records, or the file"
        ) from error
    except bounds.TooLarge as error:
        raise StoreError(f"{path} is not read: {error}; get the file again") from error
    except Exception as error:  # a damaged file may raise anything
        raise StoreError(f"{path} holds no records of {PROJECT}; name a published board's records.parquet") from error
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this program reads 1 to {SCHEMA_VERSION}; "
            f"use the version of {PROJECT} that wrote it"
        )
    return cells


LONGEST = 2**18
"""Characters of a cell's JSON, at most, beside 16 for each of its records."""


def _cell(text: str, records: int) -> StoredCell:
    if len(text) > LONGEST + 16 * records:
        raise bounds.TooLarge(f"a cell of {records:,} records has {len(text):,} characters of settings")
    return StoredCell(**files.parsed(text))
