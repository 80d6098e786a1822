"""Score attacks: each query to the target returns vote counts."""

from attacks.score import nes, square, zoo

__all__ = ["nes", "square", "zoo"]
