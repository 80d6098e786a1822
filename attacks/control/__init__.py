"""Controls: what abstention is without an attack, and under noise of the attack's length."""

from attacks.control import clean, gaussian

__all__ = ["clean", "gaussian"]
