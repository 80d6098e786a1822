"""Transfer attacks: they have surrogates, and make no query during the attack."""

from attacks.transfer import cross_and_land_transfer, cw_transfer, margin_transfer, same_data_transfer, tv_transfer

__all__ = ["cross_and_land_transfer", "cw_transfer", "margin_transfer", "same_data_transfer", "tv_transfer"]
