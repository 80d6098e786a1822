"""``compare``: paired differences, and the exit code of a gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_helpers import TARGET, command, define, error_line, records, run, suite_file
from scipy.stats import binomtest

from attacks import WhiteBox
from targets import ABSTAIN


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an attack that makes most images grey, and of one that does nothing; and a board of them."""
    from benchmark_helpers import as_before

    folder = tmp_path_factory.mktemp("compare")
    with as_before():
        define("grey", WhiteBox, lambda model, images: images * 0.05 + 0.475)
        define("idle", WhiteBox, lambda model, images: images.clone())
        values = {"attacks": ["grey", "idle"], "epsilons": [0.5, 10.0], "images": 30, "samples": 50, "alpha": 0.001}
        assert run(suite_file(folder / "s.toml", **values), folder / "r") == 0
        assert run(suite_file(folder / "s.toml", **(values | {"attacks": ["idle"]})), folder / "q") == 0
        assert command("publish", "--results", folder / "r", "--output", folder / "p") == 0
    return folder


def compared(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    capsys.readouterr()
    assert command("compare", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_two_attacks_of_a_folder_and_of_its_board(folder, capsys):
    lines = compared(capsys, "grey", "idle", "--results", folder / "r")
    assert lines == compared(capsys, "grey", "idle", "--results", folder / "p")
    assert [(line["target"], line["epsilon"], line["images"]) for line in lines] == [
        (TARGET, 0.5, 30),
        (TARGET, 10.0, 30),
    ]
    at_0_5, at_10 = lines
    assert at_0_5["difference"] == 0 or at_0_5["p"] > 0.01  # over budget: the originals were sent
    discordant = at_10["only_a"] + at_10["only_b"]
    assert at_10["p"] == pytest.approx(binomtest(at_10["only_a"], discordant, 0.5).pvalue)
    assert at_10["p_holm"] == pytest.approx(min(1, 2 * at_10["p"]))
    for name, rate in (("grey", "rate_a"), ("idle", "rate_b")):
        hits = int((records(folder / "r", name).outcome == ABSTAIN).sum())  # at both ε
        assert hits == round(30 * sum(line[rate] for line in lines))
    assert at_10["difference"] == pytest.approx(at_10["rate_b"] - at_10["rate_a"])
    assert at_10["difference_low"] <= at_10["difference"] <= at_10["difference_high"]


def test_the_table_says_how_it_was_tested(folder, capsys):
    assert command("compare", "grey", "idle", "--results", folder / "r") == 0
    out = capsys.readouterr().out
    assert out.startswith("A: grey\nB: idle\n\ns · n = 50, α = 0.001, seed 0\n")
    assert "adjusted by Holm for the 2 comparisons of this table" in out
    assert "B - A in points [95%]" in out


def test_two_folders_have_in_common_what_both_have(folder, capsys):
    lines = compared(capsys, folder / "r", folder / "q")
    assert [(line["attack"], line["epsilon"]) for line in lines] == [("idle", 0.5), ("idle", 10.0)]
    assert [(line["difference"], line["p"]) for line in lines] == [(0, 1), (0, 1)]
    assert command("compare", folder / "p", folder / "q") == 0
    assert "Of A alone: grey on digits-sigma0.50 at ε = 0.5, n = 50;" in capsys.readouterr().out
    only = compared(capsys, folder / "p", folder / "r", "--attacks", "g*", "--epsilons", 10, "--targets", "*0.50")
    assert [(line["attack"], line["epsilon"], line["notes"]) for line in only] == [("grey", 10.0, [])]


def test_the_gate_fails_where_b_is_worse_by_more_than_that_and_significantly(folder, capsys):
    arguments = ("compare", "grey", "idle", "--results", folder / "r", "--epsilons", 10)
    (line,) = compared(capsys, *arguments[1:])
    drop = -100 * line["difference"]
    assert drop > 20, "the fixture's attack must work"
    assert line["p_holm"] < 0.05
    assert command(*arguments, "--fail-below", drop - 1) == 1
    assert "worse: B abstains in" in capsys.readouterr().err
    assert command(*arguments, "--fail-below", drop + 1) == 0
    assert command("compare", "idle", "grey", "--results", folder / "r", "--fail-below", 0) == 0
    # Too few images to tell: by more, but not significantly.
    assert command("compare", folder / "r", folder / "q", "--fail-below", 0) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("grye", "idle"), "unknown attack 'grye'; did you mean 'grey'?"),
        (("grey", "idle", "--fail-below", -1), "--fail-below is -1"),
        (("grey", "idle", "--fail-below", "nan"), "--fail-below is nan"),
        (("grey", "idle", "--epsilons", 3), "have no row in common"),
        (("grey", "idle", "--attacks", "x"), "--attacks is for two folders"),
        (("grey", "there/is/none"), "is no results folder and no board"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, arguments, reason):
    assert command("compare", *arguments, "--results", folder / "r") == 2
    assert reason in error_line(capsys.readouterr().err)


def test_a_folder_against_an_attack_is_one_line(folder, capsys):
    assert command("compare", folder / "r", "idle") == 2
    assert "idle is no results folder and no board" in error_line(capsys.readouterr().err)
    assert command("compare", "grey", "idle", "--results", folder / "none") == 2
    assert "is no results folder and has no records.parquet" in error_line(capsys.readouterr().err)


def test_other_labels_under_the_same_name_are_refused(tmp_path, folder, capsys):
    from pyarrow import parquet

    path = tmp_path / "records.parquet"
    table = parquet.read_table(folder / "p" / "records.parquet")
    place = table.column_names.index("label")
    labels = [(label + 1) % 10 for label in table["label"].to_pylist()]
    parquet.write_table(table.set_column(place, "label", [labels]), path)
    assert command("compare", folder / "p", path) == 2
    assert "of different images or labels of digits" in error_line(capsys.readouterr().err)
