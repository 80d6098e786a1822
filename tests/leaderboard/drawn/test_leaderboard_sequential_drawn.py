"""Costs at the sequential predictor on the pages: each number where it belongs, and nothing where none was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leaderboard import publish
from leaderboard.stored import sequential
from leaderboard.stored.sequential import Drawn

HEADING = "What an answer costs at the sequential predictor"
NAME = 'odd|<b>"name"'


@pytest.fixture
def write(store, tmp_path, add):
    """Publishes a board of two attacks, and costs of the first so many of its cells; returns its two pages."""

    def pages(measured: int) -> tuple[str, str]:
        keys = [add(attack="clean", access="none", target=NAME), add(target=NAME, attack=NAME)]
        clean = [25] * 9 + [1000]
        taken = [clean, [100] * 8 + [850, 1000]]
        found = [
            Drawn(key, 1000, 0.001, [-1 if one == 1000 else 3 for one in drawn], drawn, [3] * 9 + [-1], clean)
            for key, drawn in list(zip(keys, taken, strict=True))[:measured]
        ]
        if found:
            sequential.add(store.folder, found)
        publish(store, tmp_path / "b", commit="a", version="1", created="2024-01-01T00:00:00Z", command=str)
        return tuple((tmp_path / "b" / name).read_text(encoding="utf-8") for name in ("LEADERBOARD.md", "index.html"))

    return pages


def test_a_line_says_what_a_target_costs_clean_and_under_the_costliest_attack(write):
    page, html = write(2)
    part = page[page.index(f"## {HEADING}") :]
    assert "predictor: at most 1,000 samples, α = 0.001" in part
    [line, by_access] = re.findall(r"^\| odd.*$", part[: part.index("\n## ", 3)], re.MULTILINE)
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
    name = 'odd\\|\\<b\\>"name"'
    assert cells[:3] == [name, name, "white-box"]
    assert cells[3].startswith("122 [")  # (9 · 25 + 1,000) / 10 = 122.5
    assert cells[4].startswith("10.0% [")
    assert cells[5].startswith("265 [")
    assert cells[6].startswith("2.2 [")
    assert cells[7].startswith("10.0% [")
    assert by_access == f"| {name} | 265 {name} |"
    assert HEADING in html
    assert "<b>" not in html[html.index(HEADING) :].split("</section>")[0]
    assert re.search(r"<td class=\"number\">265 \[[\d,]+, [\d,]+\]</td>\s*<td class=\"number\">2\.2 \[", html)


def test_a_target_of_which_only_the_originals_were_measured_has_dashes(write):
    page, html = write(1)
    assert re.search(r"^\| odd\S+ \| — \| — \| 122 \[[^|]+\| 10\.0% \[[^|]+\| — \| — \| — \|$", page, re.MULTILINE)
    assert HEADING in html


def test_a_board_without_measurements_says_nothing_of_them(write, tmp_path: Path):
    page, html = write(0)
    assert HEADING not in page + html
    assert '"sequential"' not in (tmp_path / "b" / "leaderboard.json").read_text(encoding="utf-8")
    assert not (tmp_path / "b" / "sequential.json").exists()
