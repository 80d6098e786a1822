"""Records, store, statistics and pages of the benchmark. Torch never comes in here.

>>> from leaderboard import Store, publish, rows, terminal
>>> store = Store.read(Path("results"))
>>> print(terminal(rows(store)))
"""

from leaderboard.board import rows
from leaderboard.drawn.matrix import matrices
from leaderboard.drawn.terminal import terminal
from leaderboard.errors import StoreError
from leaderboard.publishing.publish import publish
from leaderboard.row import Row
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.store import Store

__all__ = ["Row", "Store", "StoreError", "StoredCell", "matrices", "publish", "rows", "terminal"]
