from __future__ import annotations

import pytest

from targets.errors import InputError
from targets.registry import Registry, unknown


@pytest.fixture
def registry() -> Registry[int]:
    registry: Registry[int] = Registry("target")
    for number, name in enumerate(["digits-sigma0.50", "digits-sigma0.12", "cifar10-sigma0.50", "Mine"]):
        registry.add(name, number)
    return registry


def test_a_registry_is_a_mapping_in_the_order_of_registration(registry):
    assert list(registry) == ["digits-sigma0.50", "digits-sigma0.12", "cifar10-sigma0.50", "Mine"]
    assert len(registry) == 4
    assert registry["cifar10-sigma0.50"] == 2
    assert "Mine" in registry
    assert "mine" not in registry


def test_a_name_is_given_once(registry):
    with pytest.raises(InputError, match="the target name 'Mine' is taken; register yours under another name"):
        registry.add("Mine", 9)
    assert registry["Mine"] == 3


@pytest.mark.parametrize("name", ["", "two words", "tab\there", "line\n", "a*", "a?", "[a]", "a/b"])
def test_names_that_would_clash_with_patterns_or_paths(registry, name):
    with pytest.raises(InputError, match="is no target name"):
        registry.add(name, 9)
    assert len(registry) == 4


def test_remove(registry):
    registry.remove("Mine")
    assert "Mine" not in registry
    registry.add("Mine", 10)
    assert list(registry)[-1] == "Mine"
    assert registry["Mine"] == 10
    with pytest.raises(InputError, match=r"unknown target 'mine'; did you mean 'Mine'\?"):
        registry.remove("mine")


def test_what_was_added_replaced_and_removed_since_a_snapshot_is_undone(registry):
    before = registry.snapshot()
    registry.remove("digits-sigma0.12")
    registry.replace("Mine", 10)
    registry.add("more", 11)
    assert list(before.items()) == list(zip(before, range(4), strict=True))
    for _ in range(2):  # a snapshot can be gone back to again
        registry.restore(before)
        assert list(registry) == ["digits-sigma0.50", "digits-sigma0.12", "cifar10-sigma0.50", "Mine"]
        assert [registry[name] for name in registry] == [0, 1, 2, 3]
        registry.add("more", 11)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digits-sigma0.5", "did you mean 'digits-sigma0.50'?"),
        ("cifar-sigma0.50", "did you mean 'cifar10-sigma0.50'?"),
        ("mine", "did you mean 'Mine'? A name that a plugin registers needs --plugin FILE"),
        ("z*", "give one name, not a pattern: Mine, cifar10-sigma0.50, digits-sigma0.12, digits-sigma0.50"),
        (
            "zzz",
            "known: Mine, cifar10-sigma0.50, digits-sigma0.12, digits-sigma0.50. A name that a plugin registers needs "
            "--plugin FILE",
        ),
    ],
)
def test_an_unknown_name_gets_a_hint(registry, name, hint):
    with pytest.raises(InputError) as caught:
        registry[name]
    assert str(caught.value) == f"unknown target {name!r}; {hint}"


def test_unknown_takes_any_iterable():
    assert str(unknown("option", "epsilon", iter(["epsilons", "seed"]))) == (
        "unknown option 'epsilon'; did you mean 'epsilons'?"
    )


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["digits-*"], ["digits-sigma0.50", "digits-sigma0.12"]),
        (["Mine", "digits-sigma0.12"], ["digits-sigma0.12", "Mine"]),
        (["*0.50", "digits-*"], ["digits-sigma0.50", "digits-sigma0.12", "cifar10-sigma0.50"]),
        (["digits-sigma0.[13]?"], ["digits-sigma0.12"]),
        (["*"], ["digits-sigma0.50", "digits-sigma0.12", "cifar10-sigma0.50", "Mine"]),
        ([], []),
    ],
)
def test_match_keeps_the_order_of_registration_and_names_no_entry_twice(registry, patterns, names):
    assert registry.match(patterns) == names


@pytest.mark.parametrize("pattern", ["mine", "imagenet-*", "Digits-*"])
def test_a_pattern_that_matches_nothing_is_an_error(registry, pattern):
    with pytest.raises(InputError, match="unknown target"):
        registry.match(["digits-*", pattern])


def test_a_name_that_resembles_none_may_be_a_plugins():
    with pytest.raises(InputError, match=r"known: apgd, cw\. A name that a plugin registers needs --plugin FILE"):
        raise unknown("attack", "my-own", ["cw", "apgd"])
    assert "--plugin" not in str(unknown("attack", "margn", ["margin"]))
    assert "--plugin" not in str(unknown("suite", "my-own", ["digits"]))
