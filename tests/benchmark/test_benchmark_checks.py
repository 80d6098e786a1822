"""A run says what it saw of its own attacks: on targets without gradients, and on a plain one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from benchmark_helpers import board, by_attack, run, suite_file
from benchmark_tiny import Linear, install
from torch import Tensor, nn

import targets


class Rounded(Linear):
    """Quantises its input first."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(torch.round(images * 16) / 16)


class Detached(Linear):
    """Gives its logits without their past."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).detach()


class StraightThrough(Linear):
    """Quantises its input and passes the gradient on, as docs/checks.md advises."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images + (torch.round(images * 16) / 16 - images).detach())


class Softmax(Linear):
    """Probabilities for logits."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(1)


ATTACKS = ["clean", "margin", "cw", "level-set"]
SETTINGS = {"margin": {"steps": 4, "samples": 30, "settle_steps": 1}, "cw": {"steps": 4, "search_steps": 1}}


def attacked(tmp_path: Path, name: str, base: type[nn.Module], **values: object) -> int:
    install()
    targets.register(name, sigma=0.5, data="tiny")(base)
    asked = {"targets": [name], "attacks": ATTACKS, "epsilons": [1.0], "images": 12, "best_of": False, **values}
    return run(suite_file(tmp_path / "s.toml", SETTINGS, **asked), tmp_path / "r")


def test_a_target_with_rounded_inputs_is_no_robust_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert attacked(tmp_path, "tiny-rounded", Rounded) == 0
    rows = {row["attack"]: row for row in board(tmp_path / "r")}
    assert rows["level-set"]["abstention_rate"] > rows["margin"]["abstention_rate"]
    for name, gradients in (("margin", 12 * 4), ("cw", 12 * 4)):
        seen = by_attack(tmp_path / "r")[name].observed
        assert seen == rows[name]["observed"]
        assert seen["zero_gradients"] == seen["gradients"] == gradients
        assert seen["images_blind"] == 12
    out = capsys.readouterr().out
    said = (
        "warning: tiny-rounded gives no gradient to follow at 24 of 24 images of cw, margin (gradients: 96 of 96 zero)"
    )
    assert f"Check of the attacks:\n  {said}" in out
    content = json.loads((tmp_path / "r" / "leaderboard.json").read_text(encoding="utf-8"))
    assert [finding["kind"] for finding in content["checks"]][:1] == ["gradients"]
    assert "1 warning" in (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("base", [Linear, Softmax, StraightThrough])
def test_a_target_with_gradients_is_not_accused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: type[nn.Module]
):
    assert attacked(tmp_path, "tiny-plain", base) == 0
    assert "no gradient" not in capsys.readouterr().out
    seen = by_attack(tmp_path / "r")["margin"].observed
    assert (seen["gradients"], seen["zero_gradients"], seen["broken_gradients"]) == (48, 0, 0)
    assert "observed" not in next(row for row in board(tmp_path / "r") if row["attack"] == "level-set")


def test_detached_logits_fail_every_white_box_attack_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert attacked(tmp_path, "tiny-detached", Detached) == 1
    out = capsys.readouterr().out
    for name in ("cw", "margin"):
        assert (
            f"{name} failed: attacks.access.white_box.NoGradient: the base classifier's logits are detached from its "
            "input, so it gives no gradients; see docs/checks.md"
        ) in out
    status = {row["attack"]: row["status"] for row in board(tmp_path / "r")}
    assert status == {"clean": "ok", "margin": "failed", "cw": "failed", "level-set": "ok"}
