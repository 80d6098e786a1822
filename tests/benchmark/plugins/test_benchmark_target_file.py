"""Targets of one's own: checkpoints from a few lines of TOML, and any module from a plugin, up to the board."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_helpers import board, command, error_line, run, suite_file

from benchmark.plugins.loading import load_file
from leaderboard import Store
from targets import DATA, TARGETS, InputError, load
from targets.models import ARCHITECTURES
from targets.resnet import DEVIATIONS, MEANS, ResNet

# A data set of 32×32 colour images that no file is needed for, and a module of one's own.
PLUGIN = '''
import torch
import targets
from targets import DATA, DataSet, Split


def split(name):
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(len(name)))
    return Split(images, torch.arange(6))


DATA.add("colours", DataSet("colours", num_classes=10, shape=(3, 32, 32), split=split))


class Centre(torch.nn.Module):
    def forward(self, images):
        return images - 0.5


@targets.register("any-module", sigma=0.5, data="colours")
def any_module():
    """Whatever maps images to logits."""
    torch.manual_seed(1)
    return torch.nn.Sequential(Centre(), torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(48, 10))
'''


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    """Data sets and architectures as they were; conftest does so with the rest."""
    data, architectures = DATA.snapshot(), ARCHITECTURES.snapshot()
    yield
    DATA.restore(data)
    ARCHITECTURES.restore(architectures)


COHENS = {"means": list(MEANS), "sds": list(DEVIATIONS)}
CONSTANTS = "".join(f"{key} = {values}\n" for key, values in COHENS.items())
"""What the checkpoints below do not hold."""


def checkpoint(path: Path, seed: int = 0, depth: int = 20, **content: Any) -> Path:
    """As Cohen's code saves one."""
    torch.manual_seed(seed)
    state = {f"1.{name}": tensor for name, tensor in ResNet(depth).state_dict().items()}
    path.parent.mkdir(exist_ok=True, parents=True)
    torch.save({"epoch": 90, "arch": f"cifar_resnet{depth}", "state_dict": state, "optimizer": {}, **content}, path)
    return path


