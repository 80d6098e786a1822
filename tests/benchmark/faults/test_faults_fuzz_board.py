"""Somebody else's published board, damaged or made to harm: adopted, verified and shown, or refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from benchmark_cases import cases
from faults_world import damages, edits, fresh, kept, make_world, sealed
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from benchmark.key import key_of, settings_key

Damage = Callable[[bytes], bytes]
Edit = Callable[[Any], Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="module")
def folder(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a board `p` is damaged and adopted into `a`, time and again."""
    return tmp_path_factory.mktemp("damaged")


def adopted(folder: Path) -> int:
    """Adopt the board; whatever is taken is shown and verified like any other results."""
    shutil.rmtree(folder / "a", ignore_errors=True)
    code = kept("adopt", "p", "--results", "a", folder=folder, writes=["a"])
    if code == 2:
        assert not (folder / "a").exists()
    else:
        kept("publish", "--results", "a", folder=folder, writes=["a"])
        kept("verify", "a", folder=folder)
    return code


@cases(40)
@given(damages())
def test_damaged_records(made: Path, folder: Path, damage: Damage):
    fresh(made / "p", folder / "p")
    path = folder / "p" / "records.parquet"
    path.write_bytes(damage(path.read_bytes()))
    adopted(folder)
    kept("verify", "p", folder=folder)


def with_texts(table: pa.Table, edit: Edit, is_rekeyed: bool) -> pa.Table:
    """The archive with other JSON in its first cell, whose key is right again if asked for."""
    texts = table["cell"].to_pylist()
    content = edit(json.loads(texts[0]))
    if is_rekeyed and isinstance(content, dict) and isinstance(content.get("settings"), dict):
        content["key"] = settings_key(content["settings"])
    changed = [json.dumps(content) if text == texts[0] else text for text in texts]
    return table.set_column(0, "cell", pa.array(changed, pa.large_string()))


@cases(40)
@given(edits(), st.booleans())
def test_edited_settings(made: Path, folder: Path, edit: Edit, is_rekeyed: bool):
    fresh(made / "p", folder / "p")
    path = folder / "p" / "records.parquet"
    parquet.write_table(with_texts(parquet.read_table(path), edit, is_rekeyed), path)
    adopted(folder)
    kept("compare", "p", "p", folder=folder)


COLUMNS = ["image", "label", "outcome", "first_votes", "p", "l2", "changed", "validity", "ceiling", "cell", "of_images"]
VALUES: list[Any] = [None, True, -1, 0, 7, 2**62, 0.5, -0.5, 1e308, float("nan"), float("inf"), [0], ["a"], {"a": 1}]
VALUES += ["", "valid", "over-budget", "\x1b[31m", "x" * 5000, "{}", "[]", "../../x", b"\xff\xfe"]


@cases(40)
@given(st.sampled_from(COLUMNS), st.sampled_from(VALUES), st.booleans())
def test_edited_columns(made: Path, folder: Path, name: str, value: Any, is_whole: bool):
    fresh(made / "p", folder / "p")
    path = folder / "p" / "records.parquet"
    table = parquet.read_table(path)
    values = table[name].to_pylist()
    values = [value] * len(values) if is_whole else [value, *values[1:]]
    try:
        column = pa.array(values) if is_whole else pa.array(values, table.schema.field(name).type)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return  # no column holds that
    parquet.write_table(table.set_column(table.column_names.index(name), name, column), path)
    adopted(folder)


@cases(40)
@given(damages(), st.sampled_from(["json", "npz"]))
def test_damaged_shared_files(made: Path, folder: Path, damage: Damage, suffix: str):
    fresh(made / "p", folder / "p")
    path = next((folder / "p" / "shared").glob(f"*.{suffix}"))
    path.write_bytes(damage(path.read_bytes()))
    adopted(folder)


@cases(40)
@given(damages(), edits(), st.booleans(), st.booleans())
def test_shared_files_that_are_sealed_again(
    made: Path, folder: Path, damage: Damage, edit: Edit, of_json: bool, named: bool
):
    fresh(made / "p", folder / "p")
    path = next((folder / "p" / "shared").glob("*.json"))
    arrays = path.with_suffix(".npz")
    content = json.loads(path.read_bytes())
    if of_json:
        content = edit(content)
    else:
        arrays.write_bytes(damage(arrays.read_bytes()))
    if named and isinstance(content, dict) and isinstance(content.get("settings"), dict):
        content["key"] = key_of(content["settings"])
        for old in (path, arrays):
            old.rename(old.with_stem(content["key"]))
        path, arrays = path.with_stem(content["key"]), arrays.with_stem(content["key"])
    path.write_bytes(sealed(content, arrays=arrays.read_bytes()))
    adopted(folder)


@cases(40)
@given(damages(), edits(), st.booleans())
def test_costs_at_the_sequential_predictor(made: Path, folder: Path, damage: Damage, edit: Edit, is_edited: bool):
    fresh(made / "p", folder / "p")
    path = folder / "p" / "sequential.json"
    data = path.read_bytes()
    path.write_bytes(sealed(edit(json.loads(data))) if is_edited else damage(data))
    adopted(folder)
    kept("verify", "p", folder=folder)


@cases(40)
@given(edits(), damages(), st.booleans())
def test_an_edited_json_of_a_board(made: Path, folder: Path, edit: Edit, damage: Damage, is_edited: bool):
    fresh(made / "p", folder / "p")
    (folder / "p" / "index.html").unlink()
    path = folder / "p" / "leaderboard.json"
    data = path.read_bytes()
    path.write_bytes(json.dumps(edit(json.loads(data))).encode() if is_edited else damage(data))
    kept("verify", "p", folder=folder)
    kept("publish", "--site", "site", "p", folder=folder, writes=["site"])
    kept("publish", "--results", made / "r", "--output", "p", folder=folder, writes=["p"])
    assert kept("verify", "p", folder=folder) in (0, 1)
