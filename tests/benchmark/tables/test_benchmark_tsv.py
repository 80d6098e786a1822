"""The field's tables: columns and rounding, and what of a file counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchmark.tables.tsv import CERTIFY, PREDICT, Row, append, mend, read
from targets import InputError

ROWS = [
    Row(0, 3, 3, "0:00:01.250000", 0.123456),
    Row(20, 8, 8, "0:00:01", 0.0),
    Row(40, 8, -1, "1 day, 0:00:00", 0.0),
    Row(60, 0, 1, "0:00:00.000010", 1.0),
]
LINES = [
    "idx\tlabel\tpredict\tradius\tcorrect\ttime",
    "0\t3\t3\t0.123\t1\t0:00:01.250000",
    "20\t8\t8\t0.0\t1\t0:00:01",
    "40\t8\t-1\t0.0\t0\t1 day, 0:00:00",
    "60\t0\t1\t1.0\t0\t0:00:00.000010",
]


def test_lines_are_those_of_cohens_code(tmp_path: Path):
    path = tmp_path / "t.tsv"
    mend(path, CERTIFY)
    append(path, ROWS[:3])
    append(path, ROWS[3:])
    assert path.read_bytes() == ("\n".join(LINES) + "\n").encode()


@pytest.mark.parametrize("radius", [0.0, 0.25, 1.2345, 12.345, 0.00012345, 1e-5, 1.9996])
def test_radii_are_formatted_as_in_cohens_code(radius: float):
    # The very expressions of its certify.py.
    time = str(timedelta(seconds=1.5))
    expected = "{}\t{}\t{}\t{:.3}\t{}\t{}".format(7, 3, 3, radius, int(True), time)  # noqa: UP032
    assert Row(7, 3, 3, time, radius).line() == expected


def test_predictions_have_no_radius(tmp_path: Path):
    path = tmp_path / "t.tsv"
    mend(path, PREDICT)
    rows = [Row(5, 1, 1, "0:00:01"), Row(6, 1, -1, "0:00:02")]
    append(path, rows)
    assert path.read_text(encoding="utf-8") == (
        "idx\tlabel\tpredict\tcorrect\ttime\n5\t1\t1\t1\t0:00:01\n6\t1\t-1\t0\t0:00:02\n"
    )
    assert read(path, PREDICT) == rows


def test_what_is_read_is_what_the_file_says(tmp_path: Path):
    path = tmp_path / "t.tsv"
    assert read(path, CERTIFY) == []
    mend(path, CERTIFY)
    assert read(path, CERTIFY) == []
    append(path, ROWS)
    rounded = [Row(0, 3, 3, "0:00:01.250000", 0.123), *ROWS[1:]]
    assert read(path, CERTIFY) == rounded


def test_a_table_cut_at_any_byte_keeps_its_whole_lines(tmp_path: Path):
    path = tmp_path / "t.tsv"
    mend(path, CERTIFY)
    append(path, ROWS[:2])
    whole, rows = path.read_bytes(), read(path, CERTIFY)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = max(0, whole[:length].count(b"\n") - 1)
        assert read(path, CERTIFY) == rows[:kept]
        mend(path, CERTIFY)
        assert path.read_bytes() == "".join(f"{line}\n" for line in LINES[: kept + 1]).encode()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["idx\tlabel\tpredict\tcorrect\ttime"], "is not a table with columns idx label predict radius correct time"),
        (["Dear diary,"], "is not a table"),
        ([LINES[0], "0\t3\t3\t0.123\t1"], "line 2 of .* is not a row"),
        ([LINES[0], LINES[1], "20\t8\t8\tfar\t1\t0:00:01"], "line 3 of .* is not a row"),
        ([LINES[0], "0\t3\t3\t0.123\t0\t0:00:01"], "line 2 of .* is not a row"),  # 3 is the right answer
        ([LINES[0], "0\t3\t3\t0.12345\t1\t0:00:01"], "line 2 of .* is not a row"),  # no rounding of ours
        ([LINES[0], LINES[1], ""], "line 3 of .* is not a row"),
        ([LINES[0], LINES[1], LINES[2], "0\t3\t4\t0.123\t0\t0:00:01"], "line 4 of .* holds another answer for image 0"),
    ],
)
def test_another_file_is_refused_in_one_line_and_left_alone(tmp_path: Path, lines: list[str], words: str):
    path = tmp_path / "t.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(InputError, match=words) as caught:
        read(path, CERTIFY)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_bytes_that_are_no_text_and_folders_are_refused(tmp_path: Path):
    (tmp_path / "t.tsv").write_bytes(b"\xff\xfe\n\x00\n")
    with pytest.raises(InputError, match="is not a table"):
        read(tmp_path / "t.tsv", CERTIFY)
    with pytest.raises(InputError, match=r"cannot read .*; give another --output"):
        read(tmp_path, CERTIFY)


def test_a_table_that_cannot_be_written_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"cannot write .*: No such file or directory"):
        append(tmp_path / "absent" / "t.tsv", ROWS)


def test_two_writers_that_came_to_the_same_answers_leave_one_row_an_image(tmp_path: Path):
    path = tmp_path / "t.tsv"
    mend(path, CERTIFY)
    append(path, ROWS)
    append(path, [replace(row, time="0:00:09") for row in ROWS])
    whole = read(path, CERTIFY)
    assert [row.idx for row in whole] == [row.idx for row in ROWS]
    mend(path, CERTIFY)
    assert path.read_text(encoding="utf-8").count("\n") == 1 + len(ROWS)
    assert read(path, CERTIFY) == whole


@pytest.mark.parametrize(("before", "end"), [("", "\r\n"), ("\ufeff", "\n"), ("\ufeff", "\r\n")])
def test_a_table_that_git_or_an_editor_rewrote_is_gone_on_with(tmp_path: Path, before: str, end: str):
    path = tmp_path / "t.tsv"
    path.write_bytes((before + end.join(LINES[:4]) + end + LINES[4][:7]).encode())
    assert [row.line() for row in read(path, CERTIFY)] == LINES[1:4]
    mend(path, CERTIFY)
    append(path, ROWS[3:])
    assert path.read_bytes() == ("\n".join(LINES) + "\n").encode()


def test_abstain_is_never_the_true_label():
    """Whatever a label says: a table may be older than the check of the labels."""
    assert Row(5, 1, 1, "0:00:01").correct
    assert not Row(5, -1, -1, "0:00:01").correct
    assert Row(5, -1, -1, "0:00:01").line() == "5\t-1\t-1\t0\t0:00:01"
