"""The JSON beside a table: rows made with other settings are never mixed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.tables.sealed_settings import check, claim, seal, settings_file
from targets import InputError

SETTINGS = {"n": 100, "alpha": 0.001, "weights": "0" * 64}
ROWS = ["0\t3\t3\t1\t0:00:01", "10\t8\t-1\t0\t0:00:01", "9\t1\t1\t1\t0:00:02"]
HERE, THERE = {"device": "cpu"}, {"device": "cuda"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "cifar10-sigma0.50.certify.tsv"


def held(table: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(settings_file(table).read_text(encoding="utf-8"))
    return content


def test_it_lies_beside_the_table_and_holds_every_setting(table: Path):
    claim(table, [], SETTINGS, HERE)
    assert settings_file(table) == table.with_name("cifar10-sigma0.50.certify.json")
    sealed = {"rows": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    assert held(table) == {"project": "abstention-bench", "settings": SETTINGS, "made_by": [HERE], "sealed": sealed}
    assert list(table.parent.iterdir()) == [settings_file(table)]


def test_every_machine_that_made_rows_is_kept(table: Path):
    claim(table, [], SETTINGS, HERE)
    for facts, expected in ((HERE, [HERE]), (THERE, [HERE, THERE]), (HERE, [HERE, THERE]), (None, [HERE, THERE])):
        claim(table, ROWS, SETTINGS, facts)
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
    claim(table, [], SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    before = settings_file(table).read_bytes()
    with pytest.raises(InputError, match=words) as caught:
        claim(table, ROWS, {**SETTINGS, **change}, HERE)
    assert "\n" not in str(caught.value)
    assert settings_file(table).read_bytes() == before


def test_a_setting_that_is_gone_is_another_setting(table: Path):
    claim(table, [], SETTINGS, HERE)
    with pytest.raises(InputError, match=r"n 100 \(not None\)"):
        claim(table, ROWS, {name: SETTINGS[name] for name in ("alpha", "weights")}, HERE)


def test_without_rows_other_settings_begin_anew(table: Path):
    claim(table, [], SETTINGS, HERE)
    claim(table, [], {**SETTINGS, "n": 200}, THERE)
    assert held(table)["settings"]["n"] == 200
    assert held(table)["made_by"] == [THERE]


def test_a_table_without_one_is_left_alone(table: Path):
    table.write_text("mine, without a line's end", encoding="utf-8")
    with pytest.raises(InputError, match=r"no cifar10-sigma0.50.certify.json beside it says how it was made"):
        claim(table, [], SETTINGS, HERE)
    assert list(table.parent.iterdir()) == [table]


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{}", '{"project": "other", "settings": {}, "made_by": []}', '{"project": "abstention-bench"}'],
)
def test_somebody_elses_json_is_left_alone(table: Path, content: str):
    settings_file(table).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="does not say how a table was made; give another --output, or delete it"):
        claim(table, [], SETTINGS, HERE)
    assert settings_file(table).read_text(encoding="utf-8") == content


def test_one_that_an_editor_rewrote_is_read(table: Path):
    claim(table, [], SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    claim(table, ROWS, SETTINGS, HERE)
    content = settings_file(table).read_bytes()
    settings_file(table).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    claim(table, ROWS, SETTINGS, HERE)
    assert settings_file(table).read_bytes() == content


EDITS = {
    "a digit": [ROWS[0].replace("3", "4"), *ROWS[1:]],
    "a row deleted": ROWS[1:],
    "all deleted": [],
    "a row exchanged": [ROWS[0], "11\t8\t-1\t0\t0:00:01", ROWS[2]],
    "answers exchanged": [ROWS[0].replace("0", "9", 1), ROWS[1], ROWS[2].replace("9", "0", 1)],
    "one deleted, one added": [*ROWS[1:], "12\t8\t-1\t0\t0:00:01"],
}


@pytest.mark.parametrize("case", EDITS)
def test_sealed_rows_that_were_edited_are_refused_in_one_line(table: Path, case: str):
    claim(table, [], SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    seal(table, ROWS)
    before = settings_file(table).read_bytes()
    for again in (lambda lines: claim(table, lines, SETTINGS, HERE), lambda lines: seal(table, lines)):
        with pytest.raises(InputError, match=r"\.tsv was edited since it was written \(it") as caught:
            again(EDITS[case])
        assert str(caught.value).endswith(
            f"; delete it and {settings_file(table).name} to start again, or give another --output"
        )
    assert settings_file(table).read_bytes() == before


def test_rows_after_the_sealed_ones_and_sealed_rows_in_order_are_gone_on_with(table: Path):
    """What a killed writer leaves: rows that it appended, and a table that it sealed and put in order, or did not."""
    claim(table, [], SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    claim(table, ROWS[:1], SETTINGS, HERE)
    check(table, ROWS, SETTINGS)
    seal(table, ROWS)
    for lines in (ROWS, ROWS[::-1], [*ROWS, "12\t8\t-1\t0\t0:00:01"]):
        assert check(table, lines, SETTINGS) == [HERE]


def test_a_table_of_before_there_were_seals_is_gone_on_with_and_sealed(table: Path):
    claim(table, [], SETTINGS, HERE)
    table.write_text("rows", encoding="utf-8")
    content = held(table)
    del content["sealed"]
    settings_file(table).write_text(json.dumps(content), encoding="utf-8")
    claim(table, ROWS, SETTINGS, HERE)
    with pytest.raises(InputError, match=r"was edited since it was written \(it has 2 of 3 rows\)"):
        check(table, ROWS[:2], SETTINGS)


def test_a_table_that_was_deleted_is_begun_anew(table: Path):
    claim(table, [], SETTINGS, HERE)
    seal(table, ROWS)
    claim(table, [], SETTINGS, THERE)
    assert held(table)["made_by"] == [THERE]
