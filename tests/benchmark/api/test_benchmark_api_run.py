"""A run from Python is that of the command line, takes objects of the user's own, and writes nothing unasked."""

from __future__ import annotations

import gc
import inspect
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from api_own import Brightness, Broken, TowardsGrey
from benchmark_helpers import ROOT, TARGET, command, images

import attacks
import benchmark
from attacks.white_box.margin import Margin
from benchmark import board, run
from benchmark.api.run import run as defined
from benchmark.plugins.registries import Snapshot
from leaderboard import Store, StoreError
from leaderboard.row import Row
from leaderboard.stored.archive import PLACE
from leaderboard.stored.records import COLUMNS
from targets import DATA, InputError, SmoothedClassifier, load

QUICK: dict[str, Any] = {"epsilons": 0.5, "images": 3, "samples": 100, "ceiling_samples": 200, "device": "cpu"}
OPTIONS = ["--epsilons", 0.5, "--images", 3, "--samples", 100, "--ceiling-samples", 200, "--device", "cpu", "--quiet"]
GREY = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 1, 3, 4).clone()
SHADES = (GREY, torch.tensor([0, 1, 1, 1, 2]))


def shades(**given: Any) -> SmoothedClassifier:
    return SmoothedClassifier(Brightness(), sigma=0.25, num_classes=3, **{"name": "shades", **given})


def timeless(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="seconds")


def test_names_give_what_the_command_gives_to_the_bit(tmp_path: Path):
    chosen = ["clean", "margin", "nes"]
    code = command(
        *("run", "--targets", TARGET, "--attacks", *chosen, "--set", "margin.steps=3", "nes.queries=8"),
        *(*OPTIONS, "--workers", 1, "--results", tmp_path / "cli"),
    )
    assert code == 0
    result = run(TARGET, ["clean", Margin(steps=3), attacks.score.nes.NES(queries=8)], **QUICK)
    store = Store.read(tmp_path / "cli")
    cells = [cell for cell in store.cells() if cell.status == "ok"]
    assert set(result.records.cell) == {cell.key for cell in cells}
    for cell in cells:
        mine = result.records[result.records.cell == cell.key][list(COLUMNS)].reset_index(drop=True)
        pd.testing.assert_frame_equal(timeless(mine), timeless(store.records(cell.key)), check_exact=True)
    indices, adversarial = result.images(TARGET, "margin", 0.5)
    theirs = images(tmp_path / "cli", "margin")
    assert list(theirs) == indices.tolist()
    assert all((theirs[index] == image).all() for index, image in zip(indices, adversarial, strict=True))
    rows = [row | {"seconds_per_image": 0} for row in board(tmp_path / "cli")]
    assert [row | {"seconds_per_image": 0} for row in result.rows] == rows
    again = store.cells()[0].asked[-1]["options"]
    assert result_options(result)[:1] == again[:1] == ["--suite"]
    assert "margin.steps=3" in result_options(result)


def result_options(result: benchmark.Result) -> list[str]:
    return Store.read(result.folder).cells()[0].asked[-1]["options"]


def test_the_columns_are_the_documented_ones():
    result = run(TARGET, "clean", **QUICK)
    assert list(result.records.columns) == [*PLACE, *COLUMNS, "cell"]
    assert len(result.records) == 3
    assert set(result.rows[0]) <= set(Row.__annotations__)
    assert result.errors == []


def test_a_network_and_an_attack_of_one_s_own_on_a_registered_data_set():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    mine = SmoothedClassifier(network, sigma=0.25, num_classes=10, name="mine", data="digits")
    before, weights = Snapshot.take(), network[1].weight.clone()
    result = run([mine, TARGET], {"near": TowardsGrey(share=0.1), "far": TowardsGrey}, **QUICK)
    assert Snapshot.take() == before
    assert torch.equal(network[1].weight, weights)
    assert TowardsGrey.version == 1
    assert "version" not in vars(TowardsGrey)
    found = {(row["target"], row["attack"]): row for row in result.rows}
    assert {"near", "far"} == {name for _, name in found if not name.startswith("best-of")}
    assert found["mine", "near"]["parameters"] == {"share": 0.1}
    assert found["mine", "near"]["l2_max"] == pytest.approx(0.05, abs=1e-5)
    assert found[TARGET, "far"]["parameters"] == {"share": 0.9}
    assert found[TARGET, "far"]["description"] == "Walk towards grey."


def test_tensors_are_a_data_set():
    result = run(shades(), [TowardsGrey, Margin(steps=2)], **{**QUICK, "images": SHADES})
    assert {row["attack"] for row in result.rows} == {"towards-grey", "margin"}
    assert {row["images"] for row in result.rows} == {5}
    assert result.records.label.tolist() == [*SHADES[1].tolist()] * 2
    indices, adversarial = result.images("shades", "towards-grey", 0.5)
    assert indices.tolist() == [0, 1, 2, 3, 4]
    assert adversarial.shape == GREY.shape


def test_tensors_can_be_given_to_a_registered_target():
    split = DATA["digits"].split("evaluation")
    given = (split.images[:2], split.labels[:2])
    rows = run(TARGET, "clean", **{**QUICK, "images": given}).rows
    assert [(row["target"], row["data"], row["images"]) for row in rows] == [(TARGET, "given", 2)]


