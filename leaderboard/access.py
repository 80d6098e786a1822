"""Access: what an attacker may see and ask, under the names that records carry, and who can do more than whom.

The classes of `attacks.access` have the same names as their `kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WHITE_BOX = "white-box"  # the weights, and so gradients
SCORE = "score"  # queries that are answered with vote counts
DECISION = "decision"  # queries that are answered with a label or ABSTAIN
TRANSFER = "transfer"  # a surrogate, and no query during the attack
HYBRID = "hybrid"  # a surrogate, and decision queries during the attack
CONTROL = "none"  # the controls: nothing but public facts

ACCESSES = (WHITE_BOX, SCORE, DECISION, TRANSFER, HYBRID, CONTROL)
"""In the order of tables and legends."""

STRONGER: Mapping[str, tuple[str, ...]] = {
    CONTROL: (TRANSFER, DECISION, SCORE, HYBRID, WHITE_BOX),
    # A hybrid attacker has a surrogate and queries besides. The owner of the weights needs no surrogate.
    TRANSFER: (HYBRID, WHITE_BOX),
    # The label follows from the votes, and the votes from the weights. A decision attacker also has unlabelled images,
    # which say nothing of the target.
    DECISION: (SCORE, HYBRID, WHITE_BOX),
    SCORE: (WHITE_BOX,),
    HYBRID: (WHITE_BOX,),
    WHITE_BOX: (),
}
"""By access, those that can do everything it can and more, given as many queries.

Other pairs do not compare: what labels are worth against a surrogate, or votes against both, depends on the target.
"""


def ordered(accesses: Iterable[str]) -> list[str]:
    """Each access once, in the order of `ACCESSES`; those of plugins come last."""
    known = set(accesses)
    return [*(name for name in ACCESSES if name in known), *sorted(known - set(ACCESSES))]


def spoken(access: str) -> str:
    """What tables and legends call an access."""
    return "control" if access == CONTROL else access
