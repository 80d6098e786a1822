"""A small results folder and a board of it, ways to damage files, and the promise that every command keeps on them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_helpers import command
from faults_cells import VOTES, cell_settings, write
from hypothesis import strategies as st

from benchmark.key import key_of, settings_key
from benchmark.message import LONGEST
from leaderboard import Store
from leaderboard.stored import digest, files, sequential
from leaderboard.stored.sequential import Drawn


def write_cell(store: Store, **changed: Any) -> str:
    """Store a cell of such settings under its key; returns the key."""
    return write(store, settings_key, **changed)


def make_world(folder: Path) -> Path:
    """A results folder `r` of two cells with their costs, a failure and shared votes, and its board `p`."""
    store = Store.open(folder / "r")
    for attack in ("clean", "margin"):
        key = write_cell(store, attack=attack)
        sequential.add(
            store.folder, [Drawn(key, 1000, 0.001, [0, 1, -1], [100, 200, 1000], [0, 1, 2], [100, 100, 100])]
        )
    failed = cell_settings(attack="cw")
    store.write_failure(settings_key(failed), failed, "Traceback\nOops: no", provenance={}, seconds=1)
    store.write_shared(key_of(VOTES), VOTES, {"votes": np.arange(6).reshape(2, 3)})
    assert kept("publish", "--results", folder / "r", folder=folder, writes=["r"]) == 0
    words = ("publish", "--results", folder / "r", "--output", folder / "p", "--shared")
    assert kept(*words, folder=folder, writes=["p"]) == 0
    return folder


def kept(*arguments: object, folder: Path, writes: Iterable[str] = ()) -> int:
    """The exit code of a command, checked for what every command promises, whatever the files in `folder` hold.

    It ends with 0 or 1, or with 2 and one line; nothing it prints has control characters in it; it raises nothing; and
    of `folder`, the current one, it changes only what is under the names in `writes`.
    """
    before = _state(folder, writes)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
        try:
            code = command(*arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
    assert code in (0, 1, 2), (arguments, code)
    lines = [*out.getvalue().splitlines(), *err.getvalue().splitlines()]
    strange = [line for line in lines if not line.replace("\t", "").isprintable()]
    assert not strange, (arguments, strange[0][:300])
    assert not [line for line in lines if line.startswith("Traceback")], arguments
    if code == 2:
        last = err.getvalue().splitlines()[-1]
        assert last.startswith("error: "), (arguments, err.getvalue()[:500])
        assert len(last) <= LONGEST + 100
        assert not [line for line in err.getvalue().splitlines()[:-1] if line.startswith("error: ")]
    assert _state(folder, writes) == before, arguments
    return code


def _state(folder: Path, writes: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Every file and folder but those under some names, with what changes when it is written."""
    found = {}
    free = tuple(writes)
    for root, folders, names in os.walk(folder):
        here = Path(root)
        if here == folder:
            folders[:] = [name for name in folders if name not in free]
            names = [name for name in names if name not in free]
        for name in (*folders, *names):
            status = (here / name).lstat()
            found[str(here / name)] = (status.st_size, status.st_mtime_ns if name in names else 0)
    return found


def fresh(source: Path, folder: Path) -> None:
    """Put a copy of `source` in place of `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A way to damage bytes: bits flipped, a part cut, repeated or overwritten, the end lost."""
    changes = draw(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))

    def damage(data: bytes) -> bytes:
        for kind, where, value in changes:
            place = min(int(where * len(data)), max(len(data) - 1, 0))
            if kind == 0 and data:
                data = data[:place] + bytes([data[place] ^ (1 << value % 8)]) + data[place + 1 :]
            elif kind == 1:
                data = data[:place]
            elif kind == 2:
                data = data[:place] + data[place + value :]
            elif kind == 3:
                data = data[:place] + data[place : place + value] + data[place:]
            elif kind == 4:
                data = data[:place] + b"\xff\xff\xff\x7f" + data[place + 4 :]
            else:
                data = data[:place] + bytes(value) + data[place + value :]
        return data

    return damage


NESTED: Any = []
for _ in range(300):
    NESTED = [NESTED]

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), "", "a", "a\nb", "\x1b[31mred", "\0", "../../x", "/etc/passwd", "..", "x" * 5000),
    *("\ud800", "\u202ex", "é𝔘", "<script>", "|", "nan", "2020-01-01", [], {}, [[]], [0], ["a"], [0, 0], {"a": 1}),
    *({"": []}, [None], [{}], {"images": 3}, list(range(300)), NESTED, {"__class__": "x"}, [-1], [2**70], [0.5]),
]
"""What no run writes in most places."""


@st.composite
def edits(draw: st.DrawFn) -> Callable[[Any], Any]:
    """A way to edit what is in a JSON: a value replaced, removed, doubled or renamed, anywhere."""
    steps = draw(
        st.lists(st.tuples(st.integers(0, 4), st.lists(st.integers(0, 30), max_size=6)), min_size=1, max_size=2)
    )
    values = [draw(st.sampled_from(ODD)) for _ in steps]

    def edit(content: Any) -> Any:
        content = json.loads(json.dumps(content))
        for (kind, path), value in zip(steps, values, strict=True):
            content = _edited(content, path, kind, copy.deepcopy(value))
        return content

    return edit


def _edited(content: Any, path: list[int], kind: int, value: Any) -> Any:
    if not path or not isinstance(content, dict | list) or not content:
        return value if kind < 4 else [content, content]
    names = sorted(content) if isinstance(content, dict) else list(range(len(content)))
    name: Any = names[path[0] % len(names)]
    if len(path) > 1 and isinstance(content[name], dict | list) and content[name]:
        content[name] = _edited(content[name], path[1:], kind, value)
    elif kind == 1:
        del content[name]
    elif kind == 2 and isinstance(content, dict):
        content[str(value)[:50]] = content.pop(name)
    elif kind == 3 and isinstance(content, list):
        content.append(content[name])
    else:
        content[name] = value
    return content


def sealed(content: Any, **parts: bytes) -> bytes:
    """A JSON with the digests of what it holds now, where it can have any."""
    with contextlib.suppress(Exception):
        content = digest.sealed(content, **parts)
    return json.dumps(content).encode()


def npz(**arrays: Any) -> bytes:
    """The content of an NPZ file."""
    return files.to_npz(arrays)
