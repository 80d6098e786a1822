"""Tables of CERTIFY and PREDICT: tab-separated, with the columns and the rounding of Cohen's public code
(https://github.com/locuslab/smoothing).

One line an image: ``idx label predict radius correct time``; PREDICT's table has no radius. Radii have three
significant digits and ABSTAIN is -1, so that scripts written for those tables can read these.
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
"""Of the sequential predictor, with the noise samples that each image took. Cohen's code has no such table."""


@dataclass(frozen=True)
class Row:
    """The answer to one image.

    Attributes:
        idx: the image's index in the evaluation split.
        label: the true label.
        predict: the answer, -1 for ABSTAIN.
        time: how long it took, as ``str(datetime.timedelta)`` writes it: "0:00:01.250000".
        radius: certified ℓ2 radius in [0, 1] pixel units, 0 if nothing is certified; None in tables without radii.
        samples: noise samples that it took; None in tables without samples.
    """

    idx: int
    label: int
    predict: int
    time: str
    radius: float | None = None
    samples: int | None = None

    @property
    def correct(self) -> bool:
        """Whether the answer is the true label. ABSTAIN is never correct."""
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
    """The rows of a table; none if there is no file. A killed writer's half line at the end is ignored.

    Raises:
        InputError: it is another kind of file, has a line that :func:`append` did not write, or has two answers to one
            image.
    """
    header, *lines = _complete(path) or [_header(columns)]
    if header != _header(columns):
        raise InputError(f"{path} is not a table with columns {' '.join(columns)}; give another --output")
    rows: dict[int, Row] = {}
    for number, line in enumerate(lines, start=2):
        row = _parsed(line, columns)
        if row is not None and row.idx in rows and replace(rows[row.idx], time=row.time) == row:
            continue  # two writers at once got the same answer
        if row is None or row.idx in rows:
            reason = "is not a row" if row is None else f"holds another answer for image {row.idx}"
            raise InputError(
                f"line {number} of {path} {reason}; delete the file to start again, or give another --output"
            )
        rows[row.idx] = row
    return list(rows.values())


def mend(path: Path, columns: Columns) -> list[Row]:
    """Rewrite a table with one row an image, in the order of the indices, and no half line. Creates a missing one.

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
    """The complete lines of a file, without a byte order mark. Lines may also end as on Windows."""
    try:
        lines = path.read_bytes().decode("utf-8-sig", errors="replace").split("\n")[:-1]
        return [line.removesuffix("\r") for line in lines]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give another --output") from error


def _parsed(line: str, columns: Columns) -> Row | None:
    """The row that ``append`` wrote as that line; None if it wrote no such line."""
    try:
        values = dict(zip(columns, line.split("\t"), strict=True))
        radius = float(values["radius"]) if "radius" in values else None
        samples = int(values["samples"]) if "samples" in values else None
        row = Row(int(values["idx"]), int(values["label"]), int(values["predict"]), values["time"], radius, samples)
    except ValueError:
        return None
    return row if row.line() == line else None
