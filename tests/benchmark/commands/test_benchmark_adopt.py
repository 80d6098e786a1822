"""``adopt``: a run goes on from a published board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmark_helpers import TARGET, board, command, define, error_line, records, run, suite_file
from pandas.testing import assert_frame_equal

from attacks import WhiteBox
from benchmark.running.clean_columns import PROVEN
from benchmark.running.evaluation import PREDICT_COLUMNS
from leaderboard import Store
from targets.engine.arithmetic import VARIABLE


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A published board of three attacks, two of them of one access class."""
    for name in ("left", "right"):
        define(name, WhiteBox, lambda model, originals: originals.clone())
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "left", "right"], best_of=True)
    assert run(suite, tmp_path / "first") == 0
    assert command("publish", "--results", tmp_path / "first", "--output", tmp_path / "published") == 0
    return tmp_path / "published"


def test_a_run_goes_on_from_a_published_board(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert command("adopt", published, "--results", tmp_path / "r") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"4 cells adopted, 0 stored already. Results: {tmp_path / 'r'}.",
        f"Continue with: python -m benchmark run --suite s.toml --results {tmp_path / 'r'}",
        "For your own attack only, put its file after --plugin, and its name after --attacks in place of the others.",
    ]
    assert run(tmp_path / "s.toml", tmp_path / "r") == 0
    out = capsys.readouterr().out
    assert "0 cells run, 4 stored already, 0 failed." in out
    page = (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "- `python -m benchmark run --suite s.toml`: 4 cells, adopted from a published board, computed in" in page
    assert board(tmp_path / "r") == [{**row, "source": "adopted"} for row in board(tmp_path / "first")]
    assert command("adopt", published / "records.parquet", "--results", tmp_path / "r") == 0
    assert "0 cells adopted, 4 stored already" in capsys.readouterr().out


def test_a_run_goes_on_where_the_cpu_has_another_arithmetic(
    published: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv(VARIABLE, "folded")
    assert command("adopt", published, "--results", tmp_path / "r") == 0
    define("mine", WhiteBox, lambda model, originals: originals.clone())
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "left", "right", "mine"])
    capsys.readouterr()
    assert run(tmp_path / "s.toml", tmp_path / "r") == 0
    assert "1 cells run, 3 stored already, 0 failed." in capsys.readouterr().out
    cells = {cell.settings["attack"]: cell for cell in Store.read(tmp_path / "r").cells()}
    assert [cells[name].settings.get("arithmetic") for name in ("left", "mine")] == [None, "folded"]
    assert cells["mine"].provenance["arithmetic"] == "folded"
    assert {row["attack"]: row["status"] for row in board(tmp_path / "r")} == dict.fromkeys(
        ["clean", "left", "right", "mine", "best-of white-box"], "ok"
    )
    # The whole suite, best-of included; but not what this machine itself computed in the other arithmetic.
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "left", "right"], best_of=True)
    assert run(suite, tmp_path / "r") == 0
    assert "0 cells run, 4 stored already, 0 failed." in capsys.readouterr().out
    assert run(suite, tmp_path / "first") == 0
    assert "4 cells run, 0 stored already, 0 failed." in capsys.readouterr().out


def test_a_new_attack_joins_and_its_best_of_is_left_out(
    published: Path,
    tmp_path: Path,
    counted_votes: list[tuple[str, str, int]],
    capsys: pytest.CaptureFixture[str],
):
    define("mine", WhiteBox, lambda model, originals: originals.clone())
    assert command("adopt", published, "--results", tmp_path / "r") == 0
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "left", "right", "mine"], best_of=True)
    capsys.readouterr()
    counted_votes.clear()
    assert run(suite, tmp_path / "r") == 0
    # What the board says of the originals is not sampled again.
    assert [purpose for _, purpose, _ in counted_votes] == ["evaluation"]
    columns = [*(f"clean_{name}" for name in PREDICT_COLUMNS), *PROVEN]
    assert_frame_equal(records(tmp_path / "r", "mine")[columns], records(tmp_path / "first", "left")[columns])
    out = capsys.readouterr().out
    assert "1 cells run, 3 stored already, 0 failed." in out
    assert "1 best-of cells left out" in out
    attacks = {row["attack"]: row["status"] for row in board(tmp_path / "r")}
    assert attacks == dict.fromkeys(["clean", "left", "right", "mine", "best-of white-box"], "ok")


