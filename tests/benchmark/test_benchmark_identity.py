"""Results are of the images and labels that a data set has, not of its name."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import benchmark_tiny
import numpy as np
import pytest
from benchmark_helpers import board, command, define, error_line, records, run, suite_file

from attacks import Decision, Hybrid, NoAccess, Score, Transfer, WhiteBox
from benchmark.cell import parts
from benchmark.seed_paper.stages import Stages
from leaderboard import Store
from targets import DATA
from targets.models import SmallCNN

PLUGIN = '''
"""A data set that lies in a file beside this one, and a target for it."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import targets
from targets.data import DATA, DataSet, Split
from targets.models import SmallCNN
from targets.weights import FOLDER


def split(name):
    with np.load(Path(__file__).with_name(f"{name}.npz")) as arrays:
        return Split(torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"]))


DATA.add("mine", DataSet("mine", num_classes=10, shape=(1, 8, 8), split=split))


@targets.register("mine-cnn", sigma=0.5, data="mine")
def build():
    """The network of the digits, on images of mine."""
    module = SmallCNN()
    module.load_state_dict(load_file(FOLDER / "digits-sigma0.50.safetensors"))
    return module
'''
PLACES = {"evaluation": 0, "adversary": 100, "train": 200}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the plugin, and a suite of its target."""
    (tmp_path / "mine.py").write_text(PLUGIN, encoding="utf-8")
    suite_file(tmp_path / "s.toml", targets=["mine-cnn"], attacks=["clean"], images=8)
    for name in PLACES:
        write(tmp_path, name)
    return tmp_path


def write(folder: Path, name: str, *, first: int | None = None, mislabel: int = 0) -> None:
    """Write a split: eight digits from the ``first`` on, and labels that are wrong by ``mislabel``."""
    whole, begin = DATA["digits"].split("evaluation"), PLACES[name] if first is None else first
    images, labels = whole.images[begin : begin + 8].numpy(), whole.labels[begin : begin + 8].numpy()
    np.savez(folder / f"{name}.npz", images=images, labels=(labels + mislabel) % 10)


def run_all(folder: Path, *arguments: object, results: str = "r") -> None:
    given = ("--plugin", folder / "mine.py", *arguments)
    assert run(folder / "s.toml", folder / results, *given) == 0


def rates(folder: Path, results: str = "r") -> dict[str, tuple[float, float, float]]:
    """Accuracy, abstention rate and ceiling by attack."""
    rows = board(folder / results)
    return {row["attack"]: (row["accuracy"], row["abstention_rate"], row["ceiling"]) for row in rows}


def test_corrected_labels_are_evaluated_and_nothing_is_sampled_anew(
    folder: Path, capsys: pytest.CaptureFixture[str], counted_votes: list[tuple[str, str, int]]
):
    write(folder, "evaluation", mislabel=1)
    run_all(folder)
    assert rates(folder)["clean"][0] == 0.0
    write(folder, "evaluation")
    counted_votes.clear()
    run_all(folder)
    assert "1 cells run, 0 stored already" in capsys.readouterr().out
    # Votes and what ceilings rest on are of the images alone.
    assert {purpose for _, purpose, _ in counted_votes} == {"evaluation"}
    run_all(folder, results="fresh")
    assert rates(folder) == rates(folder, "fresh")
    assert rates(folder)["clean"][0] > 0.5
    run_all(folder)
    assert "0 cells run, 1 stored already" in capsys.readouterr().out


def test_a_new_attack_on_other_images_stands_beside_no_row_and_no_ceiling_of_the_old(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    run_all(folder)
    old = rates(folder)["clean"]
    assert "left out" not in capsys.readouterr().out
    write(folder, "evaluation", first=300)
    run_all(folder, "--attacks", "gaussian")
    assert set(rates(folder)) == {"gaussian"}
    page = (folder / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "Left out: 1 stored cells on other images or labels than the newest." in page
    assert (
        "\n1 stored cells are of other images or labels of data set 'mine' and are left out; "
        in capsys.readouterr().out
    )

    run_all(folder, "--attacks", "clean", "gaussian")
    assert "1 cells run, 1 stored already" in capsys.readouterr().out
    run_all(folder, "--attacks", "clean", "gaussian", results="fresh")
    assert rates(folder) == rates(folder, "fresh")
    assert rates(folder)["clean"] != old
    columns = ["image", "ceiling", "certified_radius", "clean_first_votes"]
    assert records(folder / "fresh", "clean")[columns].equals(records(folder / "fresh", "gaussian")[columns])


def test_what_the_adversary_has_counts_where_it_is_used(folder: Path, capsys: pytest.CaptureFixture[str]):
    def fit(*arguments: object) -> None:
        pass

    define("asks", Transfer, lambda model, images: model.surrogate("mine", SmallCNN, fit) and None)
    define("learns", Transfer, lambda model, images: model.same_data_surrogate("mine", SmallCNN, fit) and None)
    suite_file(folder / "s.toml", targets=["mine-cnn"], attacks=["clean", "asks", "learns"], images=2, best_of=True)

    def ran() -> list[str]:
        before = {cell.key for cell in Store.open(folder / "r").cells()}
        run_all(folder)
        return sorted(cell.settings["attack"] for cell in Store.read(folder / "r").cells() if cell.key not in before)

    def shared() -> dict[str, int]:
        found = [json.loads(path.read_bytes())["settings"]["what"] for path in (folder / "r" / "shared").glob("*.json")]
        return {what: found.count(what) for what in ("answers", "surrogate", "surrogate of the same data")}

    assert ran() == ["asks", "best-of transfer", "clean", "learns"]
    assert shared() == {"answers": 1, "surrogate": 1, "surrogate of the same data": 1}
    write(folder, "adversary", mislabel=1)  # nobody reads these labels
    assert ran() == []
    write(folder, "adversary", first=150)
    assert ran() == ["asks", "best-of transfer", "learns"]
    assert shared() == {"answers": 2, "surrogate": 2, "surrogate of the same data": 1}
    write(folder, "train", mislabel=1)
    assert ran() == ["asks", "best-of transfer", "learns"]
    assert shared() == {"answers": 2, "surrogate": 2, "surrogate of the same data": 2}


@pytest.mark.parametrize(
    ("access", "further"),
    [
        (NoAccess, []),
        (WhiteBox, []),
        (Score, []),
        (Decision, ["adversary"]),
        (Transfer, ["adversary", "training"]),
        (Hybrid, ["adversary", "training"]),
    ],
)
def test_the_parts_of_the_data_that_an_access_gives(access: Any, further: list[str]):
    assert parts(access) == ["images", "labels", *further]


@pytest.mark.parametrize("verb", ["certify", "predict"])
def test_a_table_is_not_gone_on_with_after_a_correction(folder: Path, verb: str, capsys: pytest.CaptureFixture[str]):
    table = folder / "t.tsv"
    given = (verb, "mine-cnn", "--plugin", folder / "mine.py", "--samples", 50, "--output", table, "--quiet")
    write(folder, "evaluation", mislabel=1)
    assert command(*given) == 0
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(lines[:4]) + "\n", encoding="utf-8")  # as if it had been killed
    made = json.loads(table.with_suffix(".json").read_bytes())
    del made["sealed"]
    table.with_suffix(".json").write_text(json.dumps(made), encoding="utf-8")
    before = table.read_bytes()
    write(folder, "evaluation")
    capsys.readouterr()
    assert command(*given) == 2
    line = error_line(capsys.readouterr().err)
    assert line == f"error: {table} was made with other images or labels; give another --output, or delete it"
    assert table.read_bytes() == before
    write(folder, "evaluation", mislabel=1)
    assert command(*given) == 0
    assert table.read_text(encoding="utf-8").splitlines()[:4] == lines[:4]


def test_a_table_of_before_there_were_digests_is_not_gone_on_with(folder: Path, capsys: pytest.CaptureFixture[str]):
    table = folder / "t.tsv"
    given = ("certify", "mine-cnn", "--plugin", folder / "mine.py", "--samples", 50, "--output", table, "--quiet")
    assert command(*given) == 0
    companion = table.with_suffix(".json")
    made = json.loads(companion.read_bytes())
    del made["settings"]["content"]
    companion.write_text(json.dumps(made), encoding="utf-8")
    capsys.readouterr()
    assert command(*given) == 2
    assert "was made with images and labels of which it has no digest" in error_line(capsys.readouterr().err)


def test_reproduce_begins_anew_on_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def experiment(settings: object, stages: Stages, *rest: object) -> SimpleNamespace:
        return SimpleNamespace(run=lambda: stages)

    monkeypatch.setattr("benchmark.seed_paper.experiment.Experiment", experiment)
    stages: Any = benchmark_tiny.run(tmp_path / "unused")
    assert set(stages.content) == {"content of tiny"}  # and nothing of the digits, its unrelated images
    assert set(stages.content["content of tiny"]) == {"images", "labels", "adversary", "training"}
    calls: list[int] = []

    def compute(chosen: list[int], tick: object) -> dict[str, Any]:
        calls.append(len(chosen))
        return {"answers": np.zeros(len(chosen))}

    store = Store.open(tmp_path / "store")
    for content, count in [({}, 1), ({}, 1), ({"content of mine": {"images": "a"}}, 2), ({}, 2)]:
        stages = Stages(store, quiet=True, content=content)
        stages.sharded("stage", {"what": "answers"}, [1, 2], 2, compute)
        assert len(calls) == count
        assert stages.checkpoint({"what": "surrogate"}).parent == tmp_path / "store" / "checkpoints"
    names = {Stages(store, True, content).checkpoint({}).name for content in ({}, {"content of mine": {"images": "a"}})}
    assert len(names) == 2
