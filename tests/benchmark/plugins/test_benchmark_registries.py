"""A snapshot tells what was registered since, and takes it back."""

from __future__ import annotations

import pytest
import torch

import attacks
import targets
from attacks import ATTACKS, Attack, NoAccess
from benchmark.plugins.registries import REGISTRIES, Snapshot
from targets import DATA, TARGETS, DataSet, Split
from targets.models import ARCHITECTURES, VERSIONS


def split(name: str) -> Split:
    return Split(torch.zeros(4, 1, 8, 8), torch.arange(4) % 2)


@pytest.fixture
def before() -> Snapshot:
    """Taken before one entry of each kind was registered."""
    snapshot = Snapshot.take()

    @attacks.register("new-attack")
    class New(Attack):
        """Does nothing."""

        access = NoAccess

    DATA.add(DataSet("new-data", 2, (1, 8, 8), split))
    targets.register("new-target", sigma=0.5, data="new-data")(torch.nn.Flatten)
    ARCHITECTURES.add("new-architecture", lambda shape, classes: torch.nn.Flatten())
    VERSIONS["new-architecture"] = "1"
    return snapshot


def test_what_was_added_since(before: Snapshot):
    assert before.added() == {
        ("attack", "new-attack"),
        ("data set", "new-data"),
        ("target", "new-target"),
        ("architecture", "new-architecture"),
    }
    assert Snapshot.take().added() == set()


def test_all_is_as_it_was_in_its_order(before: Snapshot):
    first = next(iter(TARGETS))
    TARGETS.replace(first, TARGETS["new-target"])
    before.restore()
    assert before.added() == set()
    assert {kind: list(registry) for kind, registry in REGISTRIES.items()} == {
        kind: list(entries) for kind, entries in before.entries.items()
    }
    assert TARGETS[first] is before.entries["target"][first]
    assert "new-attack" not in ATTACKS
    assert "new-architecture" not in VERSIONS
