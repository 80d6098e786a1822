"""Data sets: images in [0, 1], each with three splits, by name."""

from targets.data.data_set import DATA, DataSet, Split, SplitName, evenly_spaced

__all__ = ["DATA", "DataSet", "Split", "SplitName", "evenly_spaced"]
