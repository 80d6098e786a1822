"""What a checkpoint's file holds: nothing in it is run, and what is wrong with it is one clear line."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import targets_cohen as cohen
import torch
from targets_checkpoint import COHENS, SHAPE, answers

import targets
from targets import TargetError
from targets.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures("shallow")


def test_old_files_load_too(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    """From before PyTorch counted batches (0.4.1) and wrote zip archives (1.6)."""
    old = {f"1.{name}": tensor for name, tensor in state.items() if "num_batches" not in name}
    path = tmp_path / "old.pth.tar"
    torch.save({"epoch": 90, "arch": "resnet-8", "state_dict": old}, path, _use_new_zipfile_serialization=False)
    found = answers(path, images, **COHENS)
    torch.testing.assert_close(found, cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)


class Unsafe:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


def test_an_unsafe_pickle_is_refused_and_not_run(tmp_path: Path, state: dict[str, torch.Tensor]):
    mark = tmp_path / "mark"
    unsafe = {"arch": "resnet-8", "state_dict": state, "best": Unsafe(mark)}
    torch.save(unsafe, tmp_path / "new.pth.tar")
    (tmp_path / "plain.pth.tar").write_bytes(pickle.dumps(unsafe))
    for name in ("new", "plain"):
        with pytest.raises(TargetError, match="more than tensors and plain values; nothing else is loaded") as caught:
            load_checkpoint(tmp_path / f"{name}.pth.tar", SHAPE, 10)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_a_damaged_file(damage: str, tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "text": b"<!DOCTYPE html><html>Sign in</html>",
            "flipped": whole[:40] + bytes(100) + whole[140:],
        }[damage]
    )
    with pytest.raises(TargetError, match=r"^checkpoint .*c\.pth\.tar is damaged, or holds more than") as caught:
        load_checkpoint(path, SHAPE, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"state_dict": [1], "epoch": 3}, "'state_dict', 'epoch'"),
        ([1], "list"),
        ({}, "nothing"),
        ({"state_dict": {"a": 1}}, "'state_dict'"),
        ({"weights": {"a": torch.zeros(1)}}, "'weights'"),
    ],
)
def test_a_file_without_a_state_dict(content: Any, found: str, tmp_path: Path):
    torch.save(content, tmp_path / "c.pth.tar")
    with pytest.raises(TargetError, match=rf"holds no state_dict of tensors, but {found}; write it by torch\.save"):
        load_checkpoint(tmp_path / "c.pth.tar", SHAPE, 10)


def test_a_file_that_went_away(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.5)
    path.unlink()
    with pytest.raises(TargetError, match=rf"^cannot read the checkpoint {path}: No such file"):
        targets.load("mine", "cpu")


@pytest.mark.parametrize(
    ("first", "second", "prefix"),
    [("state_dict", "model", "1."), ("state_dict", "net", ""), ("model", "ema", "module."), ("net", "model", "")],
)
def test_a_file_with_two_sets_of_weights_is_refused_unless_they_are_equal(
    first: str, second: str, prefix: str, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    def write(others: dict[str, torch.Tensor]) -> Path:
        held = {first: state, second: {f"{prefix}{name}": tensor for name, tensor in others.items()}}
        torch.save({"arch": "resnet-8", **held, "constants": {"scale": torch.ones(1)}}, tmp_path / "c.pth")
        return tmp_path / "c.pth"

    found = answers(write(state), images, **COHENS)
    torch.testing.assert_close(found, cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)
    for others in (
        {**state, "fc.bias": state["fc.bias"] + 1e-3},
        {name: tensor for name, tensor in state.items() if name != "fc.bias"},
    ):
        with pytest.raises(TargetError, match=r"^checkpoint .*c\.pth holds two sets of weights, '") as caught:
            load_checkpoint(write(others), SHAPE, 10, **COHENS)
        assert f"{first!r}" in str(caught.value)
        assert f"{second!r}" in str(caught.value)
        assert "\n" not in str(caught.value)
