"""The report: every number beside the paper's, and what is published of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree
from pathlib import Path

from benchmark_tiny import SETTINGS

from benchmark.seed_paper import Result
from benchmark.seed_paper.report import UNDISTRIBUTED, markdown


def test_the_report_holds_every_number_beside_the_papers(report: Path, result: Result):
    text = (report / "REPORT.md").read_text(encoding="utf-8")
    for value in ("82.6%", "72.3%", "64.4%", "| ? |", "100.0%", "80.4%"):
        assert value in text
    for value in ("70.62%", "70.97%", "70.83%", "0.99%", "0.87%", "| 36 |", "| 37 |"):
        assert value in text
    for heading in ("Table 1", "On the surrogate", "Table 2", "Tables 3 and 4", "Figure 1", "Figure 2", "Discussion"):
        assert f"## {heading}" in text
    assert "queries at n = 50" in text
    for column in result.findings.columns:
        low, high = 100 * column.abstention.low, 100 * column.abstention.high
        assert f"{column.abstention.share:.2%} [{low:.2f}, {high:.2f}]" in text
    assert text.count("**Table 3: CW") == text.count("**Table 4: TV") == len(SETTINGS.samples)
    assert "None" not in text
    assert "nan" not in text.lower().split()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(result.findings.json()))
    assert markdown(result.findings) == text


def test_figures_are_pictures_and_figure_2_stays_out_of_what_is_published(report: Path):
    names = sorted(path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file())
    assert names == [
        "REPORT.md",
        *(f"figures/{name}.{kind}" for name in ("figure1", "figure3") for kind in ("png", "svg")),
        "report.json",
        *(f"{UNDISTRIBUTED}/{name}" for name in (".gitignore", "figure2.png", "figure2.svg")),
    ]
    for name in names:
        path = report / name
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        if path.suffix == ".svg":
            assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    assert (report / UNDISTRIBUTED / ".gitignore").read_text() == "*\n"
    text = (report / "REPORT.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert linked == ["figures/figure1.svg", "figures/figure3.svg"]  # complete without the undistributed folder
    assert "not published with the report" in " ".join(text.split())
