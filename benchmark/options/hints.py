"""Hints for options that a command lacks: what the field's scripts call ours, and misspellings."""

from __future__ import annotations

import argparse
import difflib
import re

ELSEWHERE = {
    "--samples": ("--n", "--num-samples", "--n-samples"),
    "--n0": ("--n0",),
    "--images": ("--num", "--n-examples", "--n-ex", "--num-images", "--num-examples"),
    "--output": ("--outfile", "--out", "--output-file", "--log", "--log-path"),
    "--epsilons": ("--eps", "--epsilon", "--norm-thresh", "--threshold"),
    "--query-budgets": ("--n-queries", "--max-queries", "--queries", "--query-budget"),
    "--attacks": ("--attack", "--attacks-to-run", "--version"),
    "--targets": ("--target", "--model", "--model-name"),
    "--device": ("--gpu", "--cuda"),
    "--data": ("--data-dir", "--dataset-dir", "--root"),
}
"""Our options, and what the scripts of Cohen, RobustBench and AutoAttack call them, in lower case."""

NOT_OPTIONS = {
    ("--skip", "--max"): "images are spread evenly over the split, and --images N says how many",
    ("--batch", "--batch-size", "--bs"): "the batch is chosen by itself and changes no result",
    ("--sigma", "--noise", "--noise-sd"): "σ belongs to the target, and is given where that is registered",
    ("--split", "--dataset"): "images are those of the target's evaluation split",
    ("--norm", "--threat-model"): "budgets are ℓ2, in [0, 1] pixel units",
}
"""Options of those scripts that have no counterpart here, and why."""


def did_you_mean(option: str, verb: argparse.ArgumentParser) -> str:
    """What to add to the error for an unknown option: a hint, or nothing if the option resembles none.

    Args:
        option: as typed, with its value where it has one.
        verb: the command that lacks it.
    """
    known = re.findall(r"--[a-z0-9-]+", verb.format_usage())
    asked = option.partition("=")[0].lower().replace("_", "-")
    if asked == "--results" and "--output" in known and asked not in known:
        return "; this command stores nothing in a results folder: --output says where its table goes"
    for ours, names in ELSEWHERE.items():
        if asked in names and ours in known:
            return f"; did you mean {ours}?"
    for names, reason in NOT_OPTIONS.items():
        if asked in names and all(option in known for option in re.findall(r"--[a-z]+", reason)):
            return f"; {reason}"
    close = difflib.get_close_matches(asked, known, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""
