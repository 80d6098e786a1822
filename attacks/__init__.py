"""Attacks on abstention, by name. They see a target only through an access object."""

from attacks import (
    apgd,
    clean,
    cross_and_land,
    cross_and_land_hybrid,
    cross_and_land_transfer,
    cw,
    cw_transfer,
    fmn,
    gaussian,
    level_set,
    margin,
    margin_transfer,
    nes,
    same_data_hybrid,
    same_data_transfer,
    square,
    tv,
    tv_transfer,
    zoo,
)
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
    "register",
]

BUILT_IN = (
    *(clean, gaussian),
    *(cw_transfer, tv_transfer, margin_transfer, cross_and_land_transfer, same_data_transfer),
    *(cross_and_land_hybrid, same_data_hybrid),
    *(zoo, square, nes),
    level_set,
    *(cw, tv, margin, cross_and_land, fmn, apgd),
)
"""The modules that register the attacks that come with the package."""
