"""Decision attacks: each query to the target returns a label or ABSTAIN."""

from attacks.decision import level_set

__all__ = ["level_set"]
