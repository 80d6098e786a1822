"""The target of the training, and its training that nothing stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands_training import FINISHED, RECIPE, Tiny, names, split, train

from targets import DATA, TARGETS, DataSet, Target


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(Tiny, "steps", 0)
    monkeypatch.setattr(Tiny, "stop_at", None)
    DATA.add("six-by-six", DataSet("six-by-six", num_classes=2, shape=(3, 6, 6), split=split))
    target = Target("tiny-sigma0.25", 0.25, "six-by-six", Tiny, recipe=RECIPE, description="a linear classifier")
    TARGETS.add(target.name, target)  # conftest takes it out again
    yield target
    DATA.remove("six-by-six")


@pytest.fixture
def whole(tmp_path: Path, tiny: Target, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a training that nothing stopped."""
    assert train(tmp_path / "whole", "--quiet") == 0
    assert names(tmp_path / "whole") == FINISHED
    capsys.readouterr()
    Tiny.steps = 0
    return tmp_path / "whole"
