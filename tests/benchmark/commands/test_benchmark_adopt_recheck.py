"""``adopt --recheck``: some records are computed again before any is taken."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from benchmark_helpers import TARGET, as_before, board, command, define, error_line, run, suite_file
from pyarrow import parquet
from scipy.special import bdtr

from attacks import WhiteBox
from benchmark.key import settings_key
from leaderboard import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board of two attacks on images of which some abstain: one changes all of them, the other none."""
    folder = tmp_path_factory.mktemp("recheck")
    with as_before():
        define("grey", WhiteBox, lambda model, images: images * 0.98 + 0.01)
        suite = suite_file(folder / "s.toml", attacks=["clean", "grey"], epsilons=[0.5], images=6)
        assert run(suite, folder / "r") == 0
        assert command("publish", "--results", folder / "r", "--output", folder / "p") == 0
    return folder


@pytest.fixture
def published(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "p", tmp_path / "p"))


def adopt(published: Path, *words: object) -> int:
    return command("adopt", published, "--results", published.parent / "a", "--device", "cpu", *words)


def edit(published: Path, **columns: Any) -> None:
    """Other values in columns of all records, and p-values that follow from the votes."""
    path = published / "records.parquet"
    table = parquet.read_table(path)
    for name, value in columns.items():
        place = table.column_names.index(name)
        values = [value(old) for old in table[name].to_pylist()]
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    for prefix in ("", "clean_"):
        more, fewer = (table[f"{prefix}{which}_votes"].to_pylist() for which in ("first", "second"))
        p = [min(1.0, 2 * float(bdtr(float(b), a + b, 0.5))) for a, b in zip(more, fewer, strict=True)]
        table = table.set_column(table.column_names.index(f"{prefix}p"), f"{prefix}p", [p])
        first = table[f"{prefix}first"].to_pylist()
        outcome = [-1 if q > 0.001 else label for q, label in zip(p, first, strict=True)]
        table = table.set_column(table.column_names.index(f"{prefix}outcome"), f"{prefix}outcome", [outcome])
    parquet.write_table(table, path)


def test_what_was_really_sampled_passes_and_what_was_not_checked_is_said(published, capsys):
    assert adopt(published, "--recheck", 1000) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"Rechecked 12 records of 12, drawn at random: 12 labels, 12 answers at the original, 6 at what was sent, "
        r"12 certificates, 12 ceilings\. 0 of these comparisons differ by no more than floating-point ties\.",
        out[0],
    )
    assert out[1] == "Not checked: the answers to 6 adversarial images, which a board does not hold."
    assert out[2].startswith("2 cells adopted")


def test_as_many_as_asked_are_drawn(published, capsys):
    assert adopt(published, "--recheck", 3) == 0
    assert "Rechecked 3 records of 12, drawn at random: 3 labels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (
            {"clean_first_votes": lambda votes: 60, "clean_second_votes": lambda votes: 20},
            "votes at the original 60, here",
        ),
        ({"first_votes": lambda votes: 51, "second_votes": lambda votes: 49}, "votes at what was sent 51, here"),
        ({"ceiling": lambda bound: 0.001}, "ceiling 0.001, here"),
        ({"certified_radius": lambda radius: radius + 0.5}, "radius"),
        ({"label": lambda label: (label + 1) % 10}, "true label"),
    ],
    ids=["votes", "sent", "ceiling", "radius", "label"],
)
def test_invented_records_are_refused_in_one_line_and_nothing_is_adopted(published, columns, text, capsys):
    edit(published, **columns)
    alone = published.parent / "alone"
    alone.mkdir()
    shutil.copy(published / "records.parquet", alone)
    assert command("verify", alone) == 0  # whoever invents votes, and all that follows from them, passes that
    capsys.readouterr()
    assert adopt(published, "--recheck", 1000) == 2
    line = error_line(capsys.readouterr().err)
    assert text in line
    assert "so nothing is adopted" in line
    assert not (published.parent / "a").exists()
    assert adopt(published) == 0


def test_a_few_votes_more_or_less_are_ties(published, capsys):
    edit(published, clean_first_votes=lambda votes: votes - 1)
    assert adopt(published, "--recheck", 12) == 0
    assert "12 of these comparisons differ by no more than floating-point ties" in capsys.readouterr().out


def test_records_of_what_is_not_here_are_counted_and_none_at_all_is_refused(published, capsys):
    path = published / "records.parquet"
    table = parquet.read_table(path)

    def moved(text: str, weights: str) -> str:
        cell = json.loads(text)
        cell["settings"]["weights"] = weights
        return json.dumps(cell | {"key": settings_key(cell["settings"])})

    texts = table["cell"].to_pylist()
    for chosen, code in ((texts[:1], 0), (texts, 2)):
        values = [moved(text, "other") if text in chosen else text for text in texts]
        parquet.write_table(table.set_column(0, "cell", [values]), path)
        capsys.readouterr()
        assert adopt(published, "--recheck", 2) == code
        out, err = capsys.readouterr()
        words = f"are of other weights than today's {TARGET}"
        assert (f"Not checked: 6 records {words}." in out) if code == 0 else ("nothing can be checked here" in err)
        shutil.rmtree(published.parent / "a", ignore_errors=True)


def test_none_and_fewer_are_one_line(published, capsys):
    for number in (0, -1):
        assert adopt(published, "--recheck", number) == 2
        assert "--recheck is" in error_line(capsys.readouterr().err)


def test_an_adopted_board_shows_the_same_rates(published):
    assert adopt(published, "--recheck", 2) == 0
    assert command("publish", "--results", published.parent / "a") == 0
    rates = [
        {row["attack"]: row["abstention_rate"] for row in board(folder)}
        for folder in (published, published.parent / "a")
    ]
    assert rates[0] == rates[1]
    assert len(Store.read(published.parent / "a").cells()) == 2
