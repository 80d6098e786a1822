"""What images of a results folder cost the sequential predictor: measured, put on the board, and said."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from benchmark.commands.publish import write_board
from benchmark.commands.signals import INTERRUPTED
from benchmark.recheck.plan import Asked, origins
from benchmark.recheck.sequential import as_text, drawn
from benchmark.terminal.progress import reporter
from leaderboard import Store
from leaderboard.sequential import costs
from leaderboard.stored import sequential
from leaderboard.variants import variants
from targets import InputError


def measure(
    store: Store,
    asked: Asked,
    n: int,
    alpha: float,
    device: str,
    *,
    samples: Sequence[int] = (),
    quiet: bool = False,
    says_where: bool = True,
) -> int:
    """Measure the cells that were asked for, write the board again, and say what was found.

    Args:
        asked: which cells.
        n: samples an image, at most.
        alpha: the predictor's level.
        samples: only cells of these n; all without.
        says_where: whether to print where the numbers are.

    Returns 0, or 130 where interrupted.

    Raises:
        InputError: nothing fits, or the predictor would always abstain.
        StoreError: what was measured before is damaged.
    """
    folder = store.folder
    sequential.read(folder)
    left_out: Counter[str] = Counter()
    cells = [cell for cell, _ in origins(store, asked, left_out) if not samples or cell.settings["n"] in samples]
    progress = reporter(len(cells), list(dict.fromkeys(cell.settings["attack"] for cell in cells)), quiet)
    try:
        found = drawn(store, cells, n, alpha, device, progress, left_out)
    except KeyboardInterrupt:
        progress.close()
        print(f"stopped; what is measured is kept in {folder}. Run the same command again to go on.", file=sys.stderr)
        return INTERRUPTED
    finally:
        progress.close()
    for reason, count in sorted(left_out.items()):
        print(f"{count} cells are left out: they {reason}.")
    if not found:
        raise InputError("no cell is left; its images must lie in the results folder that ran the attack")
    sequential.add(folder, found)
    write_board(store, folder)
    keys = {one.cell for one in found}
    chosen = [variant for variant in variants(store.cells()) if not keys.isdisjoint(cell.key for cell in variant.cells)]
    print(f"The sequential predictor, at most {n:,} samples an image, α = {alpha:g}: samples drawn on average\n")
    print(as_text(costs(chosen, found)))
    if says_where:
        print(f"\nThey stand on the board's page, and by image in {folder / sequential.NAME}.")
    return 0
