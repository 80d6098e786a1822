"""Re-evaluated, adopted and submitted rows: on the board and on the page, never mixed with attacked ones."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from leaderboard import Store, matrices, publish, rows, terminal
from leaderboard.drawn.landed import landed_section, landed_tables, landed_text
from leaderboard.sources import MARKS, attacked, legend, mark
from leaderboard.stored.archive import adopt, read

KNOWN = {"n": 1000, "alpha": 0.001, "seed": 0}


@pytest.fixture
def again(store: Store, add) -> Store:
    """An attack at two n; what it landed for the smaller, scored at the larger; and a submission."""
    add({"outcome": [-1] * 5 + [5, 6, 7, 8, 9]}, of=[10])
    add({"outcome": [-1] * 4 + [4, 5, 6, 7, 8, 9]}, of=[10], n=10_000)
    add({"outcome": [-1, *range(1, 10)]}, of=[10], n=10_000, landed_for=KNOWN, origin="cell-0000")
    made = {"attack": "mine", "access": "submitted", "submitted": "ab" * 32, "evaluation_seed": 5}
    add({"outcome": [-1] * 3 + [3, 4, 5, 6, 7, 8, 9]}, of=[10], **made)
    return store


def page(store: Store, output: Path) -> str:
    publish(store, output, commit="c", version="1", created="2024-01-01T00:00:00+00:00", command=lambda asked: "it")
    return (output / "LEADERBOARD.md").read_text(encoding="utf-8")


def test_a_re_evaluated_row_is_a_row_of_its_own_and_unranked(again):
    found = {(row["attack"], row["n"], row["source"]): row for row in rows(again)}
    assert len(found) == 4
    row, own = found["margin", 10_000, "re-evaluated"], found["margin", 10_000, "computed"]
    assert (row["abstention_rate"], row["rank"], row["landed_for"]) == (0.1, None, KNOWN)
    assert (own["abstention_rate"], own["rank"]) == (0.4, 1)
    assert "landed_for" not in own
    assert found["mine", 1000, "submitted"]["submitted"] == "ab" * 32
    assert found["mine", 1000, "submitted"]["rank"] == 2
    assert [row["source"] for row in attacked(rows(again))].count("re-evaluated") == 0


def test_shards_of_several_origins_make_one_row(store, add):
    for origin, images in (("a", [0, 2]), ("b", [1, 3])):
        add({"outcome": -1}, of=[4], images=images, landed_for=KNOWN, origin=origin, n=10_000)
    (row,) = rows(store)
    assert (row["images"], row["status"]) == (4, "ok")


def test_both_stand_side_by_side(again):
    (table,) = landed_tables(rows(again))
    assert table.headers == ["attack", "landed for", "n = 1,000, α = 0.001", "n = 10,000, α = 0.001"]
    names = [(line[0], line[1]) for line in table.lines]
    assert names == [
        ("margin", "n = 1,000, α = 0.001"),
        ("margin", "n = 10,000, α = 0.001"),
        ("clean rate", ""),
        ("ceiling", ""),
    ]
    assert table.lines[0][2].startswith("50.0% [")
    assert table.lines[0][3].startswith("10.0% [")
    assert table.lines[0][3].endswith("ʳ")
    assert table.lines[1][2:] == ["—", "40.0% [12.2, 73.8]"]
    assert "landed for another n" in landed_text(rows(again))


def test_without_re_evaluated_rows_there_is_no_section(board):
    assert landed_section(rows(board)) == []
    assert landed_text(rows(board)) == ""


def test_the_page_has_the_section_and_its_other_tables_have_attacked_rows_alone(again, tmp_path):
    text = page(again, tmp_path / "out")
    before, section = text.split("## Landed for this n, and for another")
    assert "10.0% [" not in before
    assert "| margin | n = 1,000, α = 0.001 | 50.0% [18.7, 81.3] | 10.0% [0.3, 44.5]ʳ |" in section
    assert "mineˢ" in before
    assert "- **ˢ**: images made by somebody else's program" in before
    content = json.loads((tmp_path / "out" / "leaderboard.json").read_text(encoding="utf-8"))
    assert content["schema_version"] == 4
    assert sorted(row["source"] for row in content["rows"]) == ["computed", "computed", "re-evaluated", "submitted"]


def test_the_web_page_has_the_same_table(again, tmp_path):
    page(again, tmp_path / "b")
    text = (tmp_path / "b" / "index.html").read_text(encoding="utf-8")
    [one] = landed_tables(rows(again))
    section = text.partition('id="landed-title"')[2].partition("</section>")[0]
    assert one.title in section
    for cell in [cell for line in one.lines for cell in line if cell]:
        assert f">{cell}<" in section


def test_the_records_say_for_which_n_images_landed(again, tmp_path):
    page(again, tmp_path / "out")
    records = pd.read_parquet(tmp_path / "out" / "records.parquet")
    found = records.groupby(["attack", "n", "landed_for"]).size()
    assert found["margin", 10_000, "n = 1000, alpha = 0.001, seed 0"] == 10
    assert found["margin", 10_000, ""] == 10


def test_adopted_rows_are_marked_and_the_others_stay_what_they_are(again, tmp_path):
    page(again, tmp_path / "out")
    other = Store.open(tmp_path / "other")
    keys = {json.dumps(cell.settings, sort_keys=True): cell.key for cell in again.cells()}
    adopt(other, read(tmp_path / "out" / "records.parquet", lambda s: keys[json.dumps(s, sort_keys=True)]))
    found = rows(other)
    assert sorted(row["source"] for row in found) == ["adopted", "adopted", "re-evaluated", "submitted"]
    assert mark(attacked(found)) == MARKS["adopted"] + MARKS["submitted"]
    assert [line[0] for line in legend(found)] == ["ᵃ", "ʳ", "ˢ"]
    for text in (terminal(attacked(found)), matrices(attacked(found))):
        assert "marginᵃ" in text
        assert "ᵃ: adopted from a published board" in text


def test_a_row_of_an_older_board_has_no_mark():
    assert mark([{"attack": "margin"}]) == ""  # type: ignore[list-item]
