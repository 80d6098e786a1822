"""A stranger's NPZ file: read where it is right, one line where it is not, never more memory than it may take."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.recheck.npz_file import read_images
from targets import InputError

SHAPE, AVAILABLE = (1, 8, 8), 397


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def header(text: str) -> bytes:
    """An NPY file of that header, without values."""
    content = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) + content


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def images(count: int = 3, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(0, 1, (count, *SHAPE)).astype(dtype)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_images(path, SHAPE, AVAILABLE)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8"])
def test_floats_are_read(tmp_path, save, dtype):
    values = images(dtype=dtype)
    save(tmp_path / "x.npz", images=values, indices=np.array([4, 0, 396], dtype=np.uint16), sigma=0.5)
    found = read_images(tmp_path / "x.npz", SHAPE, AVAILABLE)
    assert found.images.dtype == np.float32
    np.testing.assert_array_equal(found.images, values.astype(np.float32))
    assert found.indices == [4, 0, 396]
    assert len(found.sha256) == 64


def test_bytes_are_read_as_shares_of_255_and_column_order_does_not_matter(tmp_path):
    values = np.arange(192, dtype=np.uint8).reshape(3, *SHAPE)
    np.savez(tmp_path / "x.npz", images=np.asfortranarray(values))
    found = read_images(tmp_path / "x.npz", SHAPE, AVAILABLE)
    np.testing.assert_array_equal(found.images, values / np.float32(255))
    assert found.indices is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_from_0_to_255_are_refused(tmp_path, dtype):
    np.savez(tmp_path / "x.npz", images=np.round(255 * images()).astype(dtype))
    assert "divide them by 255, or give uint8" in refused(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", images=images(dtype=dtype) + dtype(0.9))  # beyond the box: the budget rule's to judge
    assert read_images(tmp_path / "x.npz", SHAPE, AVAILABLE).images.max() > 1.5


def test_what_is_not_finite_is_left_to_the_budget_rule(tmp_path):
    values = images(dtype=np.float64)
    values[0, 0, 0, 0], values[1, 0, 0, 0] = np.nan, 1e300
    np.savez(tmp_path / "x.npz", images=values)
    found = read_images(tmp_path / "x.npz", SHAPE, AVAILABLE).images
    assert np.isnan(found[0, 0, 0, 0])
    assert np.isinf(found[1, 0, 0, 0])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (images().transpose(0, 2, 3, 1), "shape (3, 8, 8, 1)"),
        (images()[0], "shape (1, 8, 8)"),
        (images(0), "shape (0, 1, 8, 8)"),
        (np.zeros((398, *SHAPE), dtype=np.uint8), "N from 1 to 397"),
        (images(dtype=np.float16), "float16"),
        (images().astype(np.int64), "int64"),
        (images().astype(bool), "bool"),
        (images().astype(complex), "complex"),
        (np.array([[[["a"]]]]), "<U1"),
        (np.zeros(3, dtype=[("a", "<f4")]), "Python objects or records"),
        (np.array([object()]), "Python objects or records"),
    ],
)
def test_wrong_arrays_are_one_line(tmp_path, values, reason):
    assert reason in refused(archive(tmp_path / "x.npz", images=npy(values)))


@pytest.mark.parametrize(
    ("indices", "reason"),
    [
        (np.array([0, 1]), "shape (2,)"),
        (np.array([[0, 1, 2]]), "shape (1, 3)"),
        (np.array([0.0, 1.0, 2.0]), "whole numbers"),
        (np.array([0, 1, 397]), "an index is 397"),
        (np.array([0, 1, -1]), "an index is -1"),
        (np.array([5, 5, 1]), "index 5 is there twice"),
        (np.array([0, 1, 2**63], dtype=np.uint64), "an index is 9223372036854775808"),
    ],
)
def test_wrong_indices_are_one_line(tmp_path, indices, reason):
    assert reason in refused(archive(tmp_path / "x.npz", images=npy(images()), indices=npy(indices)))


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 8, 8), }",  # and no values
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 1, 8, 8), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1, 8, 8), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1e9,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3, 1, 8, 8), }",
        "{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 3300 + "), }",
        "(" * 5000,
        "",
        "nonsense",
    ],
)
def test_absurd_headers_are_one_line(tmp_path, text):
    refused(archive(tmp_path / "x.npz", images=header(text + "\n")))


def test_a_bomb_never_comes_into_memory(tmp_path):
    """A member that unpacks to half a gigabyte, behind an honest-looking header and behind an honest one."""
    zeros = bytes(2**29)
    honest = npy(images())
    small = archive(tmp_path / "a.npz", images=honest + zeros)
    large = archive(tmp_path / "b.npz", images=npy(np.zeros((2**23, *SHAPE), dtype=np.uint8)))
    tracemalloc.start()
    assert "unpacks to" in refused(small)
    assert "N from 1 to 397" in refused(large)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_size_that_the_directory_lies_about_is_one_line(tmp_path):
    path = archive(tmp_path / "x.npz", images=npy(images()))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    data[place : place + 4] = struct.pack("<I", 500)
    path.write_bytes(data)
    refused(path)


def test_files_that_are_none_are_one_line(tmp_path):
    for name, content in {"empty": b"", "text": b"hello", "npy": npy(images()), "half": b"PK\x03\x04 half"}.items():
        (tmp_path / name).write_bytes(content)
        assert "is no NPZ file" in refused(tmp_path / name)
    whole = archive(tmp_path / "x.npz", images=npy(images(50))).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut")
    flipped = bytearray(whole)
    flipped[200] ^= 255
    (tmp_path / "flipped").write_bytes(flipped)
    refused(tmp_path / "flipped")
    assert "No such file" in refused(tmp_path / "missing.npz")
    assert "directory" in refused(tmp_path)
    assert "has no array 'images' (it holds labels.npy)" in refused(archive(tmp_path / "y.npz", labels=npy(images())))
    assert "larger than" in refused_large(tmp_path)


def refused_large(folder: Path) -> str:
    with (folder / "large.npz").open("wb") as file:
        file.truncate(2**30)  # sparse
    return refused(folder / "large.npz")


def test_two_arrays_of_one_name_are_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("images.npy", npy(images()))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("images.npy", npy(images()))
    assert "two arrays of one name" in refused(tmp_path / "x.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_device_is_no_file():
    assert "is no file" in refused(Path("/dev/zero"))
