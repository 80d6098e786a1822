"""Isolation: user code leaves the process's global state as it was."""

from targets.isolation.isolated import isolated, seeded

__all__ = ["isolated", "seeded"]
