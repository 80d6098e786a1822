"""The answer on top, the command of a row, the strip of images, and the charts."""

from __future__ import annotations

import numpy as np
import pytest
from html_pages import command, embedded
from leaderboard_data import make_records, make_settings

from leaderboard import rows
from leaderboard.curves import epsilon_panels, query_panels
from leaderboard.drawn.numbers import percent
from leaderboard.html.charts import HEIGHT, over_epsilon, over_n, over_queries
from leaderboard.html.columns import filters
from leaderboard.html.commands import row_command
from leaderboard.html.overview import overview
from leaderboard.html.strip import LEVELS, MOST, encoded
from leaderboard.stored.cell import StoredCell

EIGHT = {"outcome": [-1] * 8 + [8, 9]}


def test_the_answer_is_the_row_that_rose_most(store, add, published):
    add(attack="clean", access="none", parameters={})
    add(EIGHT)
    add({"outcome": -1}, attack="best-of white-box")
    glance = overview(rows(store))
    assert glance.strongest["attack"] == "margin"
    assert glance.is_shown
    assert [name for name, _ in glance.panels[0].lines] == ["margin", "clean"]
    page = " ".join(published().read_text(encoding="utf-8").split())
    assert "<strong>Yes.</strong> Within ℓ2 distance 1, margin (white-box) makes toy-sigma0.50 abstain" in page
    assert "<strong>80.0%</strong> of 10 images (95% interval 44.4 to 97.5%), up from 0.0% unattacked" in page
    assert "no attack can exceed 50.0% on average" in page


def test_an_answer_within_chance_says_so(store, add, published):
    add({"outcome": [-1, *range(1, 10)]})
    assert not overview(rows(store)).is_shown
    assert "Not shown here." in published().read_text(encoding="utf-8")


def test_only_controls_are_no_answer(store, add, published):
    add(attack="clean", access="none", parameters={})
    assert overview(rows(store)).strongest is None
    assert "No attack has run to the end" in published().read_text(encoding="utf-8")


def test_where_the_ceiling_is_vacuous_another_row_answers(store, add):
    add(EIGHT | {"ceiling": 1.0})
    add({"outcome": [-1] * 7 + [7, 8, 9], "ceiling": 0.7}, target="toy-sigma1.00", sigma=1.0)
    assert overview(rows(store)).strongest["target"] == "toy-sigma1.00"


def test_of_many_attacks_the_picture_has_the_strongest_of_each_access(store, add):
    for place in range(9):
        add(
            {"outcome": [-1] * place + list(range(place, 10))},
            attack=f"a{place}",
            access=("score", "white-box")[place % 2],
        )
    glance = overview(rows(store))
    assert [name for name, _ in glance.panels[0].lines] == ["a8", "a7"]
    assert not glance.is_all


def test_filters_have_every_value(board):
    found = {filter_.key: filter_.values for filter_ in filters(rows(board))}
    assert list(found) == ["suite", "target", "access", "epsilon", "n", "query_budget"]
    assert found["epsilon"] == [("0.5", "0.5"), ("1", "1")]
    assert found["query_budget"] == [("none", "no limit")]


def cell(asked=(), **settings):
    return StoredCell("k", make_settings(**settings), "ok", None, {}, "2024", 1.0, 0, asked=list(asked))


def test_a_rows_command_says_what_its_run_was_asked_for():
    options = "--suite toy.toml --plugin p.py --plugin q.py --targets a b --attacks margin cw --images 50"
    options += " --set margin.steps=3 cw.steps=4 --query-budgets 10 30 --no-best-of"
    found = row_command(cell([{"images": 50, "options": options.split()}], query_budget=30), 50, command)
    assert found.startswith("bench run --suite toy.toml --plugin p.py --plugin q.py --targets toy-sigma0.50")
    assert "--attacks margin --" in found
    assert "--set margin.steps=3" in found
    assert "cw" not in found
    assert "--query-budgets 30 --" in found
    for words in ("--epsilons 1", "--images 50", "--samples 1000", "--alpha 0.001", "--seed 0", "--no-best-of"):
        assert words in found


def test_a_best_of_row_runs_its_attacks():
    found = row_command(cell(attack="best-of score", parameters={"attacks": "nes, zoo"}), 10, command)
    assert "--suite toy --targets toy-sigma0.50 --attacks nes zoo" in found


@pytest.mark.parametrize(("data", "is_there"), [("digits", True), ("cifar10", False)])
def test_only_embedded_images_are_on_the_page(store, published, data, is_there):
    images = list(range(10))
    originals = np.linspace(0, 1, 640).reshape(10, 1, 8, 8)
    for attack, access, shift, outcome in (
        ("clean", "none", 0, images),
        ("margin", "white-box", 0.25, [0, -1, *images[2:]]),
    ):
        settings = make_settings(attack=attack, access=access, data=data)
        records = make_records(images, outcome=outcome, changed=bool(shift), l2=shift)
        store.write_cell(attack, settings, records, originals + shift, provenance={}, seconds=1.0)
    found = embedded(published().read_text(encoding="utf-8"))
    [margin, clean] = found["details"]
    assert "strip" not in clean
    assert ("strip" in margin) == is_there == bool(found["originals"])
    if is_there:
        strip = margin["strip"]
        assert len(strip) == MOST
        assert strip[0]["at"] == 1  # the one that fell
        assert strip[0]["clean"] == [1, 800, 2, 150]
        assert strip[0]["votes"] == [0, 450, 1, 450]
        assert found["originals"]["1"] == encoded(originals[1])
        assert strip[0]["pixels"] == encoded(np.clip(originals[1] + 0.25, 0, 1))


def test_pixels_are_written_by_their_level():
    assert encoded(np.array([[[0.0, 1.0], [0.5, 7.0]]])) == "A_" + LEVELS[32] + "_"


def test_charts_have_a_text_for_every_tick(board):
    panels = epsilon_panels(rows(board))
    [first, second] = over_epsilon(panels)
    assert first.title == "toy-sigma0.50"
    assert [words for _, words in first.ticks] == ["0", "0.5", "1"]
    assert all(len(series.cells) == 3 for chart in (first, second) for series in chart.series)
    assert dict(first.shared)["ceiling"][1:] == [percent(proof["ceiling"]) for proof in panels[0]["ceiling"]]
    assert all(0 <= point.y <= HEIGHT for series in first.series for point in series.points)


def test_charts_over_queries(store, add):
    for budget in (10, 100):
        add({"outcome": -1} if budget > 10 else {}, attack="zoo", access="score", query_budget=budget)
    [chart] = over_queries(query_panels(rows(store)))
    assert [words for _, words in chart.ticks] == ["10", "100"]
    assert chart.series[0].cells == ["0.0% [0.0, 30.8]", "100.0% [69.2, 100.0]"]


def test_charts_over_n(store, add):
    assert over_n(rows(store)) == []
    add({"ceiling": 0.5}, n=100)
    add({"outcome": -1, "ceiling": 0.75}, n=1000)
    add({}, n=1000, attack="once")
    [chart] = over_n(rows(store))
    assert [words for _, words in chart.ticks] == ["100", "1,000"]
    assert [series.name for series in chart.series] == ["margin"]
    assert chart.shared == [("unattacked", ["0.0%", "0.0%"]), ("ceiling", ["50.0%", "75.0%"])]
