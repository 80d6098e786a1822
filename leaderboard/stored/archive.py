"""The archive: the cells of a published board and their records in one Parquet file, without images.

pandas reads it: `pd.read_parquet("records.parquet")`. Each line is a record. Its columns are:

- `cell`: all settings, provenance and timings of the record's cell, as JSON;
- the settings that tell cells apart (`PLACE`);
- `of_images`: the sizes of the image sets in whose rows the record counts. A record can count in rows of 50 and of 200
  images, and in none if a newer cell replaces its own. `frame.explode("of_images")` has a line for each row;
- `landed_for`, only where some rows are re-evaluated: the settings that their images were made for, empty for others;
- the columns of a record, see `leaderboard.stored.records.COLUMNS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.plausible import check_cell, check_records
from leaderboard.stored.records import COLUMNS, frame
from leaderboard.stored.source import LANDED_FOR
from leaderboard.stored.store import PROJECT, Store

if TYPE_CHECKING:
    from pandas import DataFrame

SCHEMA_VERSION = 2
"""Version 1 had no `of_images`; it is read all the same."""
RECORDS = "records.parquet"
PLACE = ("suite", "target", "attack", "epsilon", "query_budget", "n", "alpha", "seed")
"""Settings that are columns of their own; a query budget of 0 stands for none."""
SETS = "of_images"
"""The column of the sizes of the image sets in whose rows a record counts."""


def archive(store: Store, cells: Sequence[StoredCell], counted: Mapping[tuple[str, int], Sequence[int]]) -> bytes:
    """The file's content: the records of those of a store's `cells` that ran. The same cells give the same bytes.

    Args:
        counted: by a cell's key and an image, the sizes of the image sets in whose rows the record counts.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    ran = sorted((cell for cell in cells if cell.status == "ok"), key=lambda cell: cell.key)
    # The archive holds neither images nor the files that the digests are of.
    texts = [json.dumps(asdict(cell) | {"has_images": False, "digests": {}}, sort_keys=True) for cell in ran]
    parts = [
        store.records(cell.key).assign(cell=text, **{name: cell.settings.get(name) or 0 for name in PLACE})
        for cell, text in zip(ran, texts, strict=True)
    ]
    empty = frame({name: [] for name in COLUMNS}).assign(cell="", **dict.fromkeys(PLACE, ""))
    records = pd.concat(parts, ignore_index=True) if parts else empty
    sets = [list(counted.get((cell.key, image), ())) for cell in ran for image in cell.settings["images"]]
    table = pa.Table.from_pandas(records[["cell", *PLACE, *COLUMNS]], preserve_index=False)
    table = table.add_column(1 + len(PLACE), SETS, pa.array(sets, pa.list_(pa.int64())))
    if any(LANDED_FOR in cell.settings for cell in ran):
        made_for = [_made_for(cell) for cell in ran for _ in cell.settings["images"]]
        table = table.add_column(2 + len(PLACE), LANDED_FOR, pa.array(made_for, pa.string()))
    mark = {PROJECT.encode(): str(SCHEMA_VERSION).encode()}
    file = BytesIO()
    parquet.write_table(table.replace_schema_metadata(mark), file, compression="zstd", write_page_checksum=True)
    return file.getvalue()


def _made_for(cell: StoredCell) -> str:
    """The settings that a re-evaluated cell's images were made for; empty for any other cell."""
    known = cell.settings.get(LANDED_FOR)
    return "" if known is None else f"n = {known['n']}, alpha = {known['alpha']:g}, seed {known['seed']}"


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
    strange = [cell.key for cell, _ in cells if key_of(cell.settings) != cell.key]
    if strange:
        raise StoreError(
            f"{path}: {len(strange)} of {len(cells)} cells were not computed by this version's rules, "
            f"{strange[0]} for one; use the version that published them, or run the suite anew"
        )
    for cell, records in cells:
        try:
            check_cell(cell)
            check_records(cell.settings, records)
        except Exception as error:  # what is not checked yet may raise anything
            raise StoreError(
                f"{path}: cell {cell.key} is none that a run wrote: {error}; get the file again"
            ) from error
    return cells


def keys(path: Path) -> set[str] | None:
    """The keys of all cells in the archive at `path`, of whatever version; None if it is no archive."""
    from pyarrow import parquet

    try:
        texts = parquet.read_table(BytesIO(path.read_bytes()), columns=["cell"])["cell"].unique().to_pylist()
        return {json.loads(text)["key"] for text in texts}
    except Exception:  # as in `_cells`
        return None


def _cells(path: Path) -> list[tuple[StoredCell, DataFrame]]:
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(BytesIO(path.read_bytes()), page_checksum_verification=True)
        version = int(file.schema_arrow.metadata[PROJECT.encode()])
        whole = file.read(use_threads=False).to_pandas()
        groups = whole.groupby("cell", sort=True) if 1 <= version <= SCHEMA_VERSION else ()
        cells = [(StoredCell(**json.loads(text)), frame(part[list(COLUMNS)])) for text, part in groups]
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror or error}; name the folder of a published board that has records, or the file"
        ) from error
    except Exception as error:  # a damaged file may raise anything
        raise StoreError(f"{path} holds no records of {PROJECT}; name a published board's records.parquet") from error
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(f"{path} has schema version {version}, this program reads 1 to {SCHEMA_VERSION}")
    if any(part.image.tolist() != cell.settings["images"] for cell, part in cells):
        raise StoreError(f"{path}: the records are not those of its cells; get the file again")
    return cells
