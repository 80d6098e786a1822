"""``--data``, life without CIFAR-10, and images that a transfer attacker was trained on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from benchmark_helpers import TARGET, command, error_line, records, run, suite_file

import targets
from benchmark.suite import Suite
from benchmark.suite_file import load_suite
from targets import DATA, TARGETS, DataSet, InputError, Split
from targets.data.cifar10 import VARIABLE, load_files
from targets.models import SmallCNN

NAMED = "cifar10-linear"
NEEDS_DATA = [["run", "--suite", "cifar10"], ["certify", NAMED], ["predict", NAMED], ["train", "cifar10-sigma0.50"]]


@pytest.fixture(autouse=True)
def _linear() -> None:
    """A target of CIFAR-10 that needs no weights (forgotten after each test, see conftest)."""

    @targets.register(NAMED, sigma=0.5, data="cifar10")
    def build() -> torch.nn.Module:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No data and no network; the test runs in an empty folder, and the cache would be in the one returned."""
    import torchvision.datasets.cifar

    def unreachable(*arguments: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", unreachable)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    load_files.cache_clear()
    yield tmp_path / "cache" / "abstention-bench"
    load_files.cache_clear()


@pytest.mark.parametrize("arguments", NEEDS_DATA, ids=lambda words: words[0])
def test_without_data_and_network_one_line_says_where_it_looked(
    arguments: list[str], nowhere: Path, capsys: pytest.CaptureFixture[str]
):
    assert command(*arguments) == 2
    out, err = capsys.readouterr()
    line = error_line(err)
    assert line.startswith(f"error: CIFAR-10 is not in {nowhere} and could not be downloaded (")
    assert line.endswith(f"give its folder by --data DIR or {VARIABLE}")
    assert out == ""
    assert not (Path.cwd() / "results").exists()


@pytest.mark.parametrize("arguments", NEEDS_DATA, ids=lambda words: words[0])
def test_a_bad_folder_is_one_line(
    arguments: list[str], nowhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command(*arguments, "--data", tmp_path / "here") == 2
    out, err = capsys.readouterr()
    assert error_line(err).startswith(f"error: no intact CIFAR-10 in {tmp_path / 'here'};")
    assert out == ""
    assert not nowhere.exists()  # a folder was named, so nothing is looked for elsewhere


def test_a_dry_run_plans_without_the_data_and_says_what_a_run_would_do(
    nowhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asked = ("run", "--suite", "cifar10", "--targets", NAMED, "--attacks", "clean", "level-set", "--dry-run")
    assert command(*asked) == 0
    out, err = capsys.readouterr()
    assert "24 cells: 0 stored already, 24 to run." in out  # two attacks, three ε, four shards
    assert f"Note: CIFAR-10 is not in {nowhere}; a run downloads it (170 MB)" in out
    assert err == ""
    assert not nowhere.exists()
    assert command(*asked, "--data", tmp_path / "here") == 0
    assert (
        f"Note: CIFAR-10 is not in {tmp_path / 'here'}, and a run needs it; give by --data" in capsys.readouterr().out
    )
    assert command(*asked, "--images", 300) == 2
    assert "give a number that divides 1000" in error_line(capsys.readouterr().err)


@pytest.mark.usefixtures("nowhere")
def test_a_run_of_attacks_that_own_no_images_needs_the_data_too(capsys: pytest.CaptureFixture[str]):
    assert command("run", "--suite", "cifar10", "--targets", NAMED, "--attacks", "clean") == 2
    assert "could not be downloaded" in error_line(capsys.readouterr().err)


@pytest.mark.usefixtures("cifar10")
def test_a_dry_run_says_nothing_of_data_that_is_there(capsys: pytest.CaptureFixture[str]):
    assert command("run", "--suite", "cifar10", "--targets", NAMED, "--attacks", "clean", "--dry-run") == 0
    assert "CIFAR-10" not in capsys.readouterr().out


@pytest.mark.usefixtures("nowhere")
def test_everything_else_works_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for what in ("targets", "attacks", "suites"):
        assert command("list", what) == 0
        assert "cifar10-sigma0.50" in capsys.readouterr().out or what != "targets"
    load_suite("digits").check()
    assert run(suite_file(tmp_path / "s.toml"), tmp_path / "r") == 0
    assert run(suite_file(tmp_path / "s.toml"), tmp_path / "r", "--data", tmp_path / "absent") == 0
    assert command("predict", TARGET, "--images", 5, "--quiet", "--data", tmp_path / "absent") == 0


def test_data_names_the_folder_over_the_environment(
    cifar10_folder: Path, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    from torchvision.datasets import CIFAR10

    small = ["--images", 5, "--samples", 50, "--device", "cpu", "--quiet"]
    assert command("predict", NAMED, *small, "--output", tmp_path / "t.tsv") == 2
    labels = CIFAR10(str(cifar10_folder), train=False).targets
    for number, verb in enumerate(("predict", "certify")):
        path = tmp_path / f"{number}.tsv"
        assert command(verb, NAMED, *small, "--output", path, "--data", cifar10_folder) == 0
        assert os.environ[VARIABLE] == str(tmp_path / "absent")  # of the user, and left alone
        found = [line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        assert found == [[str(i), str(int(labels[i]))] for i in range(0, 10_000, 2000)]
    suite = suite_file(tmp_path / "s.toml", targets=[NAMED], attacks=["clean"])
    assert run(suite, tmp_path / "r", "--data", cifar10_folder) == 0


def test_workers_read_the_folder_that_the_run_was_given(
    cifar10_folder: Path, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import targets, torch\n\n\n@targets.register('worked', sigma=0.5, data='cifar10')\ndef build():\n"
        "    torch.manual_seed(0)\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n",
        encoding="utf-8",
    )
    suite = suite_file(tmp_path / "s.toml", targets=["worked"], attacks=["clean", "gaussian"], images=2, samples=20)
    workers = ("--workers", 1, "--plugin", plugin)  # which is in a process of its own
    assert run(suite, tmp_path / "r", *workers, "--data", cifar10_folder) == 0
    assert len(records(tmp_path / "r", "gaussian")) == 2


@pytest.mark.usefixtures("cifar10")
def test_the_suite_holds_one_target_a_sigma_and_every_attack_on_images_that_no_attacker_knows():
    suite = load_suite("cifar10")
    suite.check()
    assert [TARGETS[name].sigma for name in suite.target_names()] == [0.12, 0.25, 0.50, 1.00]
    assert {TARGETS[name].data for name in suite.target_names()} == {"cifar10"}
    assert suite.attack_names() == load_suite("digits").attack_names()
    assert suite.epsilons == (0.25, 0.5, 1.0)
    assert (suite.images, suite.samples) == (200, 1000)


@pytest.fixture
def hundred() -> Iterator[Suite]:
    """A suite on a data set of 100 images, whose adversary knows all but every fifth."""

    def split(name: str) -> Split:
        images = torch.rand((100, 1, 8, 8), generator=torch.Generator().manual_seed(1))
        rows = torch.arange(100)
        rows = rows[rows % 5 != 0] if name == "adversary" else rows
        return Split(images[rows], rows % 10)

    DATA.add("hundred", DataSet("hundred", num_classes=10, shape=(1, 8, 8), split=split, held_back=5))
    targets.register("hundred-cnn", sigma=0.5, data="hundred")(SmallCNN)
    yield Suite("x", targets=("hundred-cnn",), attacks=("clean", "margin-transfer"))
    DATA.remove("hundred")


@pytest.mark.parametrize("images", [1, 2, 5, 10, 20])
def test_images_that_the_adversary_does_not_know_are_accepted(hundred: Suite, images: int):
    dataclasses.replace(hundred, images=images).check()


@pytest.mark.parametrize("images", [3, 8, 21, 50, 100])
@pytest.mark.parametrize("attack", ["margin-transfer", "level-set"])
def test_an_attack_on_images_that_the_adversary_knows_is_refused_in_one_line(hundred: Suite, attack: str, images: int):
    with pytest.raises(InputError) as caught:
        dataclasses.replace(hundred, images=images, attacks=("clean", attack)).check()
    assert str(caught.value) == (
        f"some of {images} evenly spaced images of hundred are among the adversary's own, which {attack} knows; "
        "give a number that divides 20, or leave out attacks of transfer, hybrid and decision access"
    )


@pytest.mark.parametrize("images", [3, 100])
def test_other_attacks_take_any_image(hundred: Suite, images: int):
    dataclasses.replace(hundred, images=images, attacks=("clean", "margin", "zoo", "cw")).check()


def test_the_refusal_reaches_the_command_line(hundred: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(tmp_path / "s.toml", targets=list(hundred.targets), attacks=["*"], images=30)
    assert run(suite, tmp_path / "r") == 2
    assert "give a number that divides 20" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "r").exists()


def test_a_split_that_is_none_ends_the_command_in_one_line_before_anything_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Labels of -1 gave 100% abstention and 100% accuracy in one row; a damaged adversary a failed row an attack."""

    def unlabelled(name: str) -> Split:
        return Split(torch.rand(20, 1, 8, 8), torch.full((20,), -1))

    def one_sided(name: str) -> Split:
        return Split(torch.rand(20, 1, 8, 8) + (name == "adversary"), torch.arange(20) % 10)

    def absent(name: str) -> Split:
        raise FileNotFoundError(2, "No such file or directory", "digits.npz")

    for name, split, words in [
        ("unlabelled", unlabelled, "split 'evaluation' of data set 'unlabelled': labels go from -1 to -1; give 0 to 9"),
        ("one-sided", one_sided, "split 'adversary' of data set 'one-sided': images go from 1"),
        (
            "absent",
            absent,
            ": FileNotFoundError: [Errno 2] No such file or directory: 'digits.npz'",
        ),
    ]:
        DATA.add(name, DataSet(name, num_classes=10, shape=(1, 8, 8), split=split))
        try:
            targets.register(f"{name}-cnn", sigma=0.5, data=name)(SmallCNN)
            suite = suite_file(tmp_path / "s.toml", targets=[f"{name}-cnn"], attacks=["level-set"], images=2)
            assert run(suite, tmp_path / "r") == 2
            assert words in error_line(capsys.readouterr().err)
            assert not (tmp_path / "r").exists()
            if name != "one-sided":
                for verb in ("predict", "certify"):
                    assert command(verb, f"{name}-cnn", "--images", 2, "--output", tmp_path / "t.tsv") == 2
                    assert words in error_line(capsys.readouterr().err)
                    assert not (tmp_path / "t.tsv").exists()
        finally:
            DATA.remove(name)
