"""Reading a stranger's NPZ file: nothing in it is believed, executed, or given memory before it is known to fit."""

from __future__ import annotations

import hashlib
import math
import stat
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from targets import InputError

PIXELS = ("float32", "float64", "uint8")
"""Types of images; uint8 counts from 0 to 255."""

HEADER = 10_000
"""Bytes of an array's header, at most: NumPy's own take a hundred."""

ROOM = 2**20
"""Bytes that a file may have beside its images."""


@dataclass(frozen=True)
class ImageFile:
    """What a file holds.

    Attributes:
        images: (N, C, H, W) float32; in [0, 1] where they came as bytes, and whatever they are otherwise.
        indices: of the evaluation images that they are made from, in their order; None where the file does not say.
        sha256: of the whole file.
    """

    images: NDArray[np.float32]
    indices: list[int] | None
    sha256: str


def read_images(path: Path, shape: tuple[int, int, int], available: int) -> ImageFile:
    """The arrays ``images`` and, where there is one, ``indices``; others in the file are not looked at.

    Sizes are checked before anything is unpacked: more than ``available`` images, or others than of ``shape``, never
    come into cache, whatever the file's headers say.

    Raises:
        InputError: in one line, what is wrong with the file.
    """
    content = _content(path, 2 * available * math.prod(shape) * 8 + ROOM)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise InputError(f"{path} holds two arrays of one name; write it with numpy.savez")
            if "images.npy" not in members:
                held = ", ".join(sorted(members)[:5]) or "nothing"
                raise InputError(f"{path} has no array 'images' (it holds {held:.200}); numpy.savez(FILE, images=…)")
            images = _images(path, archive, members["images.npy"], shape, available)
            indices = None
            if "indices.npy" in members:
                indices = _indices(path, archive, members["indices.npy"], len(images), available)
    except InputError:
        raise
    except Exception as error:  # a damaged or hostile file may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{path} is no NPZ file that can be read ({reason:.200}); write it with numpy.savez"
        ) from error
    return ImageFile(images, indices, hashlib.sha256(content).hexdigest())


def _content(path: Path, most: int) -> bytes:
    """A regular file's bytes, read once, so that what is digested is what is scored."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe would wait for its writer
            raise InputError(f"{path} is no file; give an NPZ file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give an NPZ file") from error
    if len(content) > most:
        raise InputError(f"{path} is larger than {most:,} bytes, more than all evaluation images take")
    return content


def _images(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, shape: tuple[int, int, int], available: int
) -> NDArray[np.float32]:
    with archive.open(info) as stream:
        dtype, found, is_fortran = _header(path, "images", stream)
        if dtype.newbyteorder("=") not in map(np.dtype, PIXELS):
            raise InputError(f"{path}: images are {dtype}; give {', '.join(PIXELS)}")
        if len(found) != 4 or tuple(found[1:]) != tuple(shape) or not 1 <= found[0] <= available:
            wanted = ", ".join(map(str, shape))
            raise InputError(
                f"{path}: images have shape {_short(found)}; give (N, {wanted}) with N from 1 to {available:,}"
            )
        values = _values(path, "images", stream, info, dtype, found, is_fortran)
    if values.dtype != np.uint8 and 2 < values.max(initial=0) <= 255 and values.min(initial=0) >= 0:
        raise InputError(f"{path}: images are {dtype} from 0 to {values.max():g}; divide them by 255, or give uint8")
    scale = np.float32(255) if values.dtype == np.uint8 else np.float32(1)
    with np.errstate(over="ignore"):  # becomes infinite, which the budget rule refuses
        return np.ascontiguousarray(values.astype(np.float32) / scale)


def _indices(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int, available: int) -> list[int]:
    with archive.open(info) as stream:
        dtype, found, is_fortran = _header(path, "indices", stream)
        if dtype.kind not in "iu":
            raise InputError(f"{path}: indices are {dtype}; give whole numbers")
        if found != (count,):
            raise InputError(f"{path}: indices have shape {_short(found)}; give one for each of the {count} images")
        indices = [int(index) for index in _values(path, "indices", stream, info, dtype, found, is_fortran)]
    strange = next((index for index in indices if not 0 <= index < available), None)
    if strange is not None:
        raise InputError(f"{path}: an index is {strange}; the evaluation images are 0 to {available - 1:,}")
    if len(set(indices)) < count:
        twice = next(index for index in indices if indices.count(index) > 1)
        raise InputError(f"{path}: index {twice} is there twice; give each image once")
    return indices


def _header(path: Path, name: str, stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, is_fortran, dtype = npy.read_array_header_1_0(stream, max_header_size=HEADER)
    elif version == (2, 0):
        shape, is_fortran, dtype = npy.read_array_header_2_0(stream, max_header_size=HEADER)
    else:
        raise InputError(f"{path}: {name} has NPY version {version[0]}.{version[1]}; write it with numpy.savez")
    if dtype.hasobject or dtype.names or dtype.subdtype:
        raise InputError(f"{path}: {name} holds Python objects or records; give an array of numbers")
    return dtype, tuple(int(size) for size in shape), bool(is_fortran)


def _values(
    path: Path,
    name: str,
    stream: IO[bytes],
    info: zipfile.ZipInfo,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    is_fortran: bool,
) -> NDArray[Any]:
    """Exactly the bytes that the header promises, which were found to be few enough."""
    wanted = math.prod(shape) * dtype.itemsize
    if info.file_size > wanted + HEADER + 64:
        raise InputError(f"{path}: {name} unpacks to {info.file_size:,} bytes, its header says {wanted:,}")
    data = stream.read(wanted)
    if len(data) != wanted or stream.read(1):  # reading on to the end also checks the archive's checksum
        raise InputError(f"{path}: {name} is not as long as its header says")
    values = np.frombuffer(data, dtype=dtype)
    return values.reshape(shape, order="F" if is_fortran else "C")


def _short(shape: tuple[int, ...]) -> str:
    return f"{shape!s:.100}"
