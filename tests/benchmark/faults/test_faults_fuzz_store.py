"""A results folder, damaged or made to harm: every command on it ends as it promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmark_cases import cases
from faults_world import damages, edits, fresh, kept, make_world, sealed
from hypothesis import given
from hypothesis import strategies as st

from benchmark.key import key_of, settings_key

COMMANDS: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("show", "--results", "r"), ()),
    (("verify", "r"), ()),
    (("publish", "--results", "r"), ("r",)),
    (("publish", "--results", "r", "--output", "new", "--shared"), ("new",)),
    (("compare", "clean", "margin", "--results", "r"), ()),
    (("remove", "--suite", "*", "--shared", "--yes", "--results", "r"), ("r",)),
    (("remove", "--damaged", "--yes", "--results", "r"), ("r",)),
    (("remove", "--images", "3", "--yes", "--results", "r"), ("r",)),
    (("adopt", "p", "--results", "r"), ("r",)),
    (("reevaluate", "--samples", "20000", "--results", "r", "--quiet"), ("r",)),
]
commands = st.sampled_from(COMMANDS)
Command = tuple[tuple[str, ...], tuple[str, ...]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def folder(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    fresh(made / "p", folder / "p")
    return folder


def some_file(folder: Path, number: int) -> Path:
    found = sorted(path for path in (folder / "r").rglob("*") if path.is_file())
    return found[number % len(found)]


@cases(80)
@given(commands, damages(), st.integers(0, 100))
def test_any_file_damaged(made: Path, folder: Path, asked: Command, damage: Callable[[bytes], bytes], number: int):
    fresh(made / "r", folder / "r")
    path = some_file(folder, number)
    path.write_bytes(damage(path.read_bytes()))
    kept(*asked[0], folder=folder, writes=asked[1])


@cases(80)
@given(commands, edits(), st.integers(0, 100), st.booleans())
def test_any_json_edited_and_sealed_again(
    made: Path, folder: Path, asked: Command, edit: Callable[[Any], Any], number: int, is_renamed: bool
):
    fresh(made / "r", folder / "r")
    found = sorted((folder / "r").rglob("*.json"))
    path = found[number % len(found)]
    content = edit(json.loads(path.read_bytes()))
    if is_renamed and isinstance(content, dict) and isinstance(content.get("settings"), dict):
        key = (settings_key if path.parent.name == "cells" else key_of)(content["settings"])
        content["key"] = key
        for old in path.parent.glob(f"{path.stem}.*"):
            old.rename(old.with_name(f"{key}{old.suffix}"))
        path = path.with_stem(key)
    path.write_bytes(json.dumps(content).encode() if path.name == "store.json" else sealed(content))
    kept(*asked[0], folder=folder, writes=asked[1])


@cases(40)
@given(commands, st.integers(0, 100), st.sampled_from(["gone", "folder", "empty", "link"]))
def test_any_file_that_is_none(made: Path, folder: Path, asked: Command, number: int, what: str):
    fresh(made / "r", folder / "r")
    path = some_file(folder, number)
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif what == "link":
        path.symlink_to("nowhere")
    kept(*asked[0], folder=folder, writes=asked[1])
