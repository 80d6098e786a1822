"""What a run from Python gives: rows, records and adversarial images."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.commands.publish import write_board
from benchmark.key import settings_key
from leaderboard import Row, Store, StoredCell, StoreError, rows
from leaderboard.stored.archive import PLACE
from leaderboard.stored.records import COLUMNS, frame
from targets.registry import unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of :func:`benchmark.run`.

    Attributes:
        rows: the board's rows of this run, ranked; their keys are those of :class:`leaderboard.Row`.
        records: a line for each image of each cell: the settings that tell cells apart (suite, target, attack, epsilon,
            query_budget, n, alpha, seed; a query budget of 0 stands for none), the columns of a record
            (:data:`leaderboard.stored.records.COLUMNS`), and the key of its cell. Cells that failed have no lines.
        errors: the traceback of each cell whose attack raised. Its row's ``status`` is "failed" or "partial".
        folder: where the results lie: the folder that was asked for, else one that goes when this object goes.
    """

    rows: list[Row]
    records: DataFrame
    errors: list[str]
    folder: Path

    def images(
        self, target: str, attack: str, epsilon: float, query_budget: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What an attack returned, before the budget rule.

        Returns:
            The images' indices in the evaluation split (N,), ascending, and the images (N, C, H, W).

        Raises:
            InputError: this run has no such row, or all its cells failed.
        """
        import numpy as np

        wanted = {"target": target, "attack": attack, "epsilon": epsilon, "query_budget": query_budget}
        store, keys = Store.read(self.folder, settings_key), set(self.records["cell"])
        found = [cell for cell in store.cells() if cell.key in keys and wanted.items() <= cell.settings.items()]
        if not found:
            have = {f"{row['attack']} on {row['target']} at ε = {row['epsilon']:g}" for row in self.rows}
            raise unknown("row", f"{attack} on {target} at ε = {epsilon:g}", have)
        indices = np.concatenate([np.array(cell.settings["images"]) for cell in found])
        images = np.concatenate([store.images(cell.key) for cell in found])
        order = np.argsort(indices)
        return indices[order], images[order]

    def save(self, folder: str | Path) -> list[Path]:
        """Write the results and their board to a folder that is new or empty.

        Every command reads it as the results folder of a run. To add to one that has results, give it to
        :func:`benchmark.run` as ``results=``.

        Returns:
            The board's files.

        Raises:
            StoreError: the folder holds something, or cannot be written.
        """
        folder = Path(folder)
        try:
            if folder.exists() and any(folder.iterdir()):
                raise StoreError(f"{folder} is not empty; choose a new folder, or give it to run as results=")
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        except OSError as error:
            raise StoreError(f"results folder {folder}: {error.strerror or error}; choose another one") from error
        return write_board(Store.read(folder, settings_key), folder)


def gathered(store: Store, keys: Sequence[str], images: int) -> Result:
    """The result of the run of these cells of a store.

    Args:
        images: number of images of the run: cells may also count in rows of other numbers.
    """
    cells = [cell for cell in map(store.cell, dict.fromkeys(keys)) if cell is not None]
    return Result(
        rows=[row for row in rows(store, keys) if row["of_images"] == images],
        records=_records(store, [cell for cell in cells if cell.status == "ok"]),
        errors=[
            f"{cell.settings['attack']} on {cell.settings['target']} at ε = {cell.settings['epsilon']:g}:\n{cell.error}"
            for cell in cells
            if cell.status != "ok"
        ],
        folder=store.folder,
    )


def _records(store: Store, cells: Sequence[StoredCell]) -> DataFrame:
    import pandas as pd

    def placed(key: str, settings: dict[str, Any]) -> DataFrame:
        return store.records(key).assign(cell=key, **{name: settings.get(name) or 0 for name in PLACE})

    parts = [placed(cell.key, cell.settings) for cell in cells]
    empty = frame({name: [] for name in COLUMNS}).assign(cell="", **dict.fromkeys(PLACE, ""))
    records = pd.concat(parts, ignore_index=True) if parts else empty
    return records[[*PLACE, *COLUMNS, "cell"]]
