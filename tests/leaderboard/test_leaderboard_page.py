from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from leaderboard import Store, StoreError, publish, rows, terminal
from leaderboard.picture import svg
from leaderboard.tables import number, p_value, percent

REQUIRED = {
    "suite",
    "target",
    "sigma",
    "attack",
    "access",
    "epsilon",
    "n",
    "alpha",
    "images",
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


@pytest.fixture
def board(store, add, fail):
    """A store with a bit of everything."""
    for target, sigma in (("toy-sigma0.50", 0.5), ("toy-sigma1.00", 1.0)):
        for epsilon in (0.5, 1.0):
            place = {"target": target, "sigma": sigma, "epsilon": epsilon}
            add(attack="clean", access="none", parameters={}, **place)
            add({"outcome": [-1] * 6 + [6, 7, 8, 9], "ceiling": 0.9}, **place)
            add({"validity": "over-budget"}, attack="cw", images=[0, 1], access="transfer", **place)
    fail(attack="odd|name", access="psychic", epsilon=1.0, parameters={"mode": "a|b"})
    add({}, parameters={"steps": 11}, images=[0])  # supersedes toy-sigma0.50 at 1.0
    return store


def make(store, output):
    return publish(store, output, commit="abc123", version="0.1.0", created="2024-01-01T00:00:00Z")


def test_publish_writes_page_data_and_picture(board, tmp_path):
    paths = make(board, tmp_path / "deep" / "published")
    assert [path.name for path in paths] == ["LEADERBOARD.md", "leaderboard.json", "board.svg"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)


def test_json_is_an_object_of_the_same_rows_without_nan(board, tmp_path):
    def refuse(constant):
        raise AssertionError(constant)

    _, data, _ = make(board, tmp_path)
    content = json.loads(data.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["schema_version"] == 1
    assert (content["project"], content["version"]) == ("abstention-bench", "0.1.0")
    assert (content["commit"], content["created"]) == ("abc123", "2024-01-01T00:00:00Z")
    assert content["rows"] == rows(board)
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
        "over valid adversarial images that the attack changed",
        "![Abstention rate of every attack on every target, with clean rate and ceiling](board.svg)",
        "60.0% [26.2, 87.8]",
        "0.0% (2 over budget)",
        "| *certified ceiling* |",
        "`RuntimeError: no \\| luck`",
        '`mode="a\\|b"`',
        "odd\\|name",
        "Left out, as newer settings of the same rows replace them: 1 stored cells.",
        "**0** times in",
        "no row shows more",
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
    assert "**9** times in 10 certified answers" in page
    assert "certificate or its use is broken**: margin on toy-sigma0.50 at ε = 1.0: 9 of 1 allowed" in page


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
    assert "cw is partial: 2 images" in text
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


def texts(picture):
    return ["".join(element.itertext()) for element in ElementTree.fromstring(picture).iter() if "text" in element.tag]


def test_picture_shows_the_largest_budget_of_every_target(board):
    shown = texts(svg(rows(board)))
    assert "Abstention forced at ε = 1.0 (n = 1,000, α = 0.001)" in shown
    for text in (
        "toy-sigma0.50",
        "toy-sigma1.00",
        "odd|name",
        "failed",
        "60.0%",
        "0.0%*",
        "psychic",
        "control",
    ):
        assert text in shown


@pytest.mark.parametrize("targets", [1, 2, 5])
def test_picture_of_any_number_of_targets(store, add, targets):
    for sigma in range(targets):
        add(target=f"t<{sigma}>&", sigma=sigma, attack="a-very-long-name-for-an-attack")
    shown = texts(svg(rows(store)))
    assert [text for text in shown if text.startswith("t<")] == [f"t<{sigma}>&" for sigma in range(targets)]


def test_picture_when_everything_failed(store, fail):
    fail()
    assert "failed" in texts(svg(rows(store)))


def test_picture_shows_the_largest_budget_at_which_the_ceiling_says_something(store, add):
    for epsilon, ceiling in ((0.25, 0.2), (0.5, 0.6), (1.0, 1.0)):
        add({"ceiling": ceiling}, epsilon=epsilon)
    assert any("ε = 0.5" in text for text in texts(svg(rows(store))))


def test_picture_falls_back_on_the_largest_budget_where_no_ceiling_does(store, add):
    for epsilon in (0.25, 1.0):
        add({"ceiling": 1.0}, epsilon=epsilon)
    assert any("ε = 1.0" in text for text in texts(svg(rows(store))))
