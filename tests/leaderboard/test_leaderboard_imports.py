from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ["torch", "targets", "attacks", "benchmark", "pandas", "scipy", "numpy"]


def test_importing_the_room_is_cheap_and_brings_no_torch():
    code = f"import sys, leaderboard; print([name for name in {HEAVY} if name in sys.modules])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_no_file_of_the_room_knows_the_others():
    for file in (Path(__file__).parents[2] / "leaderboard").rglob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"torch", "targets", "attacks", "benchmark"}, f"{file}: {line}"
