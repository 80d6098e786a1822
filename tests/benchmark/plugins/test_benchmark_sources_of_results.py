"""A plugin's code is in the keys of what it computes: cells, targets and surrogates."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmark_helpers import as_before, records, run, suite_file
from plugins_push import plugin, write

from benchmark.plugins.loading import load_file
from leaderboard import Store
from targets import TARGETS, load


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return suite_file(tmp_path / "s.toml", attacks=["push"], images=2, samples=20, ceiling_samples=20)


def test_cells_of_an_edited_helper_are_run_again(tmp_path: Path, suite: Path, capsys: pytest.CaptureFixture[str]):
    for strength, summary in [(0.25, "1 cells run"), (0.25, "0 cells"), (0.75, "1 cells run"), (0.25, "0 cells")]:
        write(tmp_path, {"mine.py": plugin("from helper import STRENGTH"), "helper.py": f"STRENGTH = {strength}"})
        assert run(suite, tmp_path / "r", "--plugin", tmp_path / "mine.py") == 0
        assert summary in capsys.readouterr().out
    norms = {round(Store.read(tmp_path / "r").records(key).l2.mean(), 3) for key in keys(tmp_path / "r")}
    assert norms == {0.125, 0.375}  # of a budget of 0.5


def keys(results: Path) -> list[str]:
    return [cell.key for cell in Store.read(results).cells()]


NETWORK = """
import targets
from torch import nn


class Scaled(nn.Flatten):
    def forward(self, images):
        return super().forward(images)[:, :10]


@targets.register("mine", sigma=0.5, data="digits")
def build():
    return Scaled()
"""


def test_a_target_whose_classes_are_the_plugins_has_the_digest_that_it_always_had(tmp_path: Path):
    """The name of a class's module is in it."""
    write(tmp_path, {"mine.py": NETWORK})
    load_file(tmp_path / "mine.py")
    assert (
        load("mine", "cpu").digest
        == "3064bca048ca8d836dd6e2c4b7536b0c665ba67503330c7988a9ce1679000b88+3f545eff75f3803f"
    )


ARCHITECTURE = """
from targets.models import ARCHITECTURES, SmallCNN
from helper import Scaled
ARCHITECTURES.add("mine", lambda shape, classes: Scaled(shape, classes))
"""


HELPER = """
from targets.models import SmallCNN
class Scaled(SmallCNN):
    def forward(self, images):
        return super().forward(images * 0.25)
"""


TARGET = '[targets.mine-target]\ncheckpoint = "weights.pth.tar"\nsigma = 0.5\ndata = "digits"\narchitecture = "mine"\n'


def test_an_edited_architecture_is_another_target_and_another_surrogate(tmp_path: Path):
    """Though neither the checkpoint nor a hyper-parameter changed."""
    from attacks.surrogate import SurrogateRecipe
    from benchmark.cell import Cell
    from benchmark.suite import Suite
    from targets.models import SmallCNN

    torch.save({"arch": "mine", "state_dict": SmallCNN().state_dict()}, tmp_path / "weights.pth.tar")
    text = plugin("STRENGTH = 0.25") + ARCHITECTURE
    found = []
    for scale in (0.25, 0.25, 0.75):
        write(tmp_path, {"mine.py": text, "helper.py": HELPER.replace("0.25", str(scale)), "target.toml": TARGET})
        with as_before():
            load_file(tmp_path / "mine.py")
            load_file(tmp_path / "target.toml")
            suite = Suite("s", settings={"margin-transfer": {"architecture": "mine"}})
            target = load("mine-target", "cpu")
            digits = load("digits-sigma0.50", "cpu")
            cell = Cell(suite, digits, "margin-transfer", suite.attack("margin-transfer"), 0.5, (0,))
            surrogate = SurrogateRecipe("mine", epochs=1, batch=1, learning_rate=1.0, abstention=True)
            found.append((target.digest, cell.key, surrogate.key))
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])
    assert "mine-target" not in TARGETS


def test_a_surrogate_that_a_plugin_trains_itself_is_of_its_code(tmp_path: Path, suite: Path):
    """What it calls it may have stayed the same."""
    body = 'model.surrogate("mine", lambda: SmallCNN(), lambda *_: None)\n        STRENGTH = 0.25'
    text = plugin("from targets.models import SmallCNN", inner=body).replace(
        "NoAccess\n\n    def", "Transfer\n\n    def"
    )
    for content in (text, text, text.replace("lambda *_: None", "lambda *_: ...")):
        write(tmp_path, {"mine.py": content})
        assert run(suite, tmp_path / "r", "--plugin", tmp_path / "mine.py") == 0
    shared = [path.read_text(encoding="utf-8") for path in (tmp_path / "r" / "shared").glob("*.json")]
    assert sum('"surrogate"' in text for text in shared) == 2
    assert len(records(tmp_path / "r", "push")) == 4
