"""What plugins may add to: the registries of attacks, targets, data sets and architectures, with a snapshot of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attacks import ATTACKS
from targets import DATA, TARGETS
from targets.models import ARCHITECTURES, VERSIONS
from targets.registry import Registry

REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in (ATTACKS, TARGETS, DATA, ARCHITECTURES)}
"""By kind of entry."""


@dataclass(frozen=True)
class Snapshot:
    """All registries at one moment.

    Attributes:
        entries: by kind and name.
        versions: of plugins' architectures, by name.
    """

    entries: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]

    @classmethod
    def take(cls) -> Snapshot:
        """The registries as they are now."""
        return cls({kind: registry.snapshot() for kind, registry in REGISTRIES.items()}, dict(VERSIONS))

    def added(self) -> set[tuple[str, str]]:
        """Kind and name of each entry that was registered since."""
        return {
            (kind, name) for kind, registry in REGISTRIES.items() for name in registry if name not in self.entries[kind]
        }

    def restore(self) -> None:
        """Make the registries what they were."""
        for kind, registry in REGISTRIES.items():
            registry.restore(self.entries[kind])
        VERSIONS.clear()
        VERSIONS.update(self.versions)