def test_a_registered_target_as_an_object_is_that_target():
    named, given = run(TARGET, "clean", **QUICK), run(load(TARGET, "cpu"), "clean", **QUICK)
    assert set(named.records.cell) == set(given.records.cell)


def test_nothing_is_written_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    result = run(TARGET, ["clean"], **QUICK)
    assert list(here.iterdir()) == []
    files = result.save("kept")
    assert files[0] == Path("kept/LEADERBOARD.md")
    assert board("kept") == board(result) == result.rows
    with pytest.raises(StoreError, match="kept is not empty"):
        result.save("kept")
    assert len(list(temporary.iterdir())) == 1
    del result
    gc.collect()
    assert list(temporary.iterdir()) == []
    with pytest.raises(InputError):
        run(TARGET, ["clean"], **{**QUICK, "samples": 0})
    assert list(temporary.iterdir()) == []


def test_a_results_folder_is_gone_on_with(tmp_path: Path):
    first = run(TARGET, "gaussian", results=tmp_path / "results", **QUICK)
    again = run(TARGET, ["clean", "gaussian"], results=tmp_path / "results", **QUICK)
    assert {row["attack"] for row in again.rows} == {"clean", "gaussian"}
    pd.testing.assert_frame_equal(
        again.records[again.records.attack == "gaussian"].reset_index(drop=True), first.records
    )
    assert (tmp_path / "results" / "LEADERBOARD.md").is_file()
    with pytest.raises(StoreError, match="no results"):
        board(tmp_path / "nowhere")


def test_edited_code_gets_other_results(tmp_path: Path):
    """Of an attack in a file, and of one that is in none, as in a notebook."""
    names = [run(TARGET, TowardsGrey, **QUICK).records.cell[0] for _ in range(2)]
    assert names[0] == names[1]
    source = inspect.getsource(TowardsGrey)
    edited: dict[str, Any] = {"Attack": attacks.Attack, "NoAccess": attacks.NoAccess}
    keys = set()
    for _ in range(2):
        exec(source, edited)
        keys.add(run(TARGET, edited["TowardsGrey"], **QUICK).records.cell[0])
    assert len({*keys, names[0]}) == 3


def test_an_attack_that_raises_fails_its_cells_and_no_others():
    result = run(TARGET, ["clean", Broken()], **QUICK)
    status = {row["attack"]: row["status"] for row in result.rows}
    assert status["clean"] == "ok"
    assert status["broken"] == "failed"
    assert result.errors[0].startswith(f"broken on {TARGET} at ε = 0.5:\nTraceback")
    assert "ZeroDivisionError: of the attack" in result.errors[0]
    assert set(result.records.attack) == {"clean"}
    with pytest.raises(InputError, match="unknown row"):
        result.images(TARGET, "broken", 0.5)


class Unannotated(TowardsGrey):
    """Has a number that looks like a hyper-parameter."""

    share = 0.5


def test_an_attribute_without_annotation_is_told():
    with pytest.warns(UserWarning, match=r"Unannotated\.share = 0\.5 has no annotation"):
        run(TARGET, Unannotated, **QUICK)


class Undeclared(attacks.Attack):
    """Declares no access."""

    def __call__(self, model, images, labels, epsilon, generator):
        return images


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"targets": "digit-sigma0.50"}, "unknown target"),
        ({"targets": Brightness()}, "give a registered name, or targets.SmoothedClassifier"),
        ({"targets": shades()}, "names no data set; give images="),
        ({"targets": shades(data="digits")}, "has 3 classes, its data set 'digits' 10"),
        ({"targets": shades(name=TARGET)}, "there is another target"),
        ({"targets": [shades(), shades()], "images": SHADES}, "there is another target 'shades'"),
        ({"targets": [shades(), TARGET], "images": SHADES}, "different numbers of classes"),
        ({"images": (GREY, [0, 1])}, "no pair of tensors"),
        ({"targets": shades(), "images": SHADES, "attacks": "level-set"}, "no split 'adversary'"),
        ({"attacks": "margins"}, "unknown attack"),
        ({"attacks": 3}, "an attack is given as 3"),
        ({"attacks": Undeclared}, "declares no access"),
        ({"attacks": [TowardsGrey(share=0.1), TowardsGrey(share=0.2)]}, "give yours names of their own"),
        ({"attacks": {"margin": TowardsGrey()}}, "there is another attack 'margin'"),
        ({"epsilons": "wide"}, "epsilons is 'wide'"),
        ({"epsilons": 0.0}, "epsilon is 0"),
        ({"images": 2.5}, "images is 2.5"),
        ({"query_budgets": 5}, "none of these attacks makes queries"),
        ({"device": "tpu"}, "unknown device"),
    ],
)
def test_bad_arguments_are_told_in_one_line(given: dict[str, Any], said: str):
    before = Snapshot.take()
    with pytest.raises(InputError) as told:
        run(**{"targets": TARGET, "attacks": "clean", **QUICK, **given})
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert Snapshot.take() == before


def test_the_arguments_are_the_options_of_the_command():
    from benchmark.commands.run_options import OVERRIDES

    assert set(OVERRIDES) | {"suite", "results", "device", "quiet"} == set(inspect.signature(defined).parameters)
    assert Path(inspect.getfile(benchmark.run)) == ROOT / "benchmark" / "api" / "run.py"
