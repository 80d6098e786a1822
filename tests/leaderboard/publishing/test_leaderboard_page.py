from __future__ import annotations

import json
import re

import numpy as np
import pytest
from leaderboard_data import make_records, make_settings, texts

from leaderboard import Store, StoreError, publish, rows, terminal
from leaderboard.curves import epsilon_panels
from leaderboard.drawn.numbers import number, p_value, percent
from leaderboard.drawn.picture import svg

REQUIRED = {
    "suite",
    "target",
    "sigma",
    "attack",
    "access",
    "epsilon",
    "query_budget",
    "n",
    "alpha",
    "images",
    "ceiling_samples",
    "status",
    "abstention_rate",
    "abstention_low",
    "abstention_high",
    "clean_abstention_rate",
    "mcnemar_p",
    "accuracy",
    "clean_accuracy",
    "confident_wrong_rate",
    "valid_rate",
    "l2_mean",
    "l2_median",
    "l2_max",
    "queries_mean",
    "forward_samples_mean",
    "backward_samples_mean",
    "seconds_per_image",
    "ceiling",
}


HALF = [-1] * 5 + [5, 6, 7, 8, 9]


def make(store, output, suites=None, force=False):
    return publish(
        store,
        output,
        commit="abc123",
        version="0.1.0",
        created="2024-01-01T00:00:00Z",
        command=lambda asked: f"run {asked['suite']} {asked['n']}",
        suites=suites,
        force=force,
    )


