"""White-box attacks: they hold the base classifier's gradients."""

from attacks.white_box import apgd, cross_and_land, cw, fmn, margin, tv

__all__ = ["apgd", "cross_and_land", "cw", "fmn", "margin", "tv"]
