from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from html_pages import PUBLISHED, QUOTED, SCRIPT, embedded

import leaderboard.html.page as module
from leaderboard.html.columns import MAIN, MORE, packed, row_id, unpacked
from leaderboard.html.details import ABSTAINS, BINS, _answers
from leaderboard.row import ROUNDING


class Tags(HTMLParser):
    """Collects elements with their attributes, and text outside scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.stack = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.stack):
            self.text += data


def test_the_largest_board_is_under_a_megabyte(largest):
    assert largest.stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["hostile", "largest"])
def test_the_page_has_the_rows_of_the_json(name, request):
    page = request.getfixturevalue(name)
    rows = json.loads((page.parent / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    found = unpacked(embedded(page.read_text(encoding="utf-8"))["table"])
    old = {"query_budget": None} if name == "hostile" else {}  # rows of before there were image sets
    assert [{**old, **row} for row in found] == [{**old, "of_images": row["images"], **row} for row in rows]


def test_rows_go_into_a_table_and_come_back():
    rows = [{"a": 1, "b": None}, {"a": "x", "c": [1]}]
    assert unpacked(json.loads(json.dumps(packed(rows)))) == rows


def test_names_and_descriptions_are_text(hostile):
    page = hostile.read_text(encoding="utf-8")
    tags = Tags(page)
    assert [attributes for tag, attributes in tags.found if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    assert not [tag for tag, _ in tags.found if tag in {"b", "i-"}]
    assert SCRIPT in tags.text
    assert QUOTED in tags.text
    assert "odd|name" in tags.text
    assert {row["description"] for row in unpacked(embedded(page)["table"])} >= {SCRIPT, QUOTED}


@pytest.mark.parametrize("name", ["hostile", "largest"])
def test_nothing_is_loaded(name, request):
    page = request.getfixturevalue(name).read_text(encoding="utf-8")
    for tag, attributes in Tags(page).found:
        assert attributes.get("src", "data:").startswith("data:")
        if "href" in attributes and tag != "a":
            assert attributes["href"] == "data:,"
    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    for word in ("fetch(", "XMLHttpRequest", "import(", "@import", "url(", "WebSocket", "sendBeacon"):
        assert word not in page


def test_every_value_that_stands_in_a_column_is_in_rows(largest):
    rows = unpacked(embedded(largest.read_text(encoding="utf-8"))["table"])
    assert len(MAIN) == 8
    assert all(column.key in row for column in MAIN + MORE for row in rows)


def test_rows_have_names_of_their_own_for_links(largest):
    data = embedded(largest.read_text(encoding="utf-8"))
    assert len(set(data["ids"])) == len(data["ids"])
    assert data["ids"] == [row_id(row) for row in unpacked(data["table"])]
    # Links to a row work on every later board: its name depends on what it is of, by this rule.
    row = {"suite": "s", "target": "t", "attack": "a", "query_budget": None, "epsilon": 0.5, "n": 1000, "alpha": 0.001}
    assert row_id({**row, "seed": 0, "of_images": 200, "images": 200}) == "288e07c87c"


def test_what_rows_open_to_is_what_the_records_say(largest):
    data = embedded(largest.read_text(encoding="utf-8"))
    records = pd.read_parquet(PUBLISHED / "cifar10" / "records.parquet")
    place = ["target", "attack", "epsilon", "query_budget", "n"]
    groups = dict(list(records.groupby(place)))
    for row, detail in list(zip(unpacked(data["table"]), data["details"], strict=True))[::7]:
        own = groups[row["target"], row["attack"], row["epsilon"], row["query_budget"] or 0, row["n"]]
        own = own.sort_values("image")
        images = data["sets"][detail["set"]]
        assert images["images"] == own.image.tolist()
        assert images["labels"] == _answers(own.label.to_numpy())
        assert images["clean"] == _answers(own.clean_outcome.to_numpy())
        assert detail["answers"] == _answers(own.outcome.to_numpy())
        assert detail["answers"].count(ABSTAINS) == round(row["abstention_rate"] * row["images"])
        sent = own.l2[(own.validity == "valid") & own.changed & (own.l2 > ROUNDING)]
        assert detail["norms"] == np.histogram(np.minimum(sent, row["epsilon"]), BINS, (0, row["epsilon"]))[0].tolist()
        assert detail["sent"].count("v") == row["changed"] == sum(detail["norms"])
        assert row["attack"] in detail["command"]


def test_answers_of_many_classes_are_numbers():
    assert _answers(np.array([-1, 0, 10, 61])) == ".0aZ"
    assert _answers(np.array([-1, 62])) == [-1, 62]


def test_marks(hostile):
    page = " ".join(hostile.read_text(encoding="utf-8").split())
    assert page.count('<span class="tag">control</span>') == 4
    assert page.count('<span class="tag bad">failed</span>') == 1
    assert "partial: 2 of 10" in page
    assert "adopted</span>" not in page


def test_adopted_rows_are_marked(store, add, published):
    add({})
    held = store.cells()[0]
    store.adopt_cell(held, store.records(held.key))
    page = published().read_text(encoding="utf-8")
    assert page.count('<span class="tag">adopted</span>') == 1
    assert embedded(page)["facts"][0]["adopted"] == 1


def test_the_same_store_gives_the_same_page(board, published):
    first = published().read_bytes()
    assert published().read_bytes() == first


def test_old_boards_have_pages():
    for path in sorted(PUBLISHED.rglob("leaderboard.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        page = module.html(content)
        assert len(unpacked(embedded(page)["table"])) == len(content["rows"])
