"""Hybrid attacks: they have surrogates, and query the target for a few labels."""

from attacks.hybrid import cross_and_land_hybrid, same_data_hybrid

__all__ = ["cross_and_land_hybrid", "same_data_hybrid"]
