"""Access: what an attack can do is what the object that it receives can do, and every use is counted.

The objects hold functions, never the target, so a decision attack has no gradients to ask for. Wherever images are
passed, ``rows`` names the image of the attack's batch that each of them belongs to, which is charged for it; without
``rows`` there is one for each image, in order.
"""

from attacks.access.base import Access, Deployment, NoAccess
from attacks.access.meter import BudgetExhausted, Meter
from attacks.access.queries import Decision, Predict, Score, Votes
from attacks.access.transfer import (
    Fit,
    Hybrid,
    Progress,
    SameDataFit,
    SameDataSurrogate,
    Surrogate,
    Transfer,
)
from attacks.access.white_box import NoGradient, WhiteBox

ACCESSES: tuple[type[Access], ...] = (WhiteBox, Score, Decision, Transfer, Hybrid, NoAccess)
"""Every access, in the order of the board; each knows its name there (``kind``)."""

__all__ = [
    "ACCESSES",
    "Access",
    "BudgetExhausted",
    "Decision",
    "Deployment",
    "Fit",
    "Hybrid",
    "Meter",
    "NoAccess",
    "NoGradient",
    "Predict",
    "Progress",
    "SameDataFit",
    "SameDataSurrogate",
    "Score",
    "Surrogate",
    "Transfer",
    "Votes",
    "WhiteBox",
]
