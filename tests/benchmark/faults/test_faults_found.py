"""What fuzzing and review found, each as it was: bombs, pipes, names, half surrogates, rows that failed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from benchmark_helpers import PATIENCE
from faults_cells import VOTES, cell_settings
from faults_world import fresh, kept, make_world, sealed
from pyarrow import parquet

from benchmark.key import key_of, settings_key
from benchmark.recheck.npz_file import read_images
from leaderboard import Store, StoreError
from leaderboard.stored import archive, bounds, files
from targets import InputError

MEGABYTE = 2**20
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("found"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    for name in ("r", "p"):
        fresh(made / name, tmp_path / name)
    return tmp_path


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        archive.read(path, settings_key)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def replaced(path: Path, name: str, values: Any, **options: Any) -> None:
    table = parquet.read_table(path)
    parquet.write_table(table.set_column(table.column_names.index(name), name, values), path, **options)


def varint(value: int, length: int = 0) -> bytes:
    """A zigzag number as Thrift writes it, drawn out to a length."""
    value, found = 2 * value, []
    while value > 127 or len(found) + 1 < length:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@pytest.mark.parametrize("lies", [False, True])
def test_a_text_that_unpacks_to_much_is_never_unpacked_whatever_the_footer_says(folder: Path, lies: bool):
    path = folder / "p" / "records.parquet"
    count = parquet.read_table(path).num_rows
    bomb = pa.array(["{" + " " * 65 * MEGABYTE, *["{}"] * (count - 1)], pa.large_string())
    replaced(path, "cell", bomb, compression="zstd", use_dictionary=False, write_statistics=False)
    assert path.stat().st_size < MEGABYTE
    if lies:
        metadata = parquet.read_metadata(path)
        real = metadata.row_group(0).column(0).total_uncompressed_size
        length = int.from_bytes(path.read_bytes()[-8:-4], "little")
        data = path.read_bytes()
        footer = data[-8 - length :]
        assert varint(real) in footer
        path.write_bytes(data[: -8 - length] + footer.replace(varint(real), varint(1000, len(varint(real)))))
        assert parquet.read_metadata(path).row_group(0).column(0).total_uncompressed_size == 1000
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    assert "it unpacks to 68," in refusal(path)
    assert pool.bytes_allocated() - before < MEGABYTE


def test_more_records_than_a_file_can_hold_are_refused(folder: Path):
    path = folder / "p" / "records.parquet"
    table = parquet.read_table(path)
    many = pa.table({name: pa.repeat(table[name][0], 2**18) for name in table.column_names})
    parquet.write_table(many.replace_schema_metadata(table.schema.metadata), path, compression="zstd")
    assert "it declares 262,144 records in" in refusal(path)
    # In a results folder too, where digests may be right.
    cell = next(path for path in (folder / "r" / "cells").glob("*.parquet"))
    parquet.write_table(many.select(files.COLUMNS), cell)
    with pytest.raises(bounds.TooLarge, match="it declares 262,144 records"):
        files.from_parquet(cell.read_bytes())


def test_a_long_text_in_a_column_of_texts_is_not_repeated_for_each_record(folder: Path):
    path = folder / "p" / "records.parquet"
    long = pa.array(["x" * MEGABYTE] * parquet.read_table(path).num_rows, pa.large_string())
    replaced(path, "validity", long, compression="zstd")
    assert "holds no records of abstention-bench" in refusal(path)
    replaced(path, "suite", long, compression="zstd")  # which is not read at all


def test_settings_that_are_too_long_are_refused(folder: Path):
    path = folder / "p" / "records.parquet"
    texts = parquet.read_table(path)["cell"].to_pylist()
    cell = json.loads(texts[0])
    cell["settings"]["parameters"] = {"x": "y" * 300_000}
    values = [json.dumps(cell) if text == texts[0] else text for text in texts]
    replaced(path, "cell", pa.array(values, pa.large_string()))
    assert "a cell of 3 records has 30" in refusal(path)


def bomb(name: str, header: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    text = header.encode()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content)
    return buffer.getvalue()


HEADER = "{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}"
BOMBS = {
    "a shape without values": lambda name: bomb(name, HEADER.format(10**13), b""),
    "values without a shape": lambda name: bomb(name, HEADER.format(3), bytes(65 * MEGABYTE)),
    "a true one": lambda name: bomb(name, HEADER.format(65 * MEGABYTE), bytes(65 * MEGABYTE)),
    "a negative size": lambda name: bomb(name, HEADER.format(-3), b"abc"),
}


@pytest.mark.parametrize("which", BOMBS)
def test_arrays_that_unpack_to_much_are_never_unpacked(folder: Path, which: str):
    """Under right digests, so that nothing else is in their way."""
    shared, cell = BOMBS[which]("votes"), BOMBS[which]("images")
    for place in (folder / "p" / "shared", folder / "r" / "shared"):
        path = place / f"{key_of(VOTES)}.npz"
        path.write_bytes(shared)
        description = path.with_suffix(".json")
        description.write_bytes(sealed(json.loads(description.read_bytes()), arrays=shared))
    image = next((folder / "r" / "cells").glob("*.npz"))
    image.write_bytes(cell)
    tracemalloc.start()
    assert Store.read(folder / "r").shared(key_of(VOTES)) is None
    with pytest.raises(ValueError, match=r"unpacks to|has .* bytes, and a header of|negative"):
        files.read_npz(image)
    assert kept("adopt", "p", "--results", "a", folder=folder) == 2
    assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(folder: Path):
    def pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    for part in ("cells", "shared"):
        for suffix in ("json", "npz"):
            pipe(next((folder / "r" / part).glob(f"*.{suffix}")))
    for name in ("records.parquet", "leaderboard.json", "LEADERBOARD.md", "index.html", "board.svg"):
        pipe(folder / "p" / name)
    pipe(next((folder / "p" / "shared").glob("*.npz")))
    kept("verify", "r", folder=folder)
    kept("publish", "--results", "r", folder=folder, writes=["r"])
    assert kept("verify", "p", folder=folder) in (1, 2)
    assert kept("adopt", "p", "--results", "a", folder=folder) == 2
    assert kept("publish", "--site", "site", "p", folder=folder) == 2
    os.mkfifo(folder / "x.npz")
    with pytest.raises(InputError, match="is no file"):
        read_images(folder / "x.npz", (1, 8, 8), 397)
    pipe(folder / "r" / "store.json")
    assert kept("show", "--results", "r", folder=folder) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"attack": "a\nb"},
        {"attack": "\x1b[31mred"},
        {"suite": "\ud800"},
        {"target": "x" * 301},
        {"description": "\ud800"},
        {"content": 3},
        {"landed_for": {"n": 1}},
        {"submitted": "abc"},
        {"seed": 2**63},
        {"parameters": {"x": "\udfff"}},
    ],
    ids=str,
)
def test_settings_that_no_run_has_are_refused_under_their_right_key(folder: Path, changed: dict[str, Any]):
    path = folder / "p" / "records.parquet"
    texts = parquet.read_table(path)["cell"].to_pylist()
    cell = json.loads(texts[0])
    cell["settings"] = cell_settings(**changed)
    cell["key"] = settings_key(cell["settings"])
    values = [json.dumps(cell) if text == texts[0] else text for text in texts]
    replaced(path, "cell", pa.array(values, pa.large_string()))
    assert kept("adopt", "p", "--results", "a", folder=folder) == 2
    assert not (folder / "a").exists()


@pytest.mark.parametrize("depth", [200, 900, 100_000])
def test_json_that_is_nested_deep_is_refused(folder: Path, depth: int):
    for path in (folder / "r" / "store.json", folder / "p" / "leaderboard.json"):
        path.write_text("[" * depth + "]" * depth, encoding="utf-8")
    for path in (*(folder / "r" / "shared").glob("*.json"), *(folder / "p" / "shared").glob("*.json")):
        path.write_text('{"settings": ' + '{"a": ' * depth + "1" + "}" * (depth + 1), encoding="utf-8")
    for words in (["show", "--results", "r"], ["adopt", "p", "--results", "a"], ["publish", "--site", "s", "p"]):
        assert kept(*words, folder=folder) == 2
    assert kept("verify", "p", folder=folder) == 1


@pytest.mark.parametrize("name", ["what", "target", "data"])
@pytest.mark.parametrize("words", [["publish", "--shared"], ["remove", "--attacks", "clean", "--shared"]])
def test_shared_settings_that_are_no_text_are_refused_under_their_right_key(folder: Path, name: str, words: list[str]):
    path = sorted((folder / "r" / "shared").glob("*.json"))[0]
    content = json.loads(path.read_bytes())
    content["settings"][name] = {"a": 1}
    content["key"] = key_of(content["settings"])
    for old in path.parent.glob(f"{path.stem}.*"):
        old.rename(old.with_name(f"{content['key']}{old.suffix}"))
    path.with_stem(content["key"]).write_bytes(sealed(content))
    assert kept(*words, "--results", "r", folder=folder, writes=["r"]) == 2


# Imports once. Each child ends as a program does, and is aborted there if at all.
ENDED = """
import os, sys
import benchmark.commands.adopt
from benchmark.cli import main

