"""Attacks on abstention, by name. They see a target only through an access object."""

from attacks import control, decision, hybrid, score, transfer, white_box  # each registers its attacks
from attacks.access import (
    Access,
    BudgetExhausted,
    Decision,
    Deployment,
    Hybrid,
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
    "Hybrid",
    "Meter",
    "NoAccess",
    "Score",
    "Transfer",
    "WhiteBox",
    "control",
    "decision",
    "hybrid",
    "register",
    "score",
    "transfer",
    "white_box",
]
