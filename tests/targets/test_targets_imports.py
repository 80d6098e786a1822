from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_ground_floor_knows_no_other_room():
    files = sorted((ROOT / "targets").rglob("*.py"))
    assert len(files) > 10
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"attacks", "benchmark", "leaderboard"}, f"{file.name}: {line}"


def test_targets_and_attacks_come_without_the_slow_parts_of_scipy():
    slow = ["scipy.stats", "scipy.optimize", "torchvision", "foolbox", "art", "pandas", "sklearn"]
    code = f"import sys, attacks, targets; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
