"""Engines: where cells run. Each is a small module over a library's executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from targets import InputError

ENGINES = ("local", "dask", "submitit")


class Engine(Protocol):
    """Runs functions elsewhere, in the shape of an ``Executor`` of ``concurrent.futures``.

    Attributes:
        group_seconds: cells are sent together as long as they are expected to take less than this. 0: each alone.
        deaths: what a future raises if whatever ran the function ended before it was done.
    """

    group_seconds: float
    deaths: tuple[type[BaseException], ...]

    def places(self) -> int:
        """How many functions may run at a time, now."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Have a function called."""

    def shutdown(self) -> None:
        """End everything that still runs, and wait for that."""


@dataclass(frozen=True)
class EngineChoice:
    """What the user asks for.

    Attributes:
        name: one of `ENGINES`.
        scheduler: address of a Dask scheduler; None for a local cluster.
        options: of submitit's executor, by name.
    """

    name: str = "local"
    scheduler: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheduler is not None and self.name != "dask":
            raise InputError("--scheduler is an option of --engine dask; add that, or leave it out")
        if self.options and self.name != "submitit":
            raise InputError("--engine-options are options of --engine submitit; add that, or leave them out")


def missing(engine: str, package: str) -> InputError:
    """The error for an engine whose library is not installed."""
    return InputError(f"--engine {engine} needs a package: python -m pip install {package}")
