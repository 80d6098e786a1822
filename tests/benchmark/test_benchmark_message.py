from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmark.message import LONGEST, one_line


def test_a_plain_message_stays_as_it_is():
    for message in ("sigma is 0; give a number above 0", "σ = 0.5, ℓ2 ≤ ε … “é” 漢字", "C:\\new\\table.tsv"):
        assert one_line(message) == message


def test_line_breaks_and_control_characters_are_escaped():
    assert one_line("a\nb\r\tc") == r"a\nb\r\tc"
    assert one_line("\x1b[31mred\x07 \u2028\u202e") == r"\x1b[31mred\x07 \u2028\u202e"
    assert one_line(ValueError("\n two \n")) == "two"
    assert one_line("half a pair \ud800") == r"half a pair \ud800"


def test_the_middle_of_a_long_one_is_left_out():
    found = one_line(f"there is no file {'x' * 5000}; give a TOML file")
    assert len(found) == LONGEST
    assert found.startswith("there is no file xxx")
    assert found.endswith("xxx; give a TOML file")
    assert " … " in found


@given(st.text(st.characters(categories=["L", "N", "P", "C", "Z"]), max_size=3000))
def test_whatever_it_holds_it_is_one_short_line(text: str):
    found = one_line(text)
    assert found.isprintable()
    assert len(found) <= LONGEST
    assert len(found.splitlines()) <= 1
    found.encode()
