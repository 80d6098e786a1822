"""``docs/defences.md``: what it advises, and what it says is shown, are what the published boards hold."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from leaderboard.paired import paired
from leaderboard.statistics import holm

ROOT = Path(__file__).parent.parent
PAGE = " ".join((ROOT / "docs" / "defences.md").read_text(encoding="utf-8").split())
PUBLISHED = ROOT / "leaderboard" / "published"
TRAININGS = ("consistency", "ensemble", "macer", "smooth-adv", "smooth-mix", "stability")
SIGMAS = ("0.12", "0.25", "0.50", "1.00")


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    held: dict[str, Any] = json.loads((PUBLISHED / "cifar10-defences" / "leaderboard.json").read_text(encoding="utf-8"))
    return held


@pytest.fixture(scope="module")
def cifar10(board: dict[str, Any]) -> dict[tuple[str, float], dict[str, Any]]:
    names = re.compile(r"cifar10-(.*)-bf16")
    return {(names.sub(r"\1", one["target"]), one["epsilon"]): one for one in board["standings"]}


@pytest.fixture(scope="module")
def right() -> dict[str, list[bool]]:
    """Whether each image of the digits is answered rightly under every attack at ε = 0.5, by target."""
    columns = ["target", "epsilon", "image", "label", "outcome"]
    held: dict[str, dict[int, bool]] = defaultdict(dict)
    for one in parquet.read_table(PUBLISHED / "digits-defences" / "records.parquet", columns=columns).to_pylist():
        if one["epsilon"] == 0.5:
            images = held[one["target"].removeprefix("digits-")]
            images[one["image"]] = images.get(one["image"], True) and one["outcome"] == one["label"]
    return {target: [images[image] for image in sorted(images)] for target, images in held.items()}


def section(title: str) -> str:
    return PAGE.partition(f"# {title} ")[2].partition(" ## ")[0]


def percent(rate: float) -> str:
    return f"{100 * rate:.1f}%"


def every(standing: dict[str, Any], what: str) -> float:
    rate: float = standing["under_attack"][-1][f"{what}_every"]["rate"]
    return rate


def wrong(standing: dict[str, Any]) -> str:
    return percent(every(standing, "answered") - every(standing, "right"))


def test_the_advice_gives_the_boards_figures(cifar10: dict[tuple[str, float], dict[str, Any]]):
    said = section("Which training should I use?")
    consistency, gaussian = (cifar10[f"{name}sigma0.25", 1.0] for name in ("consistency-", ""))
    kept = f"answers {percent(every(consistency, 'right'))} of the images rightly, Gaussian training "
    assert kept + f"{percent(every(gaussian, 'right'))}." in said
    clean = [percent(one["clean_right"]["rate"]) for one in (consistency, gaussian)]
    assert f"answers {clean[0]} rightly in place of {clean[1]}." in said
    assert percent(consistency["certified_right"]) == percent(gaussian["certified_right"]) == "0.0%"
    consistency, gaussian = (cifar10[f"{name}sigma0.25", 0.5] for name in ("consistency-", ""))
    abstains = [percent(1 - every(one, "answered")) for one in (consistency, gaussian)]
    assert f"fewer images, {abstains[0]} in place of {abstains[1]}," in said
    assert f"wrongly, {wrong(consistency)} in place of {wrong(gaussian)}." in said
    certified = [percent(one["certified_right"]) for one in (consistency, gaussian)]
    assert f"right answers below {certified[0]}, or below {certified[1]} after" in said
    consistency, stability, gaussian = (cifar10[f"{name}sigma0.50", 1.0] for name in ("consistency-", "stability-", ""))
    lost = [100 * (gaussian["clean_right"]["rate"] - one["clean_right"]["rate"]) for one in (consistency, stability)]
    assert f"consistency has {lost[0]:.1f} points fewer, stability {lost[1]:.1f}." in said
    certified = [percent(one["certified_right"]) for one in (consistency, gaussian)]
    assert f"right answers below {certified[0]}, or below {certified[1]} after" in said
    first = cifar10["consistency-sigma0.25", 1.0]
    assert percent(first["clean_right"]["rate"]) == percent(gaussian["clean_right"]["rate"]) == "64.5%"
    kept = f"keep {percent(every(first, 'right'))} and {percent(every(gaussian, 'right'))}"
    assert f"{kept} (p = {gaussian['behind_first']['mcnemar_p']:.2f})" in said
    assert first["rank"] == 1


def by_target(table: str, cells: str) -> dict[str, tuple[str, ...]]:
    """The cells of a table of σ and training, σ given once, by target; ``cells`` is their pattern."""
    found: dict[str, tuple[str, ...]] = {}
    sigma = ""
    for where, training, *values in re.findall(rf"\| (?:(\d\.\d\d) )?\| (\w+) \|{cells}", table):
        sigma = where or sigma
        name = f"cifar10-sigma{sigma}-bf16" if training == "Gaussian" else f"cifar10-{training}-sigma{sigma}-bf16"
        found[name] = tuple(values)
    assert len(found) == 8
    return found


def test_the_table_of_attackers_without_the_weights_is_the_boards(board: dict[str, Any]):
    told = {
        (row["target"], row["attack"], row["epsilon"]): (percent(1 - row["abstention_rate"]), percent(row["accuracy"]))
        for row in board["rows"]
    }
    rates, empty = r" (\d[^|]*) \|", r"[^|]*\|"
    table = section("On CIFAR-10").partition("An attacker **without the weights**")[2]
    for target, cells in by_target(table, rates * 2 + empty * 2 + rates).items():
        at = ("same-data-hybrid", 0.5), ("same-data-hybrid", 1.0), ("same-data-transfer", 1.0)
        assert cells == tuple(", ".join(told[target, attack, epsilon]) for attack, epsilon in at)


def test_the_table_of_costs_on_cifar10_is_the_boards(board: dict[str, Any]):
    costs = {(one["target"], one["epsilon"]): one for one in board["sequential"]}
    assert {(one["attack"], one["most"]) for one in board["sequential"]} == {("cross-and-land", 3000)}
    table = section("What an answer costs").partition("On [CIFAR-10]")[2]
    for target, cells in by_target(table, r" (\d[\d,.]*) \|" * 5).items():
        half, one = costs[target, 0.5], costs[target, 1.0]
        samples = [f"{mean['mean']:,.0f}" for mean in (half["clean_samples"], half["samples"], one["samples"])]
        times = [f"{cost['times']['mean']:.1f}" for cost in (half, one)]
        assert cells == (samples[0], samples[1], times[0], samples[2], times[1])
        assert half["clean_samples"]["mean"] == one["clean_samples"]["mean"]
    attacked, clean = (
        [
            costs[f"cifar10-sigma{sigma}-bf16", epsilon][cost]["mean"]
            - costs[f"cifar10-consistency-sigma{sigma}-bf16", epsilon][cost]["mean"]
            for sigma, epsilon in product(("0.25", "0.50", "1.00"), (0.5, 1.0))
        ]
        for cost in ("samples", "clean_samples")
    )
    assert f"takes {min(attacked):.0f} to {max(attacked):.0f} samples an image less" in table
    assert f"Unattacked it takes {min(clean):.0f} to {max(clean):.0f} less" in table


def test_what_is_shown_on_the_digits(right: dict[str, list[bool]]):
    first = "smooth-mix-sigma0.25"
    others = [target for target in right if target != first]
    corrected = holm([paired(right[first], right[target]).p for target in others])
    beaten = {target for target, p in zip(others, corrected, strict=True) if p < 0.05}
    names = [f"{training}-" for training in TRAININGS] + [""]
    assert len(others) == 27
    assert beaten == {
        *(f"{name}sigma1.00" for name in names),
        *(f"{name}sigma0.12" for name in names if name != "smooth-mix-"),
        *("smooth-adv-sigma0.25", "smooth-adv-sigma0.50", "macer-sigma0.50"),
    }
    pairs = [(f"sigma{sigma}", f"{training}-sigma{sigma}") for sigma in SIGMAS for training in TRAININGS]
    tests = [paired(right[gaussian], right[other]) for gaussian, other in pairs]
    shown = [(*at, p) for at, p in zip(pairs, holm([test.p for test in tests]), strict=True) if p < 0.05]
    assert len(tests) == 24
    [(gaussian, other, p)] = shown
    assert (gaussian, other, f"{p:.3f}") == ("sigma0.12", "smooth-mix-sigma0.12", "0.006")
    assert all(
        words in section("On the digits")
        for words in ("the 27 comparisons with the first", "those 24 comparisons", "with 78% against 52% (p = 0.0002,")
    )
    assert (sum(right[other]), sum(right[gaussian])) == (39, 26)
