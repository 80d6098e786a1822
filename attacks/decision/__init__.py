"""Decision attacks: they query the target for a label or an abstention."""

from attacks.decision import level_set

__all__ = ["level_set"]
