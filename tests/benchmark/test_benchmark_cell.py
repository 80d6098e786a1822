"""A cell's key: a hash of what can change the result and of nothing else, the same in every process."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from benchmark_helpers import TARGET

from attacks import ATTACKS, Attack
from attacks.control.clean import Clean
from benchmark.cell import Cell, cells
from benchmark.key import key_of, settings_key
from benchmark.suite import Suite
from targets import DATA, SmoothedClassifier
from targets.data import evenly_spaced
from targets.engine.arithmetic import VARIABLE
from targets.models import SmallCNN
from targets.precision import Bfloat16

DATA.add("digits-again", dataclasses.replace(DATA["digits"], name="digits-again"))
SUITE = Suite("s", targets=(TARGET,), attacks=("cw",), samples=100)


def target(**values: Any) -> SmoothedClassifier:
    known = {"sigma": 0.5, "num_classes": 10, "name": TARGET, "digest": "abc", "data": "digits"}
    return SmoothedClassifier(SmallCNN(), **{**known, **values})


def cell(**values: Any) -> Cell:
    plain = Cell(SUITE, target(), "cw", SUITE.attack("cw"), 0.5, (0, 1))
    return dataclasses.replace(plain, **values)


class Newer(Clean):
    """Control: the image unchanged, evaluated on fresh noise."""

    version = 2


class Reworded(Clean):
    """Told in other words."""


CHANGES: dict[str, dict[str, Any]] = {
    "suite name": {"suite": dataclasses.replace(SUITE, name="other")},
    "n": {"suite": dataclasses.replace(SUITE, samples=101)},
    "alpha": {"suite": dataclasses.replace(SUITE, alpha=0.002)},
    "seed": {"suite": dataclasses.replace(SUITE, seed=1)},
    "query budget": {"query_budget": 99},
    "target": {"target": target(name="digits-sigma0.25")},
    "weights": {"target": target(digest="abd")},
    "sigma": {"target": target(sigma=0.51)},
    "data": {"target": target(data="digits-again")},
    "attack name": {"attack_name": "cw2"},
    "epsilon": {"epsilon": 0.5000001},
    "images": {"images": (0, 2)},
    "order of images": {"images": (1, 0)},
    "fewer images": {"images": (0,)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_changes_with_what_can_change_the_result(change: str):
    assert cell(**CHANGES[change]).key != cell().key


def test_no_two_changes_share_a_key():
    keys = [cell(**values).key for values in CHANGES.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ATTACKS["cw"])])  # type: ignore[arg-type]
def test_the_key_changes_with_every_hyper_parameter(field: str):
    attack = SUITE.attack("cw")
    other = dataclasses.replace(attack, **{field: getattr(attack, field) * 2})
    assert cell(attack=other).key != cell().key


def test_the_key_changes_with_the_attacks_version_and_not_with_its_words():
    assert cell(attack=Newer()).key != cell(attack=Clean()).key
    assert Reworded.summary() != Clean.summary()
    assert cell(attack=Reworded()).key == cell(attack=Clean()).key


@pytest.mark.parametrize(
    "values",
    [
        {"suite": dataclasses.replace(SUITE, targets=("*",), attacks=("*",), epsilons=(0.1, 0.5))},
        {"suite": dataclasses.replace(SUITE, images=3, shard=2)},
        {"suite": dataclasses.replace(SUITE, ceiling_samples=99)},
        {"suite": dataclasses.replace(SUITE, ceiling_samples_max=99_000)},
        {"suite": dataclasses.replace(SUITE, settings={"margin": {"steps": 3}})},
        {"target": target(batch=10)},
        {"target": target(device=torch.device("cpu"))},
    ],
)
def test_the_key_does_not_change_with_what_cannot(values: dict[str, Any]):
    assert cell(**values).key == cell().key


def test_the_device_is_no_part_of_the_settings():
    assert "device" not in cell().settings()
    assert "cpu" not in str(cell().settings())


def test_the_hash_is_the_one_that_stored_results_were_named_by():
    # If this fails, every result ever stored is orphaned: raise PROTOCOL on purpose, never the hash by accident.
    assert key_of({"b": [1, 2.5], "a": None}) == key_of({"a": None, "b": [1, 2.5]})
    assert key_of({"b": [1, 2.5], "a": None}) == "953546ac48dbf2142414f4f6e41c0550"


IN_BFLOAT16 = Bfloat16(SmallCNN())


KEYS = {"as-is": "4249df50b146599cfe9994a5692b3a84", "rounded": "211264adb3c30c61b98899d5cb936a13"}
"""Frozen; the first is older than the second."""


@pytest.mark.parametrize("arithmetic", KEYS)
def test_only_another_arithmetic_than_the_published_boards_is_part_of_the_key(arithmetic, monkeypatch):
    monkeypatch.setenv(VARIABLE, arithmetic)
    half = SmoothedClassifier(IN_BFLOAT16, 0.5, 10, name=TARGET, digest="abc", data="digits")
    clean = cell(target=half, attack_name="clean", attack=Clean())
    assert clean.key == KEYS[arithmetic]
    other = {"as-is": "rounded", "rounded": "as-is"}[arithmetic]
    elsewhere = {settings.get("arithmetic", "as-is"): settings_key(settings) for settings in clean.elsewhere()}
    assert elsewhere[other] == KEYS[other]
    assert set(elsewhere) == {"as-is", "folded", "rounded"} - {arithmetic}


def test_settings_say_what_the_board_shows():
    settings = cell().settings()
    assert settings["access"] == "white-box"
    assert settings["parameters"] == SUITE.attack("cw").parameters()
    assert settings["description"] == ATTACKS["cw"].summary()
    assert issubclass(ATTACKS["cw"], Attack)


def test_cells_cover_every_image_of_every_attack_and_epsilon_once():
    suite = Suite("s", targets=(TARGET,), attacks=("clean", "gaussian"), epsilons=(0.5, 1.0), shard=2)
    made = list(cells(suite, target(), [5, 6, 7, 8, 9]))
    assert [(c.attack_name, c.epsilon, c.images) for c in made] == [
        (attack, epsilon, images)
        for attack in ("clean", "gaussian")
        for epsilon in (0.5, 1.0)
        for images in ((5, 8), (6, 9), (7,))
    ]
    assert len({c.key for c in made}) == len(made)


def test_a_suite_of_twice_the_images_has_the_cells_of_the_one_half_as_large():
    half, whole = (
        list(cells(Suite("s", attacks=("clean",), images=n, shard=5), target(), evenly_spaced(180, n)))
        for n in (10, 20)
    )
    assert {c.key for c in half} < {c.key for c in whole}
