"""The engine: runs a base classifier for answers and gradients, in the arithmetic that is fastest on this machine."""

from targets.engine.engine import Engine

__all__ = ["Engine"]
