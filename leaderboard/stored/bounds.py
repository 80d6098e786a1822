"""What a file may unpack to. It is known, and refused, before anything of it is given memory.

Compressed files of a few kilobytes can declare or unpack to terabytes. Those that this program writes stay far below
these bounds: published boards take 22 to 53 bytes a record, and unpack to at most 14 times their size.
"""

from __future__ import annotations

import math
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

FREE = 2**26
"""Bytes that any file may unpack to."""

TIMES = 100
"""Bytes that a larger file may unpack to, for each of its own."""

RECORDS = 2**17
"""Records that any file may hold; a larger one has a byte for each."""

JSON = 2**28
"""Bytes of a JSON file, at most."""

ARRAYS = 2**33
"""Bytes of a file of arrays, at most."""

HEADER = 10_000
"""Bytes of an array's header, at most: NumPy's own take a hundred."""


class TooLarge(ValueError):
    """A file declares, or unpacks to, more than its size allows; says in words what and how much."""


def content(path: Path, most: int = JSON) -> bytes:
    """The bytes of a regular file. Raises OSError as reading does, `TooLarge`, or ValueError for a pipe or device."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(None, "is a folder")
    if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for its writer
        raise ValueError("it is no file")
    if found.st_size > most:
        raise TooLarge(f"it has {found.st_size:,} bytes, at most {most:,} are read")
    return path.read_bytes()


def check_npz(archive: zipfile.ZipFile, size: int) -> None:
    """Raise `TooLarge` unless what is in an NPZ file of so many bytes is of bounded size, and as its headers say."""
    from numpy.lib import format as npy

    members = archive.infolist()
    _check_unpacked(sum(member.file_size for member in members), size)
    for member in members:
        with archive.open(member) as stream:
            version = npy.read_magic(stream)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if read is None:
                raise ValueError(f"{member.filename:.50} has NPY version {version}")
            shape, _, dtype = read(stream, max_header_size=HEADER)
            if dtype.hasobject:
                raise ValueError(f"{member.filename:.50} holds Python objects")
            wanted = math.prod(shape) * dtype.itemsize
            if stream.tell() + wanted != member.file_size or min(shape, default=0) < 0:
                raise TooLarge(f"{member.filename:.50} has {member.file_size:,} bytes, and a header of {wanted:,}")


def check_parquet(file: BinaryIO, metadata: FileMetaData, size: int) -> None:
    """Raise `TooLarge` unless a Parquet file of so many bytes unpacks to a bounded size, by the headers of its pages.

    The sizes that its footer declares are not believed. The position in `file` moves.
    """
    if metadata.num_rows > max(RECORDS, size):
        raise TooLarge(f"it declares {metadata.num_rows:,} records in {size:,} bytes")
    total = 0
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            begin = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                begin = min(begin, column.dictionary_page_offset)
            end = begin + column.total_compressed_size
            if not 0 <= begin <= end <= size:
                raise ValueError("a column lies outside the file")
            file.seek(begin)
            while begin < end:
                length, unpacked, packed = _page(file)
                total += unpacked
                _check_unpacked(total, size)
                begin += length + packed
                file.seek(begin)


def check_records(metadata: FileMetaData, size: int) -> None:
    """Raise `TooLarge` unless a cell's Parquet file of so many bytes is bounded, as `check_parquet` does, but at once.

    Cells are packed with Snappy, which unpacks to at most 22 times what it takes, whatever the file declares.
    """
    if metadata.num_rows > max(RECORDS, size):
        raise TooLarge(f"it declares {metadata.num_rows:,} records in {size:,} bytes")
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        if strange := {columns.column(i).compression for i in range(columns.num_columns)} - {"SNAPPY", "UNCOMPRESSED"}:
            raise ValueError(f"the records are packed with {min(strange)}")


def _check_unpacked(total: int, size: int) -> None:
    most = max(FREE, TIMES * size)
    if total > most:
        raise TooLarge(f"it unpacks to {total:,} bytes or more, at most {most:,} are for {size:,}")


_LONGEST_PAGE_HEADER = 2**16
"""Bytes, with the statistics in it."""

_UNPACKED, _PACKED = 2, 3
"""The fields of a page's header that say its sizes."""


def _page(file: Any) -> tuple[int, int, int]:
    """The bytes of the page header at the file's position, and those that its page unpacks to and takes.

    The format is Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md,
    and PageHeader of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
    """
    reader = _Compact(file.read(_LONGEST_PAGE_HEADER))
    sizes = {}
    for field, kind in reader.fields():
        if field in (_UNPACKED, _PACKED) and kind == _I32:
            sizes[field] = reader.signed()
        else:
            reader.skip(kind)
    if min(sizes.get(_UNPACKED, -1), sizes.get(_PACKED, -1)) < 0:
        raise ValueError("a page has no size")
    return reader.place, sizes[_UNPACKED], sizes[_PACKED]


_I32, _DEEPEST = 5, 8


class _Compact:
    """A reader of Thrift's compact protocol; raises IndexError at the end of the bytes, ValueError for what is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def byte(self) -> int:
        """The next byte."""
        self.place += 1
        return self._data[self.place - 1]

    def unsigned(self) -> int:
        """A number of up to 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise ValueError("a number is too long")

    def signed(self) -> int:
        """A zigzag number."""
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)

    def fields(self) -> Any:
        """Number and type of each field of a structure; its value has to be read before the next."""
        field = 0
        while head := self.byte():
            field = field + (head >> 4) if head >> 4 else self.signed()
            yield field, head & 0x0F

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a value of that type."""
        if depth > _DEEPEST:
            raise ValueError("a structure is too deep")
        if kind in (1, 2):  # true and false are in the type
            return
        if kind == 3:
            self.place += 1
        elif kind in (4, 5, 6):
            self.unsigned()
        elif kind == 7:
            self.place += 8
        elif kind == 8:
            length = self.unsigned()
            self.place += length
        elif kind in (9, 10):
            head = self.byte()
            count = self.unsigned() if head >> 4 == 15 else head >> 4
            for _ in range(min(count, len(self._data))):
                # A list of booleans has a byte for each.
                self.skip(3 if head & 0x0F in (1, 2) else head & 0x0F, depth + 1)
        elif kind == 12:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise ValueError(f"type {kind} is none of a page's")