def test_publish_writes_page_data_and_pictures(board, tmp_path):
    paths = make(board, tmp_path / "deep" / "published")
    names = ["LEADERBOARD.md", "leaderboard.json", "records.parquet", "board.svg", "standings.svg"]
    names += ["curves-epsilon.svg", "index.html"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(names)


def test_curves_are_drawn_where_there_is_something_to_draw(store, add, tmp_path):
    add(attack="zoo", access="score", query_budget=10)
    assert "curves-queries.svg" not in {path.name for path in make(store, tmp_path)}
    assert "## Curves" not in (tmp_path / "LEADERBOARD.md").read_text(encoding="utf-8")
    add({"outcome": -1}, attack="zoo", access="score", query_budget=30)
    assert "curves-queries.svg" in {path.name for path in make(store, tmp_path)}
    page = (tmp_path / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "](curves-queries.svg)" in page
    assert "curves-epsilon.svg" not in page
    assert "| toy-sigma0.50 | 1.0 | score | zoo | 0.0% | 0.0% | 100.0% | 50.0% | 200.0% |" in page
    add(suite="another", epsilon=1.0)
    make(store, tmp_path, suites=["another"], force=True)  # in the place of the earlier board
    assert not (tmp_path / "curves-queries.svg").exists()


def test_one_suite_of_several(store, add, tmp_path):
    add(suite="toy")
    add({"outcome": 3, "certified_radius": 9.0}, suite="other", target="other-target")
    paths = {path.name: path for path in make(store, tmp_path, suites=["toy"])}
    data, picture = paths["leaderboard.json"], paths["board.svg"]
    content = json.loads(data.read_text(encoding="utf-8"))
    assert [row["suite"] for row in content["rows"]] == ["toy"]
    assert [machine["suite"] for machine in content["machines"]] == ["toy"]
    assert "other" not in picture.read_text(encoding="utf-8")
    assert content["audit"]["images"] == 20  # of the whole store, whatever is shown
    assert content["audit"]["flips_inside_radius"] == 9
    assert store.suites() == ["other", "toy"]


def test_json_is_an_object_of_the_same_rows_without_nan(board, tmp_path):
    def refuse(constant):
        raise AssertionError(constant)

    _, data, *_ = make(board, tmp_path)
    content = json.loads(data.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["schema_version"] == 4
    assert (content["project"], content["version"]) == ("abstention-bench", "0.1.0")
    assert (content["commit"], content["created"]) == ("abc123", "2024-01-01T00:00:00Z")
    assert content["rows"] == rows(board)
    assert content["curves"] == {"epsilon": epsilon_panels(rows(board)), "queries": []}
    for row in content["rows"]:
        assert set(row) >= REQUIRED


def test_publishing_twice_gives_the_same_bytes(board, tmp_path):
    once = [path.read_bytes() for path in make(board, tmp_path / "once")]
    again = [path.read_bytes() for path in make(Store.read(board.folder), tmp_path / "again")]
    assert once == again


def test_page_says_what_it_must(board, tmp_path):
    page = make(board, tmp_path)[0].read_text(encoding="utf-8")
    flat = " ".join(page.split())
    for text in (
        "commit `abc123`",
        "seed 0",
        "n = 1,000, α = 0.001",
        "over valid images that the attack changed",
        "![Abstention rate of every attack on every target, with clean rate and ceiling](board.svg)",
        "60.0% [26.2, 87.8]",
        "0.0% (2 over budget)",
        "| *certified ceiling* |",
        "`RuntimeError: no \\| luck`",
        '`mode="a\\|b"`',
        "odd\\|name",
        "Left out: 1 stored cells that cells of newer settings replace.",
        "and **0** got another confident answer",
        "No row of this page shows more",
        "- `run toy 1000`: 12 cells in 12 s on a machine that was not recorded",
        "clean 0.0%, 10 images",
        "| 0.5 | 60.0% margin | 90.0% | 66.7% |",
    ):
        assert text in flat, text
    assert "nan" not in page.lower()
    assert "None" not in page


def test_every_table_is_rectangular(board, tmp_path):
    page = make(board, tmp_path)[0].read_text(encoding="utf-8")
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_a_broken_certificate_is_named(store, add, tmp_path):
    add({"outcome": 3, "certified_radius": 9.0})
    page = " ".join(make(store, tmp_path)[0].read_text(encoding="utf-8").split())
    assert "**10** images. Of these, 10 were sent from inside" in page
    assert "and **9** got another confident answer." in page
    assert "Binomial(10, 2α) would stay within **1** in 99.9% of runs" in page
    assert "at n = 1,000, α = 0.001 are of 1 target, 1 attack, 1 ε, 10 images." in page
    assert "This is more than α allows" in page
    assert "certificate or its use is broken**: margin on toy-sigma0.50 at ε = 1.0: 9 of 1 allowed" in page


def test_mean_shares_are_of_attacks_that_were_run_everywhere(store, add, tmp_path):
    for target, epsilon, ceiling in (("one", 0.5, 0.5), ("one", 1.0, 0.9999), ("two", 0.5, 0.8), ("two", 1.0, 0.9999)):
        add({"outcome": HALF, "ceiling": ceiling}, target=target, epsilon=epsilon)
        if (target, epsilon) != ("two", 1.0):
            add({"outcome": -1}, attack="zoo", target=target, epsilon=epsilon)
    add({"outcome": -1}, attack="best-of white-box", target="one")  # takes together what was run
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    assert "2 targets, 2 attacks, 2 ε, 10 images; 7 of the 8 combinations were run." in page
    part = page.split("### toy, share of the ceiling, n = 1,000, α = 0.001, 10 images")[1].split("##")[0]
    # 0.5 of 0.5 and of 0.8; 0.5 of 1 twice.
    assert "| attack | ε = 0.5 | ε = 1.0 | mean |" in part
    assert "| margin | 81.2% | 50.0% | 65.6% |" in part
    assert "zoo" not in part


def test_mean_shares_leave_out_what_is_vacuous(store, add, tmp_path):
    for target, epsilon, ceiling in (("one", 0.5, 0.5), ("one", 1.0, 1.0), ("two", 0.5, 0.8)):
        add({"outcome": HALF, "ceiling": ceiling}, target=target, epsilon=epsilon)
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    part = page.split("### toy, share of the ceiling, n = 1,000, α = 0.001, 10 images")[1].split("##")[0]
    assert "1 of 3 combinations of target and ε are left out as vacuous" in part
    assert "| margin | 81.2% | 81.2% |" in part  # 0.5 of 0.5 and of 0.8
    assert "| *certified ceiling* | *100.0% (vacuous)* |" in page


def test_no_mean_shares_of_one_place(store, add, tmp_path):
    add({"outcome": HALF})
    assert "share of the ceiling" not in make(store, tmp_path)[0].read_text(encoding="utf-8")


def test_the_summary_shows_the_best_proof(store, add, tmp_path):
    add({"outcome": HALF, "ceiling": 0.75}, ceiling_samples=40_000)
    add({"outcome": HALF, "ceiling": 0.8}, attack="zoo", ceiling_samples=10_000)
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    assert "| *certified ceiling* | *75.0%* |" in page


def test_the_samples_behind_the_ceilings_are_said(store, add, tmp_path):
    add(ceiling_samples=10_000)
    assert rows(store)[0]["ceiling_samples"] == 10_000
    add(attack="zoo", ceiling_samples=40_000)
    page = " ".join(make(store, tmp_path)[0].read_text(encoding="utf-8").split())
    assert "10 images. Ceilings rest on 10,000, 40,000 noise samples per image." in page
    add(attack="cw")
    assert [row["ceiling_samples"] for row in rows(store) if row["attack"] == "cw"] == [None]


def test_best_of_stands_apart(store, add, tmp_path):
    for target, together in (("ahead", -1), ("tied", HALF)):
        add({"outcome": HALF}, target=target)
        add({"outcome": together}, attack="best-of white-box", target=target)
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    assert "| margin | **50.0%** | **50.0%** |\n| *best-of white-box* | 100.0% | 50.0% |\n| *certified ceil" in page


def test_a_row_of_a_part_of_the_images_is_never_the_best(store, add, tmp_path):
    add({"outcome": HALF})
    add({"outcome": -1}, attack="cw", images=[0, 1], of=[10])
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    assert "| cw | 100.0%\\* |\n| margin | **50.0%** |" in page


def test_seeds_stand_apart(store, add, tmp_path):
    add({"outcome": HALF})
    add({"outcome": -1}, images=[0], seed=1)
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    first, other = page.split("### toy, ε = 1.0, n = 1,000, α = 0.001, seed 1, 1 image\n", 1)
    assert "### toy, ε = 1.0, n = 1,000, α = 0.001, 10 images\n" in first
    assert "| margin | **50.0%** |" in first
    assert "| margin | **100.0%** |" in other


def test_smaller_budgets_stand_in_every_row_only(store, add, fail, tmp_path):
    add({"outcome": HALF}, attack="zoo", access="score", query_budget=30)
    add({"outcome": -1}, attack="zoo", access="score", query_budget=100)
    fail(attack="nes", access="score", query_budget=30)
    add(attack="nes", access="score", query_budget=100)
    page = make(store, tmp_path)[0].read_text(encoding="utf-8")
    summary, every = page.split("## Summary")[1].split("## Every row")
    summary = summary.split("## Who keeps answering")[0]
    assert "**100.0%**" in summary
    assert "50.0%" not in summary.replace("*50.0%*", "")  # the ceiling
    assert "| — | zoo | score | 50.0%" in every
    assert "| nes | 30 | `RuntimeError" in every
    shown = texts(svg(rows(store)))
    assert any("at most 100 queries" in text for text in shown)
    assert "50.0%" not in shown
    text = terminal(rows(store))
    assert text.count("zoo") == 1
    assert "nes (≤ 30 queries) failed: RuntimeError" in text


def test_machines_and_commits_are_those_of_the_rows(store, add, tmp_path):
    def write(key, images, device, **settings):
        provenance = {"device": device, "threads": 2, "torch": "2.1", "python": "3.12", "commit": f"c{key}"}
        settings = make_settings(images=images, **settings)
        records = make_records(images)
        store.write_cell(key, settings, records, np.zeros((len(images), 1)), provenance=provenance, seconds=90)

    write("a", [0, 1], "Old one", version=0)
    write("b", [0, 1], "A <CPU>")
    write("c", [2, 3], "A <CPU>")
    write("d", [4], "GPU")
    page = " ".join(make(store, tmp_path)[0].read_text(encoding="utf-8").split())
    assert (
        "- `run toy 1000`: 2 cells in 3.0 min on A \\<CPU\\>, 2 threads (torch 2.1, Python 3.12, commit `cb`, `cc`)"
        in page
    )
    assert "- `run toy 1000`: 1 cells in 1.5 min on GPU, 2 threads" in page
    assert "Old one" not in page


def test_an_empty_store_publishes_nothing(store, tmp_path):
    with pytest.raises(StoreError, match="run `python -m benchmark run --all` first"):
        make(store, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_an_output_that_is_no_folder(board, tmp_path):
    (tmp_path / "published").touch()
    with pytest.raises(StoreError, match="not a folder"):
        make(board, tmp_path / "published")


def test_terminal(board):
    text = terminal(rows(board))
    assert text.count("attack ") >= 4
    assert "toy-sigma1.00 · ε = 1.0 · n = 1,000, α = 0.001 · 10 images" in text
    assert "odd|name failed: RuntimeError: no | luck" in text
    assert "cw is partial: 2 of 10 images" in text
    assert max(map(len, text.splitlines())) <= 120
    assert terminal([]) == ""


def test_numbers_as_people_read_them():
    assert (percent(0.12), percent(None), number(12345.6), number(0.5, 3)) == (
        "12.0%",
        "—",
        "12,346",
        "0.500",
    )
    assert [p_value(p) for p in (None, 1e-9, 0.0312, 1.0)] == ["—", "<0.0001", "0.031", "1"]
