"""The contracts as test classes, which the author of an attack or a target inherits.

    class TestMyAttack(AttackContract):
        name = "my-attack"
        plugin = Path(__file__).with_name("my_attack.py")

Each clause is a test: ``test_contract[budget]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from attacks import ATTACKS
from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.bench import Bench
from benchmark.kit.clause import Clause, NotApplicable
from benchmark.kit.target_clauses import TARGET_CLAUSES, TargetBench
from benchmark.kit.world import World
from benchmark.plugins.loading import load_file, load_installed
from targets import TARGETS
from targets.registry import Registry

__all__ = ["AttackContract", "TargetContract"]

_BENCHES: pytest.StashKey[dict[type, Any]] = pytest.StashKey()
"""By test class, what its tests share: the runs of the attack, the target that was loaded."""


class AttackContract:
    """What every attack keeps, on a target whose optimum is known (:mod:`benchmark.kit.plane`).

    Attributes:
        name: the name that the attack is registered under.
        plugin: the file that registers it; None for an attack of this project or of an installed package.
        settings: hyper-parameters over the attack's own defaults, to be quick.
        leave_out: clauses that are not tested.
        tolerance: how far two results of one image may be apart, a pixel; 0 for the same to the bit.
        least_share: of the largest abstention rate that is possible, that it must reach.
        most_seconds: an image, that it may take.
        minimum_norm: whether it may go over the budget, though the attack does not say so itself.
    """

    name: ClassVar[str]
    plugin: ClassVar[Path | None] = None
    settings: ClassVar[Mapping[str, Any]] = {}
    leave_out: ClassVar[frozenset[str]] = frozenset()
    tolerance: ClassVar[float] = 1e-5
    least_share: ClassVar[float] = 0.0
    most_seconds: ClassVar[float] = float("inf")
    minimum_norm: ClassVar[bool] = False

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
        """The attack, with the runs that clauses share. Override it for another world than the closed form."""
        _registered(ATTACKS, self.name, self.plugin)

        def make() -> Bench:
            return Bench(
                World.closed_form(tmp_path_factory.mktemp("contract")),
                self.name,
                self.plugin,
                self.settings,
                self.tolerance,
                self.least_share,
                self.most_seconds,
                self.minimum_norm,
            )

        bench = _shared(request, type(self), make)
        with bench.world.entered():
            yield bench

    @pytest.mark.parametrize("clause", ATTACK_CLAUSES, ids=str)
    def test_contract(self, clause: Clause[Bench], bench: Bench) -> None:
        """The attack keeps this clause."""
        _hold(clause, bench, self.leave_out)


class TargetContract:
    """What every target keeps.

    Attributes:
        name: the name that the target is registered under.
        plugin: the file that registers it; None for a target of this project or of an installed package.
        leave_out: clauses that are not tested.
        least_accuracy: of PREDICT on evaluation images, that it must have.
    """

    name: ClassVar[str]
    plugin: ClassVar[Path | None] = None
    leave_out: ClassVar[frozenset[str]] = frozenset()
    least_accuracy: ClassVar[float] = 0.0

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest) -> TargetBench:
        """The target, loaded once for all clauses."""
        _registered(TARGETS, self.name, self.plugin)
        bench: TargetBench = _shared(
            request, type(self), lambda: TargetBench(self.name, self.plugin, self.least_accuracy)
        )
        return bench

    @pytest.mark.parametrize("clause", TARGET_CLAUSES, ids=str)
    def test_contract(self, clause: Clause[TargetBench], bench: TargetBench) -> None:
        """The target keeps this clause."""
        _hold(clause, bench, self.leave_out)


def _registered(registry: Registry[Any], name: str, plugin: Path | None) -> None:
    """Load what registers ``name``, unless that is there already."""
    if name not in registry and plugin is None:
        load_installed()
    if name not in registry and plugin is not None:
        load_file(plugin)


def _shared(request: pytest.FixtureRequest, of: type, make: Any) -> Any:
    benches = request.config.stash.setdefault(_BENCHES, {})
    if of not in benches:
        benches[of] = make()
    return benches[of]


def _hold(clause: Clause[Any], subject: Any, leave_out: frozenset[str]) -> None:
    if clause.name in leave_out:
        pytest.skip("left out")
    try:
        clause.check(subject)
    except NotApplicable as reason:
        pytest.skip(str(reason))
