"""The file of measured costs: what was written is read, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from leaderboard.errors import StoreError
from leaderboard.stored import digest
from leaderboard.stored.sequential import NAME, Drawn, add, merged, read, to_json

ONE = Drawn("a1", 1000, 0.001, [3, -1], [100, 1000], [3, 4], [25, 50])
TWO = replace(ONE, cell="b2")


def test_what_is_written_is_read(tmp_path: Path):
    assert read(tmp_path) == []
    add(tmp_path, [TWO])
    add(tmp_path, [ONE])
    assert read(tmp_path) == [ONE, TWO]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_is_newer_replaces_unless_it_is_adopted(tmp_path: Path):
    newer, other = replace(ONE, drawn=[25, 25]), replace(ONE, n=5000)
    add(tmp_path, [ONE])
    add(tmp_path, [newer, other], is_newer=False)
    assert read(tmp_path) == [ONE, other]
    add(tmp_path, [newer])
    assert read(tmp_path) == [newer, other]
    assert merged([ONE], []) == [ONE]


def sealed(content: dict[str, Any]) -> bytes:
    """As somebody would write it who knows how digests are made."""
    content.pop(digest.FIELD, None)
    return json.dumps(digest.sealed(content)).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outcome": [3]}, "outcome is no list of 2 whole numbers"),
        ({"outcome": [3, -2]}, "outcome is not from -1"),
        ({"drawn": [100, 1001]}, "drawn is not from 1 to 1,000"),
        ({"drawn": [0, 1]}, "drawn is not from 1 to 1,000"),
        ({"clean_drawn": [1.5, 2]}, "drawn is no list"),
        ({"clean_drawn": [True, 2]}, "drawn is no list"),
        ({"drawn": []}, "0 images"),
        ({"drawn": 5}, "TypeError"),
        ({"n": 0}, "n is 0"),
        ({"n": "many"}, "n is 'many'"),
        ({"alpha": 1.0}, "alpha is 1.0"),
        ({"alpha": None}, "alpha is None"),
        ({"cell": "../../etc"}, "is no cell's key"),
        ({"cell": 5}, "is no cell's key"),
        ({"more": 1}, "other fields"),
    ],
)
def test_what_nothing_can_have_measured_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any], reason: str):
    content = json.loads(to_json([ONE]))
    content["cells"] = [{**asdict(ONE), **change}]
    (tmp_path / NAME).write_bytes(sealed(content))
    with pytest.raises(StoreError, match="remove it and measure again") as caught:
        read(tmp_path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_was_edited_is_another_s_or_is_no_json_is_refused(tmp_path: Path):
    good = to_json([ONE, TWO])
    content = json.loads(good)
    bad = [
        b"",
        b"[]",
        b"[" * 100_000,
        good[:-9],
        good.replace(b"[100,", b"[101,", 1),
        sealed({**content, "project": "another"}),
        sealed({**content, "schema_version": 2}),
        sealed({**content, "cells": content["cells"] * 2}),
        sealed({**content, "cells": [5]}),
        json.dumps({**content, "digests": {}}).encode(),
    ]
    for data in bad:
        (tmp_path / NAME).write_bytes(data)
        with pytest.raises(StoreError, match="sequential"):
            read(tmp_path)
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(StoreError):
        read(tmp_path)
