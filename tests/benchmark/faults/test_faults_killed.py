"""A writer killed at any of its file operations leaves nothing torn, and the same again mends what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_helpers import PATIENCE, ROOT, environment
from faults_cells import VOTES, cell_settings
from faults_world import kept

from benchmark.key import key_of, settings_key

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")

LEAST = {"renew": 15, "ask": 9, "adopt": 12, "fail": 9, "again": 17, "after_failure": 17, "shared": 18, "remove": 3}
LEAST |= {"board": 30}
"""Operations that each scenario has, or a few more."""


CELLS = {
    "clean-0.5": {"attack": "clean", "target": "toy"},
    "margin-0.5": {"attack": "margin", "target": "toy"},
    "nes-1.0": {"attack": "nes", "epsilon": 1.0, "target": "toy"},
}
"""By the names that the program gives them, the cells of its board."""


@pytest.mark.parametrize("scenarios", [[name for name in LEAST if name != "board"], ["board"]], ids=["cells", "board"])
def test_killed_at_each_file_operation(scenarios: list[str], tmp_path: Path):
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (ROOT, here, ROOT / "tests" / "leaderboard")))
    keys = {name: settings_key(cell_settings(**changed)) for name, changed in CELLS.items()}
    keys |= {"votes": key_of(VOTES)}
    given = environment(PYTHONPATH=path, KEYS=json.dumps(keys))
    done = subprocess.run(
        [sys.executable, here / "faults_killed.py", tmp_path, *scenarios],
        capture_output=True, text=True, cwd=tmp_path, env=given, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    operations = {name: int(number) for name, number in (line.split() for line in done.stdout.splitlines())}
    assert list(operations) == scenarios
    assert all(operations[name] >= LEAST[name] for name in scenarios), operations
    if scenarios == ["board"]:
        assert_told(tmp_path)


def assert_told(tmp_path: Path) -> None:
    """`verify` says of each folder that was left whether it is of one board."""
    told = 0
    for left in sorted((tmp_path / "board" / "left").iterdir()):
        is_told = left.name.endswith("told")
        told += is_told
        assert kept("verify", left, folder=tmp_path) == int(is_told)
    assert told > 10
