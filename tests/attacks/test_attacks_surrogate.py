"""The text that a surrogate is stored under: it must stay, or every surrogate that was trained is orphaned."""

from __future__ import annotations

import dataclasses

from attacks import surrogate
from attacks.surrogate import SurrogateRecipe

PLAIN = SurrogateRecipe("small-cnn", 100, 64, 0.05, abstention=False, sigma=0.5)
VERSIONED = SurrogateRecipe("resnet-20", 12, 128, 0.1, abstention=True, sigma=0.25, crop=4, flip=True, member=1)


def test_the_text_is_that_of_the_first_release():
    assert PLAIN.key == (
        "Substitute(architecture='small-cnn', epochs=100, batch=64, learning_rate=0.05, abstention=False, sigma=0.5, "
        "crop=0, flip=False, member=0)"
    )
    assert VERSIONED.key == (
        "Substitute(architecture='resnet-20', epochs=12, batch=128, learning_rate=0.1, abstention=True, sigma=0.25, "
        "crop=4, flip=True, member=1)"
    )


def test_an_architecture_that_a_plugin_brought_adds_its_version(monkeypatch):
    monkeypatch.setitem(surrogate.VERSIONS, "small-cnn", "abc")
    assert PLAIN.key.endswith("member=0), code abc")


def test_a_field_with_a_default_that_is_added_later_changes_no_text():
    @dataclasses.dataclass(frozen=True)
    class Later(SurrogateRecipe):
        weight_decay: float = 0.0

    assert Later(**dataclasses.asdict(PLAIN)).key == PLAIN.key


def test_every_field_of_today_is_in_the_text():
    others = {
        "architecture": "other", "epochs": 1, "batch": 1, "learning_rate": 1.0, "abstention": True, "sigma": 1.0,
        "crop": 1, "flip": True, "member": 1,
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(SurrogateRecipe)} == others.keys(), (
        "a new field must appear in the key where it is not its default, and then here"
    )
    keys = {dataclasses.replace(PLAIN, **{name: value}).key for name, value in others.items()}
    assert len(keys | {PLAIN.key}) == len(others) + 1
