"""What a check finds: a clause that is kept, broken, or that nobody can check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leaderboard.stored.files import printable

Verdict = Literal["ok", "FAIL", "note"]


@dataclass(frozen=True)
class Clause:
    """One line of a verification.

    Attributes:
        verdict: "ok" where it is kept, "FAIL" where it is broken, "note" for what cannot be traced and is no error.
        name: of what is checked.
        text: what was found, in a line.
    """

    verdict: Verdict
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:<5} {self.name + ':':<19} {printable(self.text)}"


def kept(name: str, text: str, broken: list[str]) -> Clause:
    """A clause that is kept unless something is broken: the first of that, and how many there are."""
    if not broken:
        return Clause("ok", name, text)
    more = f" (and {len(broken) - 1:,} more)" if len(broken) > 1 else ""
    return Clause("FAIL", name, f"{broken[0]}{more}")


def count(number: int, thing: str) -> str:
    """As in "1 row" and "1,000 rows"."""
    return f"{number:,} {thing}{'s' * (number != 1)}"
