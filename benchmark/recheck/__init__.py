"""Checking again: other PREDICT settings, images made elsewhere, paired comparisons, boards against their records."""
