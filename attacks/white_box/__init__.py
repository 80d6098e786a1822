"""White-box attacks: they have the base classifier and its gradients."""

from attacks.white_box import apgd, cross_and_land, cw, ddn, fmn, margin, tv

__all__ = ["apgd", "cross_and_land", "cw", "ddn", "fmn", "margin", "tv"]
