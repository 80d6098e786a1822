"""Controls: how often the target abstains without an attack, and under random noise of length ε."""

from attacks.control import clean, gaussian

__all__ = ["clean", "gaussian"]
