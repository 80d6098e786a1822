"""Defences: losses that train base classifiers for smoothing, one published method a file."""

from targets.defences.consistency import Consistency
from targets.defences.defence import Defence
from targets.defences.ensemble import Ensemble
from targets.defences.gaussian import Gaussian
from targets.defences.macer import Macer
from targets.defences.smooth_adv import SmoothAdv
from targets.defences.smooth_mix import SmoothMix
from targets.defences.stability import Stability

__all__ = ["Consistency", "Defence", "Ensemble", "Gaussian", "Macer", "SmoothAdv", "SmoothMix", "Stability"]
