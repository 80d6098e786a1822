"""Kills writers at each of their file operations. A program of its own: run by `test_faults_killed.py`, which it tells.

    python faults_killed.py FOLDER SCENARIO

Prints one line: how many operations the scenario has.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from faults_cells import IMAGES, VOTES, cell_settings, write
from leaderboard_data import make_records

from leaderboard import Store, publish
from leaderboard.stored import published_arrays, unfinished

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
"""Events of Python's audit that change a file system, beside opening a file to write."""


def watched(folder: Path, before_each: Callable[[], None]) -> None:
    """Call a function before each operation of this process that changes something in `folder`."""
    here = str(folder)

    def hook(event: str, words: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = words
            changes = isinstance(path, str | bytes) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            path, changes = (words[0] if words else None), event in CHANGES
        if changes and (isinstance(path, int) or os.fsdecode(path).startswith(here)):
            before_each()

    sys.addaudithook(hook)

    def synced(descriptor: int) -> None:
        before_each()  # a process that is killed loses nothing that it wrote, so nobody waits for the disk

    os.fsync = synced


def killed_at_each(
    folder: Path, prepare: Callable[[], None], act: Callable[[], None], check: Callable[[], None]
) -> int:
    """Prepare, act and be killed before each operation in turn, and check what is left; returns their number."""
    operation = 0
    while True:
        prepare()
        child = os.fork()
        if child == 0:
            left = operation

            def count() -> None:
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

            watched(folder, count)
            act()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            check()
            return operation
        check()
        operation += 1


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones included."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    """The names of all files below a folder."""
    return sorted(content(folder))


KEYS: dict[str, str] = json.loads(os.environ.get("KEYS", "{}"))
"""By name, keys that this process cannot compute: it has no torch, so that it is quick to fork."""


def settings_key(settings: dict[str, Any]) -> str:
    """What cells are called: a name, or the key that belongs to it."""
    name = f"{settings['attack']}-{settings['epsilon']}"
    return KEYS.get(name, name)


def write_cell(store: Store, **changed: Any) -> None:
    """Store a cell of such settings."""
    write(store, settings_key, **changed)


KEY, SHARED = settings_key(cell_settings(attack="margin")), KEYS.get("votes", "votes")


def cells(folder: Path, act: Callable[[Store], None]) -> int:
    """A writer of one cell or entry is killed, and the same is done again."""
    template, results = folder / "template", folder / "r"
    store = Store.open(template)
    write_cell(store, attack="clean")
    write_cell(store, attack="margin")
    failed = cell_settings(attack="cw")
    store.write_failure(settings_key(failed), failed, "Oops: no", provenance={}, seconds=1)
    whole = folder / "whole"
    shutil.copytree(template, whole)
    act(Store.open(whole))

    def prepare() -> None:
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(template, results)

    def check() -> None:
        seen = Store.read(results, settings_key)
        found, damaged = seen.survey()
        assert not damaged, damaged
        for cell in found:
            if cell.status == "ok":
                assert seen.records(cell.key).image.tolist() == cell.settings["images"]
        assert len({cell.key for cell in found}) == len(found) <= 4
        again = Store.open(results)  # sweeps what the killed writer left
        act(again)
        assert names(results) == names(whole), (names(results), names(whole))
        assert again.survey()[1] == []
        assert len(again.cells()) == len(Store.read(whole).cells())

    return killed_at_each(results, prepare, lambda: act(Store.open(results)), check)


def renew(store: Store) -> None:
    """Other ceilings for a cell."""
    cell = store.cell(KEY)
    assert cell is not None
    store.renew_cell(cell, {"ceiling_samples": 5}, make_records(IMAGES).assign(ceiling=0.25))


def ask(store: Store) -> None:
    """One more request for a cell."""
    cell = store.cell(KEY)
    assert cell is not None
    store.ask(cell, {"images": 9, "options": []})


def adopt(store: Store) -> None:
    """A cell of a board."""
    cell = store.cell(KEY)
    assert cell is not None
    settings = cell_settings(attack="nes")
    from dataclasses import replace

    store.adopt_cell(replace(cell, key=settings_key(settings), settings=settings), make_records(IMAGES))


def fail(store: Store) -> None:
    """A failure in place of another."""
    failed = cell_settings(attack="cw")
    with store.writing(settings_key(failed)):
        store.write_failure(settings_key(failed), failed, "Again: no", provenance={}, seconds=1)


def again(store: Store) -> None:
    """A cell in place of itself, as a run does it."""
    with store.writing(KEY):
        write_cell(store, attack="margin")


def after_failure(store: Store) -> None:
    """A cell in place of its failure."""
    with store.writing(settings_key(cell_settings(attack="cw"))):
        write_cell(store, attack="cw")


def shared(store: Store) -> None:
    """What cells share, with a checkpoint before."""
    with store.turn(SHARED):
        store.write_partial(SHARED, {"votes": np.arange(3)})
        store.write_shared(SHARED, VOTES, {"votes": np.arange(6)})


def remove(store: Store) -> None:
    """A cell that is removed."""
    store.remove(KEY)


def board(folder: Path) -> int:
    """A publisher is killed over an older board; what is left is kept in `left`, and the same command mends it."""
    store = Store.open(folder / "r")
    for attack in ("clean", "margin"):
        write_cell(store, attack=attack, target="toy")
    store.write_shared(SHARED, VOTES, {"votes": np.arange(6)})
    older, output, newer = folder / "older", folder / "p", folder / "newer"

    def act(to: Path = output, created: str = "2026-01-02T00:00:00+00:00") -> None:
        publish(store, to, commit="abc", version="1", created=created, command=lambda asked: "run")
        published_arrays.export(store, store.cells(), to, lambda key, settings: True)

    # Imports and the like come now, not in each child.
    act(older, "2026-01-01T00:00:00+00:00")
    write_cell(store, attack="nes", epsilon=1.0, target="toy")
    act(newer)
    boards = [content(one) for one in (older, newer)]
    seen = itertools.count()

    def prepare() -> None:
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(older, output)

    def check() -> None:
        visible = {name: data for name, data in content(output).items() if not Path(name).name.startswith(".")}
        is_whole = any({**missing(visible, one), **visible} == one for one in boards)
        is_told = unfinished.is_marked(output)
        assert is_whole or is_told
        shutil.copytree(output, folder / "left" / f"{next(seen)}-{'told' if is_told else 'whole'}")
        act()
        assert content(output) == boards[1]

    def missing(visible: dict[str, bytes], one: dict[str, bytes]) -> dict[str, bytes]:
        """What cells share comes after the board, entry by entry, each whole."""
        return {name: data for name, data in one.items() if name.startswith("shared/") and name not in visible}

    return killed_at_each(output, prepare, act, check)


CELLS = {one.__name__: one for one in (renew, ask, adopt, fail, again, after_failure, shared, remove)}

if __name__ == "__main__":
    os.fsync = lambda descriptor: None
    for scenario in sys.argv[2:]:
        place = Path(sys.argv[1]) / scenario
        place.mkdir()
        print(scenario, board(place) if scenario == "board" else cells(place, CELLS[scenario]), flush=True)
