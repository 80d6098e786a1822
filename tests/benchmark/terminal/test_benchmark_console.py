"""Output in any encoding, to a reader that has gone or a full disk: the results are those of a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import ROOT, TARGET, command, define, environment, suite_file

from attacks import NoAccess
from benchmark.terminal.console import STAND_INS, tolerant

BOARD = {"LEADERBOARD.md", "leaderboard.json", "records.parquet", "board.svg", "index.html"}
ENCODINGS = ["ascii", "cp1252", "iso-8859-1", "cp437", "utf-8"]


class Streams:
    """Standard output and error in an encoding, as Python opens them where they are redirected."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        self.encoding = encoding
        self.bytes = {"stdout": io.BytesIO(), "stderr": io.BytesIO()}
        for name, content in self.bytes.items():
            monkeypatch.setattr(sys, name, io.TextIOWrapper(content, encoding=encoding, errors="strict"))

    def text(self, name: str) -> str:
        return self.bytes[name].getvalue().decode(self.encoding)


class Broken(io.RawIOBase):
    """A stream that takes a number of writes, and no more."""

    def __init__(self, error: OSError, room: int = 0) -> None:
        self.error, self.room = error, room

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.room -= 1
        if self.room < 0:
            raise self.error
        return len(data)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return suite_file(tmp_path / "s.toml")


def run(suite: Path, results: Path) -> int:
    return command("run", "--suite", suite, "--results", results, "--device", "cpu")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_run_is_told_and_kept_in_every_encoding(encoding, suite, tmp_path, monkeypatch):
    streams = Streams(monkeypatch, encoding)
    assert run(suite, tmp_path / "r") == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} >= BOARD
    lacks = encoding in ("ascii", "cp1252", "iso-8859-1")
    assert f"at {'eps' if lacks else 'ε'} = 0.5 {'·' if encoding != 'ascii' else '-'} n = " in streams.text("stdout")
    assert ("alpha = 0.001" if lacks else "α = 0.001") in streams.text("stdout")
    assert f"clean {'x' if encoding in ('ascii', 'cp437') else '×'} " in streams.text("stderr")
    assert "\\u" not in streams.text("stdout") + streams.text("stderr")


def test_every_other_verb_is_readable_too(tmp_path, monkeypatch):
    table = tmp_path / "t.tsv"
    for verb, expected in {
        ("list", "targets"): "sigma",
        ("list", "attacks"): "cross-and-land",
        ("run", "--help"): "l2 budgets",
        ("predict", TARGET, "--images", 3, "--samples", 20, "--output", table): "alpha = 0.001",
        ("certify", TARGET, "--images", 3, "--samples", 20, "--output", tmp_path / "c.tsv"): "alpha = 0.001",
    }.items():
        streams = Streams(monkeypatch, "ascii")
        try:
            assert command(*verb) == 0
        except SystemExit as stop:  # argparse's way out of --help
            assert stop.code == 0  # noqa: PT017
        assert expected in streams.text("stdout"), verb
    assert len(table.read_text(encoding="utf-8").splitlines()) == 4


def test_errors_are_readable_too(monkeypatch):
    streams = Streams(monkeypatch, "ascii")
    assert command("list", "targets", "--plugin", "σ-ü-\udce4.py") == 2
    assert streams.text("stderr") == "error: there is no plugin file sigma-\\xfc-\\udce4.py\n"


@pytest.mark.parametrize("symbol", STAND_INS)
def test_stand_ins_are_ascii(symbol, monkeypatch):
    streams = Streams(monkeypatch, "ascii")
    with tolerant():
        print(symbol)
    assert streams.text("stdout") == STAND_INS[symbol] + "\n"


@pytest.mark.parametrize("room", [0, 1, 3])
def test_a_reader_that_has_gone_costs_no_results(room, suite, tmp_path, monkeypatch, capsys):
    for name in ("stdout", "stderr"):
        raw = io.BufferedWriter(Broken(BrokenPipeError(32, "Broken pipe"), room))
        monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True))
    assert run(suite, tmp_path / "r") == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} >= BOARD


