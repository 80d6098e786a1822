"""Targets: smoothed classifiers by name, with their data sets, PREDICT, CERTIFY and ceilings.

This package imports nothing from the other three.
"""

from targets import cifar10_targets as cifar10_targets  # registers its targets
from targets import digits_targets as digits_targets  # registers the embedded targets
from targets import torchvision_networks as torchvision_networks  # registers architectures
from targets import wide_resnet as wide_resnet  # registers one
from targets.checkpoint import register_checkpoint
from targets.data import DATA, DataSet, Split
from targets.data import cifar10 as cifar10  # registers the data set
from targets.data import digits as digits  # registers the embedded data set
from targets.data.given_data import register_data
from targets.errors import InputError, TargetError
from targets.smoothing import ABSTAIN, SmoothedClassifier
from targets.target import TARGETS, Target, load, register

__all__ = [
    "ABSTAIN",
    "DATA",
    "TARGETS",
    "DataSet",
    "InputError",
    "SmoothedClassifier",
    "Split",
    "Target",
    "TargetError",
    "load",
    "register",
    "register_checkpoint",
    "register_data",
]
