"""The field's tables of CERTIFY and PREDICT: tab-separated, columns and rounding as in Cohen's public code.

One line an image: ``idx label predict radius correct time`` (PREDICT's has no radius). Radii have three significant
digits and ABSTAIN is -1, so that scripts written for those tables read these.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from leaderboard.stored import atomic
from leaderboard.stored.records import ABSTAIN
from targets.errors import InputError

Columns = tuple[str, ...]

CERTIFY: Columns = ("idx", "label", "predict", "radius", "correct", "time")
PREDICT: Columns = ("idx", "label", "predict", "correct", "time")
SEQUENTIAL: Columns = ("idx", "label", "predict", "samples", "correct", "time")
"""Ours: the sequential predictor's, with the noise samples that each image took."""


@dataclass(frozen=True)
class Row:
    """The answer to one image.

    Attributes:
        idx: the image's index in the evaluation split.
        label: the true label.
        predict: the answer, -1 for ABSTAIN.
        time: what it took, as text: ``str(datetime.timedelta)``, "0:00:01.250000".
        radius: ℓ2 radius in [0, 1] pixel units, 0 where none is certified; None in tables without.
        samples: noise samples that it took; None in tables without.
    """

    idx: int
    label: int
    predict: int
    time: str
    radius: float | None = None
    samples: int | None = None

    @property
    def correct(self) -> bool:
        """Whether the answer is the true label; ABSTAIN is none."""
        return self.predict == self.label and self.predict != ABSTAIN

    def line(self) -> str:
        """The row as it stands in the file, without the line's end."""
        radius = () if self.radius is None else (f"{self.radius:.3}",)
        samples = () if self.samples is None else (str(self.samples),)
        cells = [
            str(self.idx),
            str(self.label),
            str(self.predict),
            *radius,
            *samples,
            str(int(self.correct)),
            self.time,
        ]
        return "\t".join(cells)


def read(path: Path, columns: Columns) -> list[Row]:
    """The rows of a table, none where there is no file; half a line at the end (of a killed writer) is no row.

    Raises:
        InputError: it is another kind of file, or holds a line that :func:`append` did not write, or two answers to
            one image.
    """
    header, *lines = _complete(path) or [_header(columns)]
    if header != _header(columns):
        raise InputError(f"{path} is no table with columns {' '.join(columns)}; give another --output")
    rows: dict[int, Row] = {}
    for number, line in enumerate(lines, start=2):
        row = _parsed(line, columns)
        if row is not None and row.idx in rows and replace(rows[row.idx], time=row.time) == row:
            continue  # two writers at once came to the same answer
        if row is None or row.idx in rows:
            reason = "is no row" if row is None else f"holds another answer for image {row.idx}"
            raise InputError(
                f"line {number} of {path} {reason}; delete the file to begin anew, or give another --output"
            )
        rows[row.idx] = row
    return list(rows.values())


def mend(path: Path, columns: Columns) -> list[Row]:
    """Make a table whole: begun where there is none, one row an image in the order of their indices, no half a line.

    Returns its rows. Raises as :func:`read` does.
    """
    rows = sorted(read(path, columns), key=lambda row: row.idx)
    lines = [_header(columns), *(row.line() for row in rows)]
    atomic.write(path, "".join(f"{line}\n" for line in lines).encode())
    return rows


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a table; they are on disk when this returns."""
    try:
        with open(path, "ab") as file:
            file.write("".join(f"{row.line()}\n" for row in rows).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; make room, then run the same command again"
        ) from error


def _header(columns: Columns) -> str:
    return "\t".join(columns)


def _complete(path: Path) -> list[str]:
    """The lines of a file that are ended, also as Git and editors end them on Windows, without a byte order mark."""
    try:
        lines = path.read_bytes().decode("utf-8-sig", errors="replace").split("\n")[:-1]
        return [line.removesuffix("\r") for line in lines]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give another --output") from error


def _parsed(line: str, columns: Columns) -> Row | None:
    """The row that ``append`` wrote as that line; None where it wrote none such."""
    try:
        values = dict(zip(columns, line.split("\t"), strict=True))
        radius = float(values["radius"]) if "radius" in values else None
        samples = int(values["samples"]) if "samples" in values else None
        row = Row(int(values["idx"]), int(values["label"]), int(values["predict"]), values["time"], radius, samples)
    except ValueError:
        return None
    return row if row.line() == line else None
