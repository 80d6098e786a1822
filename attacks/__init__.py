"""Attacks on abstention, by name. They see a target only through an access object."""

from attacks import clean, cw, cw_transfer, gaussian, margin, margin_transfer, tv, tv_transfer, zoo
from attacks.access import (
    Access,
    BudgetExhausted,
    Decision,
    Deployment,
    Meter,
    NoAccess,
    Score,
    Transfer,
    WhiteBox,
)
from attacks.base import ATTACKS, Attack, register

__all__ = [
    "ATTACKS",
    "Access",
    "Attack",
    "BudgetExhausted",
    "Decision",
    "Deployment",
    "Meter",
    "NoAccess",
    "Score",
    "Transfer",
    "WhiteBox",
    "register",
]

BUILT_IN = (clean, gaussian, cw_transfer, tv_transfer, margin_transfer, zoo, cw, tv, margin)
"""The modules that register the attacks that come with the package."""
