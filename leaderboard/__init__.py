"""Records, store, statistics and pages of the benchmark. Torch never comes in here.

>>> from leaderboard import Store, publish, rows, terminal
>>> store = Store.read(Path("results"))
>>> print(terminal(rows(store)))
"""

from leaderboard.board import rows
from leaderboard.errors import StoreError
from leaderboard.matrix import matrices
from leaderboard.page import publish
from leaderboard.row import Row
from leaderboard.store import Store
from leaderboard.stored_cell import StoredCell
from leaderboard.tables import terminal

__all__ = ["Row", "Store", "StoreError", "StoredCell", "matrices", "publish", "rows", "terminal"]