for _ in range(4):
    child = os.fork()
    if child == 0:
        sys.exit(main(sys.argv[1:]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_a_program_that_a_damaged_board_ends_is_not_aborted(tmp_path: Path):
    """Arrow's threads, which read ahead in Python's file, aborted two of five of these."""
    data = bytearray((ROOT / "leaderboard" / "published" / "digits-samples" / "records.parquet").read_bytes())
    data[len(data) // 2] ^= 64
    (tmp_path / "records.parquet").write_bytes(bytes(data))
    words = [sys.executable, "-c", ENDED, "adopt", str(tmp_path), "--results", str(tmp_path / "a")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE)
    assert done.stdout.split() == ["2"] * 4, done.stderr


def test_cells_of_which_some_do_not_say_their_commit_are_shown(folder: Path):
    path = folder / "p" / "records.parquet"
    texts = parquet.read_table(path)["cell"].to_pylist()
    values = [text.replace('"commit": "abc"', '"commit": null') if text == texts[0] else text for text in texts]
    assert values != texts
    replaced(path, "cell", pa.array(values, pa.large_string()))
    assert kept("adopt", "p", "--results", "a", folder=folder, writes=["a"]) == 0
    assert kept("publish", "--results", "a", folder=folder, writes=["a"]) == 0


def test_a_command_line_in_a_board_prints_no_control_characters(folder: Path):
    path = folder / "p" / "records.parquet"
    texts = parquet.read_table(path)["cell"].to_pylist()
    values = [text.replace('"--suite"', '"\\u001b]0;title\\u0007\\n"') for text in texts]
    replaced(path, "cell", pa.array(values, pa.large_string()))
    assert kept("adopt", "p", "--results", "a", folder=folder, writes=["a"]) == 0


def test_a_board_with_a_failed_row_passes_what_is_asked_of_its_rows(folder: Path, capsys: pytest.CaptureFixture[str]):
    from benchmark.recheck.verification import verify

    found = {(clause.name, clause.verdict) for clause in verify(folder / "p")}
    assert {("rows", "ok"), ("LEADERBOARD.md", "ok"), ("standings", "note")} <= found


def test_a_folder_name_never_leads_out(folder: Path):
    """Keys are file names in a results folder: none has a separator or begins with a dot."""
    store = Store.read(folder / "r")
    for key in ("../x", "..", ".hidden", "a/b", "a\\b", "", "a\0b", "a\n"):
        with pytest.raises(ValueError, match="not a key"):
            store.remove(key)
