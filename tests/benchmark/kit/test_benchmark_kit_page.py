"""docs/kit.md: its test class passes; its tables are those of the code. `tests/test_readme.py` runs its commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from benchmark_helpers import ROOT, command, environment

from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.target_clauses import TARGET_CLAUSES

PAGE = (ROOT / "docs" / "kit.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_its_test_class_passes(tmp_path: Path):
    (first, *_), (block,) = "".join(blocks("bash")).splitlines(), blocks("python")
    words = shlex.split(first)
    assert words[:4] == ["python", "-m", "benchmark", "new"]
    assert command(*words[3:], "--output", tmp_path) == 0
    (tmp_path / "test_by_hand.py").write_text(block, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist",
         "test_by_hand.py"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_it_names_every_clause():
    rows = re.findall(r"^\| ([a-z, ]+) \| ", PAGE.partition("## A target")[0], flags=re.MULTILINE)
    assert [name for row in rows[1:] for name in row.split(", ")] == [clause.name for clause in ATTACK_CLAUSES]
    for clause in TARGET_CLAUSES:
        assert f"*{clause.name}*" in PAGE