def test_a_full_disk_under_the_output_costs_no_results_and_is_said(suite, tmp_path, monkeypatch):
    streams = Streams(monkeypatch, "utf-8")
    raw = io.BufferedWriter(Broken(OSError(28, "No space left on device")))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    assert run(suite, tmp_path / "r") == 1
    sys.stderr.flush()
    assert streams.text("stderr").endswith("error: standard output could not be written: No space left on device\n")
    assert {path.name for path in (tmp_path / "r").iterdir()} >= BOARD


def test_a_pipe_that_is_full_for_now_is_waited_for(monkeypatch):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb") as end, open(writing, "wb", buffering=0) as pipe:
        filled = 0
        while (written := pipe.write(b"." * 4096)) is not None:
            filled += written

        class Patient(io.RawIOBase):
            def writable(self) -> bool:
                return True

            def fileno(self) -> int:
                return end.read(filled) and pipe.fileno()  # room is made while it waits

            def write(self, data: Any) -> Any:
                return pipe.write(data)

        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Patient()), encoding="utf-8"))
        with tolerant() as problems:
            print("all of it")
        assert not problems
        assert end.read(10) == b"all of it\n"


def test_streams_are_put_back(monkeypatch):
    before = sys.stdout, sys.stderr
    assert command("list", "suites") == 0
    assert (sys.stdout, sys.stderr) == before


def closed(stream: Any) -> None:
    stream.close()


def wrapped(stream: Any) -> None:
    """In a wrapper, which closes what it wraps when it is forgotten."""
    io.TextIOWrapper(stream.buffer, encoding="utf-8").write("mine ")


def detached(stream: Any) -> None:
    io.TextIOWrapper(stream.detach(), encoding="utf-8").write("mine ")


def closed_below(stream: Any) -> None:
    stream.buffer.raw.close()
    stream.buffer.close()


def recoded(stream: Any) -> None:
    stream.reconfigure(encoding="ascii", errors="strict")


DEEDS = [closed, wrapped, detached, closed_below, recoded]


@pytest.mark.parametrize("deed", DEEDS)
def test_who_closes_our_streams_closes_them_for_nobody(deed, tmp_path, monkeypatch):
    def act(model: object, images: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            deed(stream)
        print("still there")

    streams = Streams(monkeypatch, "utf-8")
    define("closes", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["closes", "clean"])
    arguments = ("run", "--suite", suite, "--results", tmp_path / "r", "--device", "cpu", "--workers", 0)
    assert command(*arguments) == 0
    assert "still there" in streams.text("stdout")
    assert "at ε = 0.5" in streams.text("stdout")
    assert "2 cells run, 0 stored already, 0 failed." in streams.text("stdout")
    assert "clean × " in streams.text("stderr")


@pytest.mark.parametrize("closing", ["os.close(1); os.close(2)", "sys.__stdout__.close(); sys.__stderr__.close()"])
def test_nor_does_who_closes_the_descriptors(closing, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", DESCRIPTORS.replace("CLOSING", closing)],
        check=False, cwd=ROOT, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "said\n", "said, too\n")


DESCRIPTORS = """
import os, sys
from benchmark.terminal.console import tolerant
with tolerant() as problems:
    CLOSING
    print("said")
    print("said, too", file=sys.stderr)
assert not problems
"""


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_python_found_closed_costs_no_results(name, suite, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, name, None)
    assert run(suite, tmp_path / "r") == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} >= BOARD


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_with_every_descriptor_closed_no_file_takes_their_place():
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -c \"$1\" <&- >&- 2>&-", "sh", CLOSED],
        check=False, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0


CLOSED = """
import os, tempfile
from benchmark.terminal.console import tolerant
with tolerant():
    print("said to nobody")
    with tempfile.TemporaryFile() as file:
        assert file.fileno() > 2
        os.write(1, b"so is this, from compiled code")
        assert not os.fstat(file.fileno()).st_size
"""