def test_a_cell_whose_settings_were_edited_is_refused(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from pyarrow import parquet

    path = published / "records.parquet"
    table = parquet.read_table(path)
    texts = [text.replace('"epsilon": 0.5', '"epsilon": 0.125', 1) for text in table["cell"].to_pylist()]
    parquet.write_table(table.set_column(0, "cell", [texts]), path)
    capsys.readouterr()
    assert command("adopt", path, "--results", tmp_path / "r") == 2
    assert "4 of 4 cells were not computed by this version's rules" in error_line(capsys.readouterr().err)


def test_a_folder_without_records_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("adopt", tmp_path, "--results", tmp_path / "r") == 2
    assert error_line(capsys.readouterr().err).startswith(f"error: {tmp_path / 'records.parquet'}: No such file")
    assert not (tmp_path / "r").exists()
    with pytest.raises(SystemExit, match="2"):
        command("adopt", tmp_path, tmp_path)
    assert error_line(capsys.readouterr().err).startswith(f"error: '{tmp_path}' is one argument too many")


def test_surrogates_and_evidence_travel_with_the_board_that_shares_them(
    tmp_path: Path,
    counted_votes: list[tuple[str, str, int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    settings = {name: {"epochs": 1} for name in ("margin-transfer", "same-data-transfer")}
    suite = suite_file(tmp_path / "s.toml", settings, attacks=["clean", *settings])
    assert run(suite, tmp_path / "first") == 0
    published = tmp_path / "published"
    assert command("publish", "--results", tmp_path / "first", "--output", published) == 0
    assert not (published / "shared").exists()
    # What `reproduce` keeps there are pictures, under keys of another experiment.
    for what in ("adversarial", "answers"):
        settings = {"what": what, "target": TARGET}
        Store.open(tmp_path / "first").write_shared(f"of-reproduce-{what}", settings, {"images": np.zeros(3)})
    sharing = ("publish", "--results", tmp_path / "first", "--output", published, "--shared")
    capsys.readouterr()
    assert command(*sharing) == 0
    # Two shards of answers, the surrogate of those, two of the same data, clean votes, what the ceilings rest on.
    assert f"7 new in {published / 'shared'}" in capsys.readouterr().out
    assert command(*sharing) == 0
    assert f"0 new in {published / 'shared'}" in capsys.readouterr().out
    assert command("adopt", published, "--results", tmp_path / "r") == 0
    assert "7 files of answers, surrogates and the like adopted" in capsys.readouterr().out

    monkeypatch.setattr("attacks.surrogate.train", lambda *_, **__: pytest.fail("trained anew"))
    counted_votes.clear()
    assert run(suite, tmp_path / "r", "--epsilons", "0.25") == 0
    assert "ceiling" not in {purpose for _, purpose, _ in counted_votes}
    assert not {"adversary", "clean"} & {purpose for _, purpose, _ in counted_votes}
    assert {row["status"] for row in board(tmp_path / "r")} == {"ok"}

    path = next((published / "shared").glob("*.json"))
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    capsys.readouterr()
    assert command("adopt", published, "--results", tmp_path / "s") == 0
    out = capsys.readouterr().out
    assert "6 files of answers, surrogates and the like adopted" in out
    assert "1 files beside the board not adopted" in out

    path.write_text("{")
    assert command("adopt", published, "--results", tmp_path / "t") == 2
    assert f"{path} is damaged" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "t").exists()  # nothing is taken where not all can be
