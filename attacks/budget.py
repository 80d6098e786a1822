"""How exactly the ℓ2 budget ε is kept, in float32: the rule's slack, and the margins that attacks keep."""

from __future__ import annotations

SLACK = 1e-6
"""Relative excess over ε that the budget rule forgives, as rounding."""

INSIDE = 1 - 1e-5
"""Share of ε that projection uses, so that rounding in float32 does not exceed the budget. It is enough from ε = 0.01
on; at 0.001 the rounding of pixels near 1 is as large as this margin."""

WELL_INSIDE = 1 - 1e-4
"""The same for ``level-set``, which computes in float64 along directions and rounds at the end. It does not need this
much; another share would give other images."""
