"""What the figures decide for themselves."""

from __future__ import annotations

from benchmark.seed_paper.figures import fidelity_and_abstention
from benchmark.seed_paper.findings import AttackRow, Rate


def row(attack: str, queries: str | None, fidelity: float | None, success: Rate | None) -> AttackRow:
    some = Rate.of([True, False, False])
    access = "white-box" if queries is None else "transfer"
    return AttackRow(attack, access, queries, fidelity, success, some, 0.5, some, some, 1.0)


def test_names_of_surrogates_of_nearly_the_same_fidelity_share_a_line():
    some = Rate.of([True, False, False])
    rows = [
        row("cw-transfer", "test", 0.60, some),
        row("cw-transfer", "noise", 0.138, some),
        row("tv-transfer", "noise", 0.138, some),
        row("cw-transfer", "unrelated", 0.128, some),
        row("margin-transfer", "test", 0.66, None),
        row("margin", None, None, None),
    ]
    axes = fidelity_and_abstention(rows, 0.09).axes[0]
    places = {text.get_text(): round(text.get_position()[0], 1) for text in axes.texts}
    assert places == {"unrelated and noise": 12.8, "test": 60.0, "test, smoothed": 66.0}
