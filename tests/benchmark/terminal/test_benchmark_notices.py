"""What is said of a target beside its numbers: how it normalises, and that its accuracy is that of chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmark_helpers import TARGET, command, run, suite_file
from torch import nn

import targets
from benchmark.terminal.notices import warn_at_chance
from targets.data.digits import split


class Shifted(nn.Module):
    """A good network whose classes are in another order than the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = targets.load(TARGET, "cpu").base_classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images).roll(1, dims=1)


@pytest.mark.parametrize(
    ("right", "answered", "classes", "warned"),
    [
        (2, 40, 10, True),  # Cohen's constants on a network of raw pixels
        (2, 30, 10, True),
        (8, 40, 10, False),  # significantly better than chance, if not good
        (24, 40, 10, False),
        (0, 4, 10, False),  # four images show nothing
        (0, 13, 10, False),
        (0, 14, 10, True),
        (0, 0, 10, False),
        (40, 40, 10, False),
        (20, 40, 2, False),
        (200, 400, 2, True),
        (300, 400, 2, False),
        (0, 100, 1000, True),
        (10, 100, 1000, False),
    ],
)
def test_who_is_warned_of(right: int, answered: int, classes: int, warned: bool, capsys: pytest.CaptureFixture[str]):
    warn_at_chance("mine", right, answered, classes)
    out, err = capsys.readouterr()
    assert out == ""
    words = f"warning: mine is right on {right} of the {answered} clean images that it answers, which is chance for "
    assert err.startswith(words) if warned else err == ""


@pytest.mark.parametrize("verb", ["predict", "certify"])
def test_predict_and_certify_warn(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    targets.register("shifted", sigma=0.5, data="digits")(Shifted)
    options = ("--images", 30, "--samples", 50, "--quiet")
    assert command(verb, "shifted", *options, "--output", tmp_path / "t.tsv") == 0
    line = capsys.readouterr().err.strip()
    assert line.startswith("warning: shifted is right on 0 of the ")
    assert line.endswith("are its normalisation (means, sds), σ and order of labels as in training?")
    assert command(verb, TARGET, *options, "--output", tmp_path / "u.tsv") == 0
    assert capsys.readouterr().err == ""


def test_run_warns_of_the_target_alone_that_is_at_chance(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    targets.register("shifted", sigma=0.5, data="digits")(Shifted)
    suite = suite_file(tmp_path / "s.toml", targets=["shifted", TARGET], images=30, samples=50)
    assert run(suite, tmp_path / "r") == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("warning: shifted is right on 0 of the ")


def test_the_normalisation_of_a_checkpoint_is_said_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from targets import DATA, DataSet, Split
    from targets.resnet import ResNet

    def load(name: str) -> Split:
        grey = split("evaluation" if name == "evaluation" else "adversary")
        return Split(grey.images.repeat(1, 3, 4, 4), grey.labels)

    DATA.add("large", DataSet("large", 10, (3, 32, 32), load))
    torch.save({"arch": "cifar_resnet20", "state_dict": ResNet(20).state_dict()}, tmp_path / "c.pth")
    described = tmp_path / "mine.toml"
    described.write_text(
        '[targets.mine]\ncheckpoint = "c.pth"\nsigma = 0.5\ndata = "large"\nmeans = [0, 0, 0]\nsds = [1, 1, 1]\n'
    )
    said = "mine: images are normalised by means [0.0, 0.0, 0.0] and sds [1.0, 1.0, 1.0], as given\n"
    for verb in ("predict", "certify"):
        table = ("--output", tmp_path / f"{verb}.tsv", "--plugin", described)
        assert command(verb, "mine", "--images", 1, "--samples", 20, "--quiet", *table) == 0
        assert capsys.readouterr().err == said
    suite = suite_file(tmp_path / "s.toml", targets=["mine"], attacks=["clean"], images=1, samples=20)
    assert run(suite, tmp_path / "r", "--plugin", described) == 0
    assert capsys.readouterr().err == said
