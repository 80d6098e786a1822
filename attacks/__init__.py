"""Attacks on abstention, by name. They see a target only through an access object.

One folder for each access holds its attacks; ``search`` holds what several of them are made of, and ``libraries`` runs
attacks of other libraries.
"""

from attacks import control, decision, hybrid, score, transfer, white_box  # each registers its attacks
from attacks.access import (
    ACCESSES,
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
    "ACCESSES",
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
