"""The JSON beside a table: rows made with other settings are never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.companion import claim, companion
from targets import InputError

SETTINGS = {"n": 100, "alpha": 0.001, "weights": "0" * 64}
HERE, THERE = {"device": "cpu"}, {"device": "cuda"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "cifar10-sigma0.50.certify.tsv"


def held(table: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(companion(table).read_text(encoding="utf-8"))
    return content


def test_it_lies_beside_the_table_and_holds_every_setting(table: Path):
    claim(table, False, SETTINGS, HERE)
    assert companion(table) == table.with_name("cifar10-sigma0.50.certify.json")
    assert held(table) == {"project": "abstention-bench", "settings": SETTINGS, "made_by": [HERE]}
    assert list(table.parent.iterdir()) == [companion(table)]


def test_every_machine_that_made_rows_is_kept(table: Path):
    claim(table, False, SETTINGS, HERE)
    for facts, expected in ((HERE, [HERE]), (THERE, [HERE, THERE]), (HERE, [HERE, THERE]), (None, [HERE, THERE])):
        claim(table, True, SETTINGS, facts)
        assert held(table)["made_by"] == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 200}, r"was made with n 100 \(not 200\); give another --output, or delete it"),
        ({"n": 200, "alpha": 0.01}, r"alpha 0.001 \(not 0.01\), n 100 \(not 200\)"),
        ({"weights": "1" * 64}, "was made with other weights;"),
        ({"seed": 1}, r"seed None \(not 1\)"),
    ],
)
def test_other_settings_are_refused_in_one_line(table: Path, change: dict[str, Any], words: str):
    claim(table, False, SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    before = companion(table).read_bytes()
    with pytest.raises(InputError, match=words) as caught:
        claim(table, True, {**SETTINGS, **change}, HERE)
    assert "\n" not in str(caught.value)
    assert companion(table).read_bytes() == before


def test_a_setting_that_is_gone_is_another_setting(table: Path):
    claim(table, False, SETTINGS, HERE)
    with pytest.raises(InputError, match=r"n 100 \(not None\)"):
        claim(table, True, {name: SETTINGS[name] for name in ("alpha", "weights")}, HERE)


def test_without_rows_other_settings_begin_anew(table: Path):
    claim(table, False, SETTINGS, HERE)
    claim(table, False, {**SETTINGS, "n": 200}, THERE)
    assert held(table)["settings"]["n"] == 200
    assert held(table)["made_by"] == [THERE]


def test_a_table_without_one_is_left_alone(table: Path):
    table.write_text("mine, without a line's end", encoding="utf-8")
    with pytest.raises(InputError, match=r"no cifar10-sigma0.50.certify.json beside it says how it was made"):
        claim(table, False, SETTINGS, HERE)
    assert list(table.parent.iterdir()) == [table]


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{}", '{"project": "other", "settings": {}, "made_by": []}', '{"project": "abstention-bench"}'],
)
def test_somebody_elses_json_is_left_alone(table: Path, content: str):
    companion(table).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="does not say how a table was made; give another --output, or delete it"):
        claim(table, False, SETTINGS, HERE)
    assert companion(table).read_text(encoding="utf-8") == content


def test_one_that_an_editor_rewrote_is_read(table: Path):
    claim(table, False, SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    content = companion(table).read_bytes()
    companion(table).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    claim(table, True, SETTINGS, HERE)
    assert companion(table).read_bytes() == content
