"""Every attack runs on a data set of one's own, whatever its images: grey and colour, large, with many classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmark_helpers import CHEAP, board, command, suite_file
from torch import nn

from attacks import ATTACKS
from targets import register, register_data

FEWER = {**CHEAP, "steps": 2, "epochs": 1, "samples": 5, "queries": 8, "clean_samples": 20, "landing_samples": 20}
FEWER |= {"search_steps": 1, "evaluations": 2, "directions": 4, "confirm_samples": 20, "members": 1}


class Templates(nn.Module):
    """The class whose pattern an image resembles most; small and differentiable."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        drawn = torch.randn((classes, *shape), generator=torch.Generator().manual_seed(1))
        self.register_buffer("patterns", drawn / drawn.flatten(1).norm(dim=1)[:, None, None, None])

    def forward(self, images):
        return 4 * (images - 0.5).flatten(1) @ self.patterns.flatten(1).T


@pytest.mark.parametrize(("shape", "classes"), [((1, 28, 28), 10), ((3, 64, 64), 100)])
def test_every_attack(shape: tuple[int, int, int], classes: int, tmp_path: Path):
    def images(count: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(count) % classes
        noise = 0.05 * torch.randn((count, *shape), generator=generator)
        return (0.5 + 1.5 * Templates(shape, classes).patterns[labels] + noise).clamp(0, 1), labels

    register_data(
        "own",
        shape=shape,
        num_classes=classes,
        train=lambda: images(24, 0),
        adversary=lambda: images(24, 1)[0],
        evaluation=lambda: images(6, 2),
    )
    register("own-target", sigma=0.5, data="own")(lambda: Templates(shape, classes))
    settings = {
        name: {key: value for key, value in FEWER.items() if key in ATTACKS[name]().parameters()} for name in ATTACKS
    }
    for name in settings:
        if "architecture" in ATTACKS[name]().parameters():
            settings[name]["architecture"] = "small-cnn"
    suite = suite_file(
        tmp_path / "s.toml", settings, targets=["own-target"], attacks=list(ATTACKS), images=2, samples=50, alpha=0.01
    )
    done = command("run", "--suite", suite, "--results", tmp_path / "r", "--quiet", "--workers", 1, "--device", "cpu")
    assert done == 0
    assert {row["attack"]: row["status"] for row in board(tmp_path / "r")} == dict.fromkeys(ATTACKS, "ok")
