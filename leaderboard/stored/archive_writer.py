"""How an archive is written: a row group at a time, so that memory does not grow with the number of cells."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, BinaryIO

from leaderboard.stored.archive import CELL, PLACE, SCHEMA_VERSION, SETS
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.records import COLUMNS
from leaderboard.stored.source import LANDED_FOR
from leaderboard.stored.store import PROJECT, Store

if TYPE_CHECKING:
    from pyarrow import Schema, Table

GROUP = 2**17
"""Most records in a row group, unless one cell has more. A row group is what memory holds at a time."""

DICTIONARY = 2**28
"""Most bytes of different values in a column of a row group that are written once each. Parquet's usual limit of 2**20
is reached by the JSON of 150 cells of 1,000 images, and then every record has a copy of it."""

Counted = Mapping[str, Sequence[tuple[int, Sequence[int]]]]
"""By a cell's key, for each row that counts records of it: the size of its image set, and the images it counts."""


def write_archive(file: BinaryIO, store: Store, cells: Iterable[StoredCell], counted: Counted) -> None:
    """Write the records of those of a store's `cells` that ran. The same cells give the same bytes."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    ran = sorted((cell for cell in cells if cell.status == "ok"), key=lambda cell: cell.key)
    mark = {PROJECT.encode(): str(SCHEMA_VERSION).encode()}
    schema = _schema(any(LANDED_FOR in cell.settings for cell in ran))
    # The JSON of a cell is handed over once with an index for each record, as copies for all records of a row group can
    # be a gigabyte. In the file it is a column of texts all the same, which pyarrow has to be told.
    indexed = schema.set(0, pa.field(CELL, pa.dictionary(pa.int32(), pa.large_string())))
    types = base64.b64encode(schema.with_metadata(mark).serialize().to_pybytes())
    with ParquetWriter(
        file,
        indexed,
        compression="zstd",
        write_page_checksum=True,
        store_schema=False,
        dictionary_pagesize_limit=DICTIONARY,
    ) as writer:
        writer.add_key_value_metadata({**mark, b"ARROW:schema": types})
        for group in _groups(ran):
            parts = [_lines(cell, store.table(cell.key), counted.get(cell.key, ()), indexed) for cell in group]
            table = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
            writer.write_table(table, row_group_size=len(table))


def _schema(some_re_evaluated: bool) -> Schema:
    """The columns of the file."""
    import pyarrow as pa

    types = {"str": pa.large_string(), "bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64()}
    place = dict.fromkeys(PLACE, pa.int64()) | dict.fromkeys(("suite", "target", "attack"), pa.large_string())
    place |= dict.fromkeys(("epsilon", "alpha"), pa.float64())
    columns = {name: types[column.dtype] for name, column in COLUMNS.items()}
    made_for = {LANDED_FOR: pa.string()} if some_re_evaluated else {}
    return pa.schema({CELL: pa.large_string(), **place, SETS: pa.list_(pa.int64()), **made_for, **columns})


def _groups(cells: Sequence[StoredCell]) -> Iterator[list[StoredCell]]:
    """The cells of each row group."""
    group: list[StoredCell] = []
    size = 0
    for cell in cells:
        size += len(cell.settings["images"])
        if group and size > GROUP:
            yield group
            group, size = [], len(cell.settings["images"])
        group.append(cell)
    if group:
        yield group


def _lines(cell: StoredCell, records: Table, counted: Sequence[tuple[int, Sequence[int]]], schema: Schema) -> Table:
    """The lines of one cell, one a record."""
    import pyarrow as pa

    size = len(records)
    columns: dict[str, Any] = {
        CELL: pa.DictionaryArray.from_arrays(pa.array([0] * size, pa.int32()), pa.array([_text(cell)], "large_string")),
        SETS: pa.array(_sets(cell.settings["images"], counted), schema.field(SETS).type),
    }
    if LANDED_FOR in schema.names:
        columns[LANDED_FOR] = pa.repeat(pa.scalar(_made_for(cell), pa.string()), size)
    columns |= {
        name: pa.repeat(pa.scalar(cell.settings.get(name) or 0, schema.field(name).type), size) for name in PLACE
    }
    columns |= {name: records[name].cast(schema.field(name).type) for name in COLUMNS}
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _made_for(cell: StoredCell) -> str:
    """The settings that a re-evaluated cell's images were made for; empty for any other cell."""
    known = cell.settings.get(LANDED_FOR)
    return "" if known is None else f"n = {known['n']}, alpha = {known['alpha']:g}, seed {known['seed']}"


def _text(cell: StoredCell) -> str:
    """All that is stored of a cell but what is of its files: an archive has no images and other digests."""
    content = {field.name: getattr(cell, field.name) for field in fields(cell)}
    return json.dumps(content | {"has_images": False, "digests": {}}, sort_keys=True)


def _sets(images: Sequence[int], counted: Sequence[tuple[int, Sequence[int]]]) -> list[list[int]]:
    """For each image, the sizes of the sets in whose rows its record counts."""
    if all(len(found) == len(images) for _, found in counted):
        return [[size for size, _ in counted]] * len(images)
    members = [(size, set(found)) for size, found in counted]
    return [[size for size, found in members if image in found] for image in images]
