"""Score attacks: they query the target for vote counts."""

from attacks.score import nes, square, zoo

__all__ = ["nes", "square", "zoo"]
