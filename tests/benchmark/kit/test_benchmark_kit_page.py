"""docs/kit.md: its tables are those of the code.

`tests/test_readme.py` runs its commands, `test_benchmark_kit_new.py` its test class.
"""

from __future__ import annotations

import re

from benchmark_helpers import ROOT

from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.target_clauses import TARGET_CLAUSES

PAGE = (ROOT / "docs" / "kit.md").read_text(encoding="utf-8")


def test_it_names_every_clause():
    rows = re.findall(r"^\| ([a-z, ]+) \| ", PAGE.partition("## A target")[0], flags=re.MULTILINE)
    assert [name for row in rows[1:] for name in row.split(", ")] == [clause.name for clause in ATTACK_CLAUSES]
    for clause in TARGET_CLAUSES:
        assert f"*{clause.name}*" in PAGE
