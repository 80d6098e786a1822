from __future__ import annotations

from pathlib import Path


def test_the_ground_floor_knows_no_other_room():
    files = sorted((Path(__file__).parents[2] / "targets").rglob("*.py"))
    assert len(files) > 10
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"attacks", "benchmark", "leaderboard"}, f"{file.name}: {line}"
