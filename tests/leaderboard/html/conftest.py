"""Pages to test: of a small board with hostile names, and of the largest published one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from html_pages import PUBLISHED, QUOTED, SCRIPT, command

from benchmark.key import settings_key
from leaderboard import Store, publish
from leaderboard.html.page import INDEX
from leaderboard.html.site import site


@pytest.fixture
def published(store: Store, tmp_path: Path) -> Callable[[], Path]:
    """Publishes `store`; returns the page's path."""

    def make() -> Path:
        publish(store, tmp_path / "board", commit="abc", version="1", created="2024-01-01T00:00:00Z", command=command)
        return tmp_path / "board" / INDEX

    return make


@pytest.fixture
def hostile(board: Store, add: Callable[..., str], published: Callable[[], Path]) -> Path:
    """The page of a board with a bit of everything, and names that are markup where they are not escaped."""
    place = {"target": "toy-sigma0.50", "epsilon": 0.5, "of": [10]}
    add({"outcome": -1}, attack=SCRIPT, description=QUOTED, parameters={"mode": SCRIPT, "text": QUOTED}, **place)
    add({}, attack=QUOTED, access='a"b<i>', description=SCRIPT, query_budget=30, **place)
    return published()


@pytest.fixture(scope="session")
def largest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the published board of 200 CIFAR-10 images."""
    folder = tmp_path_factory.mktemp("site")
    site([PUBLISHED / "cifar10"], folder, key_of=settings_key, command=command)
    return folder / "cifar10" / INDEX
