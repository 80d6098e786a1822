"""The style sheet and the scripts: colours that can be read, and what the scripts may not do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import leaderboard.html

FOLDER = Path(leaderboard.html.__file__).parent
STYLE = (FOLDER / "style.css").read_text(encoding="utf-8")
SCRIPTS = sorted(FOLDER.glob("*.js"))

FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "var ", "fetch(")
"""What would read text as markup or code, or load something."""

ON_TEXT = [(text, ground) for text in ("text", "muted", "link", "bad", "warn") for ground in ("ground", "raised")]
ON_TEXT += [("text", "soft"), ("muted", "soft")]
ACCESS = ["white-box", "score", "decision", "transfer", "hybrid", "none", "other"]
ON_GRAPHIC = [(name, "ground") for name in [*ACCESS, "ceiling", "fallen", "flipped", "focus"]]
ON_GRAPHIC += [("text", name) for name in ("soft", "beyond")] + [("ceiling", "beyond"), ("fallen", "kept")]


def colours(mode):
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if mode == "dark" else {})


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_can_be_read(mode):
    known = colours(mode)
    weak = {pair: contrast(known[pair[0]], known[pair[1]]) for pair in ON_TEXT}
    assert not {pair: ratio for pair, ratio in weak.items() if ratio < 4.5}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_graphics_can_be_seen(mode):
    known = colours(mode)
    weak = {pair: contrast(known[pair[0]], known[pair[1]]) for pair in ON_GRAPHIC}
    assert not {pair: ratio for pair, ratio in weak.items() if ratio < 3}


def test_both_modes_have_every_colour():
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    names = [re.findall(r"--([\w-]+):", part) for part in (light, dark)]
    assert names[0] == names[1]
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) - set(names[0]) == {"hue", "r", "l", "h", "c", "u", "panels"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_keep_the_rules(path):
    text = path.read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.strip().startswith(("//", "*", "/*")))
    assert not [word for word in FORBIDDEN if word in code]
    assert not re.findall(r"[^=!]==[^=]|!=[^=]", code)
    assert all(len(line) <= 120 and line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("node") is None, reason="node, which parses scripts, is not installed")
def test_scripts_are_javascript(path):
    subprocess.run(["node", "--check", str(path)], check=True, timeout=60)
