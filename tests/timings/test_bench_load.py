"""Many cells: the memory of a long run is flat, and the made-up store of ``load.py`` is one that a run finds whole."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from load import main
from long_run import Resident, memory

CELLS = 90


def test_the_memory_of_a_run_does_not_grow_with_its_cells(tmp_path, monkeypatch):
    monkeypatch.setattr("long_run.resident", lambda: tracemalloc.get_traced_memory()[0])
    tracemalloc.start()
    try:
        found = memory(tmp_path, CELLS, CELLS // 3)
    finally:
        tracemalloc.stop()
    first, second, third = found.values()
    # What a run does keep of a cell is its key; a record and its images would be thousands of bytes.
    assert third - second < 2000 * CELLS // 3, found
    assert first > 0


def test_resident_notes_the_memory_after_every_so_many_cells():
    noted = Resident(2)
    for _ in range(5):
        noted.finish()
    assert list(noted.found) == [2, 4]


@pytest.mark.parametrize("what", ["publish", "plan"])
def test_a_made_up_store_is_published_and_found_by_a_run(what, cifar10, tmp_path, capsys):
    main(["make", str(tmp_path / "store"), "6"])
    main(["measure", str(tmp_path / "store"), what])
    measured = json.loads(capsys.readouterr().out)
    assert (measured["what"], measured["cells"]) == (what, 6)
    (tmp_path / "lines").write_text(json.dumps(measured))
    main(["plot", str(tmp_path / "lines"), str(tmp_path / "plot.svg")])
    assert f"| {what}, now | 6 |" in capsys.readouterr().out
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