def toml(folder: Path, content: str, name: str = "mine.toml") -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def describe(folder: Path, **values: Any) -> Path:
    """A file of one target, with these values over the shortest."""
    table = {"checkpoint": "noise_0.50/checkpoint.pth.tar", "sigma": 0.5, "data": "colours", **COHENS, **values}
    return toml(
        folder,
        "[targets.mine]\n"
        + "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint, a file that names it, and the plugin whose data it classifies."""
    checkpoint(tmp_path / "noise_0.50" / "checkpoint.pth.tar")
    (tmp_path / "colours.py").write_text(PLUGIN, encoding="utf-8")
    describe(tmp_path)
    return tmp_path


def test_a_checkpoint_and_a_module_are_on_the_board(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """From another folder than the file's, and in a worker."""
    suite = suite_file(folder / "s.toml", targets=["mine", "any-module"], attacks=["clean", "gaussian"], images=3)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert command("run", "--suite", suite, "--results", "r", "--plugin", "../colours.py", "../mine.toml") == 0
    assert "4 cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    rows = board(folder / "elsewhere" / "r")
    assert {(row["target"], row["attack"]) for row in rows} == {
        (target, attack) for target in ("mine", "any-module") for attack in ("clean", "gaussian")
    }
    assert all(row["status"] == "ok" and row["sigma"] == 0.5 and row["images"] == 3 for row in rows)


def test_it_is_the_checkpoint_s_network(folder: Path):
    load_file(folder / "colours.py")
    assert load_file(folder / "mine.toml") == ["mine"]
    torch.manual_seed(0)
    images, network = torch.rand(2, 3, 32, 32), ResNet(20)
    network.load_state_dict(
        {
            name.removeprefix("1."): tensor
            for name, tensor in torch.load(folder / "noise_0.50" / "checkpoint.pth.tar")["state_dict"].items()
        }
    )
    with torch.no_grad():
        torch.testing.assert_close(load("mine", "cpu").base_classifier(images), network.eval()(images))


def test_every_key(folder: Path, capsys: pytest.CaptureFixture[str]):
    path = describe(
        folder, sigma=1, data="cifar10", architecture="resnet-20", means=[0.5, 0.5, 0.5], sds=[1, 1.0, 0.25]
    )
    load_file(path)
    target = load("mine", "cpu")
    assert (target.sigma, target.data) == (1, "cifar10")
    normalize = target.base_classifier.normalize
    assert normalize.means.flatten().tolist() == [0.5, 0.5, 0.5]
    assert normalize.deviations.flatten().tolist() == [1, 1, 0.25]
    TARGETS.remove("mine")
    assert command("list", "targets", "--json", "--plugin", path) == 0
    (entry,) = (entry for entry in json.loads(capsys.readouterr().out) if entry["name"] == "mine")
    assert entry == {
        "name": "mine",
        "sigma": 1,
        "data": "cifar10",
        "description": "resnet-20 from checkpoint.pth.tar",
        "training": None,
    }


def test_a_file_of_another_editor_is_read(folder: Path):
    load_file(folder / "colours.py")
    path = describe(folder)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_file(path) == ["mine"]


def test_several_targets_and_a_name_with_a_dot(folder: Path):
    checkpoint(folder / "other.pth.tar", seed=1)
    names = load_file(
        toml(
            folder,
            f'[targets."mine-sigma0.25"]\ncheckpoint = "noise_0.50/checkpoint.pth.tar"\nsigma = 0.25\n{CONSTANTS}'
            f'[targets.other]\ncheckpoint = "other.pth.tar"\nsigma = 0.5\n{CONSTANTS}',
        )
    )
    assert names == ["mine-sigma0.25", "other"]
    assert load(names[0], "cpu").digest != load(names[1], "cpu").digest


def test_listing_reads_no_weights(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "noise_0.50" / "checkpoint.pth.tar").write_bytes(b"damaged")
    assert command("list", "targets", "--plugin", folder / "colours.py", folder / "mine.toml") == 0
    assert "base classifier from checkpoint.pth.tar" in capsys.readouterr().out


def weights_of_cells(results: Path) -> set[str]:
    return {cell.settings["weights"] for cell in Store.read(results).cells()}


def test_another_checkpoint_under_the_same_name_has_cells_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(folder / "s.toml", targets=["mine"], attacks=["clean"], images=1, ceiling_samples=50)

    def summary() -> str:
        before = set(DATA)
        assert run(suite, folder / "r", "--plugin", folder / "colours.py", folder / "mine.toml") == 0
        for name in set(DATA) - before:
            DATA.remove(name)
        return capsys.readouterr().out

    path = folder / "noise_0.50" / "checkpoint.pth.tar"
    assert "1 cells run, 0 stored already" in summary()
    assert "0 cells run, 1 stored already" in summary()
    checkpoint(path, seed=1)
    assert "1 cells run, 0 stored already" in summary()
    saved = {"0.means": torch.zeros(3), "0.sds": torch.ones(3)}
    state = torch.load(path)["state_dict"]
    checkpoint(path, seed=1, state_dict={**state, **saved})
    describe(folder, means=None, sds=None)
    assert "1 cells run, 0 stored already" in summary()
    checkpoint(path, seed=0)
    describe(folder)
    assert "0 cells run, 1 stored already" in summary()
    assert len(weights_of_cells(folder / "r")) == 3


def test_a_target_of_an_edited_plugin_is_run_again(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Also where the edit is in what the module does, which neither its weights nor its layers' names tell."""
    suite = suite_file(folder / "s.toml", targets=["any-module"], attacks=["clean"], images=2)
    for content, expected in [
        (PLUGIN, "1 cells run, 0 stored already"),
        (PLUGIN, "0 cells run, 1 stored already"),
        (PLUGIN.replace("images - 0.5", "0.5 - images"), "1 cells run, 0 stored already"),
        (PLUGIN, "0 cells run, 1 stored already"),
    ]:
        (folder / "colours.py").write_text(content, encoding="utf-8")
        assert run(suite, folder / "r", "--plugin", folder / "colours.py") == 0
        assert expected in capsys.readouterr().out


# What can be wrong with the file, and what the one line must say.
CHECKPOINT = 'checkpoint = "noise_0.50/checkpoint.pth.tar"\n'
BAD = {
    "not TOML": ("[targets.mine\n", ["not TOML: "]),
    "empty": ("", ["it names no target; begin with [targets.its-name]"]),
    "no table of targets": ("targets = 3\n", ["it names no target"]),
    "no table": ("[targets]\nmine = 3\n", ["targets.mine is 3; give a table: [targets.mine]"]),
    "top": ("[target.mine]\n", ["unknown key 'target'; did you mean 'targets'?"]),
    "key": (
        f"[targets.mine]\n{CHECKPOINT}sigma = 0.5\narchitectur = 'resnet-20'\n",
        ["unknown key of target 'mine': 'architectur'; did you mean 'architecture'?"],
    ),
    "dot": (
        f"[targets.mine-sigma0.50]\n{CHECKPOINT}sigma = 0.5\n",
        ['a name with a dot in it needs quotes: [targets."mine-sigma0.50"]'],
    ),
    "no checkpoint": ("[targets.mine]\nsigma = 0.5\n", ["target 'mine' has no checkpoint; give a file"]),
    "no sigma": (f"[targets.mine]\n{CHECKPOINT}", ["target 'mine' has no sigma; give a number"]),
    "sigma as text": (f"[targets.mine]\n{CHECKPOINT}sigma = '0.5'\n", ["sigma of target 'mine' is '0.5'; give a num"]),
    "sigma as truth": (f"[targets.mine]\n{CHECKPOINT}sigma = true\n", ["sigma of target 'mine' is True; give a num"]),
    "sigma": (f"[targets.mine]\n{CHECKPOINT}sigma = 0\n", ["sigma of target 'mine' is 0; give a number above 0"]),
    "checkpoint": ("[targets.mine]\ncheckpoint = 3\nsigma = 1\n", ["checkpoint of target 'mine' is 3; give a file"]),
    "sds": (
        f"[targets.mine]\n{CHECKPOINT}sigma = 1\nsds = [1, 'a', 1]\n",
        ["sds of target 'mine' is [1, 'a', 1]; give a list of numbers"],
    ),
    "missing file": ("[targets.mine]\ncheckpoint = 'gone.tar'\nsigma = 1\n", ["there is no checkpoint", "gone.tar"]),
    "data": (f"[targets.mine]\n{CHECKPOINT}sigma = 1\ndata = 'cifar'\n", ["unknown data set 'cifar'; did you mean"]),
    "architecture": (
        f"[targets.mine]\n{CHECKPOINT}sigma = 1\narchitecture = 'cifar_resnet56'\n",
        ["unknown architecture 'cifar_resnet56'; known: "],
    ),
    "after a good one": (
        f"[targets.first]\n{CHECKPOINT}sigma = 1\n[targets.second]\n{CHECKPOINT}",
        ["target 'second' has no sigma"],
    ),
    "taken": (f"[targets.'digits-sigma0.50']\n{CHECKPOINT}sigma = 1\n", ["'digits-sigma0.50' is taken"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_line_and_leaves_nothing(case: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    content, words = BAD[case]
    before = list(TARGETS)
    with pytest.raises(InputError):
        load_file(toml(folder, content))
    assert list(TARGETS) == before
    assert command("list", "targets", "--plugin", folder / "mine.toml") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert error_line(err).startswith("error: plugin mine.toml: ")
    assert all(word in err for word in words), err


def test_a_bad_checkpoint_is_one_clear_line_before_anything_is_run(folder: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(folder / "s.toml", targets=["any-module", "mine"], attacks=["clean"], images=2)
    checkpoint(folder / "noise_0.50" / "checkpoint.pth.tar", arch="cifar_resnet110")
    assert run(suite, folder / "r", "--plugin", folder / "colours.py", folder / "mine.toml") == 2
    line = error_line(capsys.readouterr().err)
    assert "noise_0.50/checkpoint.pth.tar: 'layer1.3.conv1.weight' of resnet-110 is missing" in line
    assert not Store.read(folder / "r").cells()


def test_a_plugin_that_fails_leaves_no_data_set_and_no_architecture(folder: Path):
    before = list(DATA), list(ARCHITECTURES)
    content = PLUGIN + "\nfrom targets.models import ARCHITECTURES\nARCHITECTURES.add('mine', None)\n1 / 0\n"
    (folder / "colours.py").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_file(folder / "colours.py")
    assert (list(DATA), list(ARCHITECTURES)) == before


def test_an_architecture_of_one_s_own(folder: Path):
    (folder / "arch.py").write_text(
        "from targets.models import ARCHITECTURES\nfrom targets.resnet import ResNet\n"
        "ARCHITECTURES.add('my-resnet-8', lambda shape, num_classes: ResNet(8, shape, num_classes))\n",
        encoding="utf-8",
    )
    checkpoint(folder / "noise_0.50" / "checkpoint.pth.tar", depth=8)
    assert load_file(folder / "arch.py") == ["my-resnet-8"]
    load_file(describe(folder, data="cifar10", architecture="my-resnet-8"))
    assert sum(p.numel() for p in load("mine", "cpu").base_classifier.parameters()) < 100_000
