from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from leaderboard_data import texts

from leaderboard import rows
from leaderboard.curves import epsilon_panels, query_panels
from leaderboard.drawn.curve_picture import epsilon_svg, query_svg
from leaderboard.drawn.drawing import COLOURS, WIDTH

ABSTAIN_FIRST = [[-1] * k + list(range(k, 10)) for k in range(11)]


def elements(picture, tag):
    return [element for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("}" + tag)]


def points(element):
    return [tuple(map(float, pair.split(","))) for pair in element.attrib["points"].split()]


def curve(picture, colour, width="2.2"):
    """The vertices of the longest line of that colour and width (the other is the legend's)."""
    lines = [e for e in elements(picture, "polyline") if e.get("stroke") == colour and e.get("stroke-width") == width]
    return max(map(points, lines), key=len)


def test_every_vertex_lies_where_its_rate_and_epsilon_are(store, add):
    for epsilon, k, ceiling in ((0.5, 2, 0.4), (1.0, 6, 0.8), (2.0, 10, 1.0)):
        add({"outcome": ABSTAIN_FIRST[k], "ceiling": ceiling}, epsilon=epsilon)
        add({"outcome": ABSTAIN_FIRST[1], "ceiling": ceiling}, attack="weak", epsilon=epsilon)
        add({"ceiling": ceiling}, attack="clean", access="none", epsilon=epsilon)
    picture = epsilon_svg(epsilon_panels(rows(store)))
    line = curve(picture, COLOURS["white-box"])
    (left, bottom), (right, top) = line[0], line[-1]
    assert 0 < left < right < WIDTH
    assert 0 < top < bottom

    def place(x, y):
        return pytest.approx(((x - left) / (right - left) * 2, (bottom - y) / (bottom - top)), abs=2e-3)

    assert [place(*vertex) for vertex in line] == [(0, 0), (0.5, 0.2), (1.0, 0.6), (2.0, 1.0)]
    weak = curve(picture, COLOURS["white-box"], "1.1")
    assert [place(*vertex) for vertex in weak] == [(0, 0), (0.5, 0.1), (1.0, 0.1), (2.0, 0.1)]
    [ceiling] = [points(e) for e in elements(picture, "polyline") if e.get("class") == "ceiling"]
    assert [place(*vertex) for vertex in ceiling] == [(0.5, 0.4), (1.0, 0.8), (2.0, 1.0)]
    # What is hatched is proven: up to ε = 0.5 above 40%, up to 1.0 above 80%; beyond, nothing. The legend's is last.
    hatched = [
        [float(e.get(name)) for name in ("x", "y", "width", "height")]
        for e in elements(picture, "rect")
        if e.get("fill") == "url(#beyond)"
    ][:-1]
    corners = [(place(x, y), place(x + width, y + height)) for x, y, width, height in hatched]
    assert corners == [((0, 1), (0.5, 0.4)), ((0.5, 1), (1.0, 0.8))]
    shown = texts(picture)
    assert "Abstention against ε (n = 1,000, α = 0.001)" in shown
    assert "100% margin" in shown
    assert not any("weak" in text for text in shown)


def test_queries_are_on_a_logarithmic_scale_and_labels_apart(store, add):
    accesses = ("score", "decision", "hybrid")
    for target in ("a<b", "c&d"):
        for access in accesses:
            for budget, k in ((10, 1), (100, 2), (1000, 3)):
                attack = f"{access}-attack-with-a-very-long-name"
                add(
                    {"outcome": ABSTAIN_FIRST[k], "ceiling": 0.7},
                    target=target, attack=attack, access=access, query_budget=budget,
                )  # fmt: skip
    picture = query_svg(query_panels(rows(store)))
    for access in accesses:
        (first, _), (middle, _), (last, _) = curve(picture, COLOURS[access])
        assert middle == pytest.approx((first + last) / 2, abs=0.1)
    labels = [e for e in elements(picture, "text") if e.get("class") == "label"]
    assert len(labels) == 6
    heights = [float(label.get("y")) for label in labels[:3]]  # three curves that end at one point
    assert [b - a for a, b in pairwise(heights)] == pytest.approx([13.5, 13.5], abs=0.11)
    assert "a<b, ε = 1.0" in texts(picture)
    assert "clean 0.0% · ceiling 70.0%" in texts(picture)


@pytest.mark.parametrize("targets", [1, 2, 5])
def test_panels_of_any_number_of_targets_lie_inside(store, add, targets):
    for sigma in range(targets):
        for epsilon in (0.25, 1.0):
            add(target=f"t{sigma}", sigma=sigma, epsilon=epsilon)
    picture = epsilon_svg(epsilon_panels(rows(store)))
    height = float(ElementTree.fromstring(picture).get("height"))
    assert [text for text in texts(picture) if text.startswith("t")] == [f"t{sigma}" for sigma in range(targets)]
    for element in elements(picture, "polyline") + elements(picture, "polygon"):
        assert all(0 < x < WIDTH and 0 < y < height for x, y in points(element))
