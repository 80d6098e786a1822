"""Suites: precedence of settings, and one clear line for everything that cannot be run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import TARGET, suite_file

import attacks
from attacks import Attack, NoAccess
from benchmark.commands.run import chosen_suite
from benchmark.options import parser
from benchmark.suite import Suite
from benchmark.suite_file import from_table, load_suite, suite_names
from targets import InputError

BY_FILE: dict[str, Any] = {
    "name": "mine-from-5",
    "targets": ["digits-sigma0.25"],
    "attacks": ["clean"],
    "epsilons": [0.125],
    "images": 3,
    "offset": 5,
    "samples": 200,
    "alpha": 0.01,
    "seed": 7,
    "ceiling_samples": 300,
    "ceiling_samples_max": 900,
    "shard": 2,
    "query_budgets": [9, 30],
    "best_of": True,
    "settings": {"cw": {"steps": 3}},
}

BY_HAND: dict[str, tuple[list[str], Any]] = {
    "targets": (["--targets", "digits-sigma0.50", "digits-sigma1.00"], ("digits-sigma0.50", "digits-sigma1.00")),
    "attacks": (["--attacks", "gaussian"], ("gaussian",)),
    "epsilons": (["--epsilons", "2", "0.5"], (2.0, 0.5)),
    "images": (["--images", "5"], 5),
    "samples": (["--samples", "400"], 400),
    "alpha": (["--alpha", "0.05"], 0.05),
    "seed": (["--seed", "11"], 11),
    "query_budgets": (["--query-budgets", "10", "30"], (10, 30)),
    "ceiling_samples": (["--ceiling-samples", "400"], 400),
    "ceiling_samples_max": (["--ceiling-samples-max", "5000"], 5000),
    "best_of": (["--no-best-of"], False),
}


def chosen(*arguments: object) -> Suite:
    return chosen_suite(parser().parse_args(["run", *map(str, arguments)]))


def test_settings_that_change_nothing_are_one_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = suite_file(tmp_path / "mine.toml", settings={"margin": {"steps": 3}, "cw": {"steps": 3}}, attacks=["c*"])
    chosen("--suite", path)
    notice = capsys.readouterr().err
    assert notice == "the suite file's [settings.margin] changes nothing: no such attack is run\n"
    chosen("--suite", path, "--attacks", "margin")
    assert capsys.readouterr().err == ""
    path.write_text(path.read_text().replace('"margin"', '"margn"'))
    with pytest.raises(InputError, match=r"unknown attack 'margn'; did you mean 'margin'\?"):
        chosen("--suite", path)


def as_stored(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def refusal(suite: Suite) -> str:
    with pytest.raises(InputError) as caught:
        suite.check()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_table_of_this_test_has_every_field():
    assert set(BY_FILE) == {f.name for f in dataclasses.fields(Suite)}


@pytest.mark.parametrize("key", BY_FILE)
def test_a_file_goes_over_the_defaults_and_changes_nothing_else(key: str):
    suite = from_table({key: BY_FILE[key]}, default_name="file")
    assert getattr(suite, key) == as_stored(BY_FILE[key]) != getattr(Suite("file"), key)
    assert dataclasses.replace(suite, **{key: getattr(Suite("file"), key)}) == Suite("file")


@pytest.mark.parametrize("key", BY_HAND)
def test_the_command_line_goes_over_the_file_and_changes_nothing_else(key: str, tmp_path: Path):
    settings = BY_FILE["settings"]
    others = {name: value for name, value in BY_FILE.items() if name != "settings"}
    path = suite_file(tmp_path / "s.toml", settings, **others)
    arguments, value = BY_HAND[key]
    plain, suite = chosen("--suite", path), chosen("--suite", path, *arguments)
    assert plain == load_suite(str(path))
    assert getattr(suite, key) == value != getattr(plain, key)
    assert dataclasses.replace(suite, **{key: getattr(plain, key)}) == plain


def test_settings_by_hand_go_over_those_of_the_file(tmp_path: Path):
    path = suite_file(
        tmp_path / "s.toml", {"margin": {"steps": 3, "samples": 9}}, attacks=["margin", "cw-transfer", "clean"]
    )
    suite = chosen(
        *("--suite", path, "--set", "margin.steps=30", "margin.step_size=2"),
        *("--set", "cw-transfer.architecture=12", "--set", "margin.steps=31"),
    )
    assert suite.settings == {
        "margin": {"steps": 31, "samples": 9, "step_size": 2},
        "cw-transfer": {"architecture": "12"},
    }
    assert suite.attack("margin").parameters()["step_size"] == 2.0
    assert load_suite(str(path)).settings == {"margin": {"steps": 3, "samples": 9}}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("margin", "--set margin: give ATTACK.NAME=VALUE, as margin.steps=30"),
        ("steps=30", "--set steps=30: give ATTACK.NAME=VALUE"),
        ("margni.steps=30", "unknown attack 'margni'; did you mean 'margin'?"),
        ("margin.step=30", "unknown hyper-parameter of margin 'step'; did you mean 'steps'?"),
        ("margin.steps=thirty", "settings.margin.steps is 'thirty'; give a whole number"),
        ("margin.steps=3.5", "settings.margin.steps is 3.5; give a whole number"),
        ("margin.steps=", "settings.margin.steps is ''; give a whole number"),
        ("margin.steps=" + 9000 * "[", "; give a whole number"),
        ("margin.steps=-1", "settings.margin.steps is -1; give a number that is not negative"),
        ("cw.steps=3", "--set cw.steps=3: cw is not run; leave it out, or name it among --attacks"),
    ],
)
def test_settings_by_hand_that_cannot_be_are_one_clear_line(word: str, message: str):
    with pytest.raises(InputError) as caught:
        chosen("--attacks", "margin", "--set", word)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_is_the_default_suite_and_patterns_alone_narrow_it():
    assert chosen("--all") == load_suite("digits") == chosen("--suite", "digits")
    assert chosen("--attacks", "c*") == dataclasses.replace(load_suite("digits"), attacks=("c*",))
    assert sorted(chosen("--all", "--attacks", "cw*").attack_names()) == ["cw", "cw-transfer"]


def test_names_are_given_once_however_often_they_are_asked_for():
    suite = chosen("--epsilons", "0.5", "0.5", "--attacks", "clean", "cl*", "clean", "--targets", TARGET, TARGET)
    assert suite.epsilons == (0.5,)
    assert suite.attack_names() == ["clean"]
    assert suite.target_names() == [TARGET]


def test_the_default_suite_is_the_one_promised():
    suite = load_suite("digits")
    suite.check()
    assert suite.name == "digits"
    assert suite.epsilons == (0.25, 0.5, 1.0)
    assert suite.target_names() == [f"digits-sigma{sigma}" for sigma in ("0.12", "0.25", "0.50", "1.00")]
    assert len(suite.attack_names()) >= 9
    assert "digits" in suite_names()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"targets": ()}, ["names no targets", "--targets"]),
        ({"attacks": ()}, ["names no attacks", "--attacks"]),
        ({"epsilons": ()}, ["names no epsilons", "--epsilons"]),
        ({"epsilons": (0.5, 0.0)}, ["epsilon is 0", "above 0"]),
        ({"epsilons": (-1.0,)}, ["epsilon is -1", "above 0"]),
        ({"epsilons": (float("nan"),)}, ["epsilon is nan"]),
        ({"epsilons": (float("inf"),)}, ["epsilon is inf"]),
        ({"images": 0}, ["images is 0", "at least 1"]),
        ({"images": 398}, ["398 images", "from 1 to 397"]),
        ({"offset": 3}, ["'x' starts at image 3", "name it x-from-3"]),
        ({"name": "x-from-3", "offset": 4}, ["starts at image 4"]),
        ({"name": "x-from--1", "offset": -1}, ["from index -1 on", "from 0 to 3"]),
        ({"name": "x-from-8", "offset": 8, "images": 50}, ["50 of 397 images from index 8", "from 0 to 7"]),
        ({"ceiling_samples": 1}, ["ceiling_samples is 1", "at least 2"]),
        ({"ceiling_samples": 400, "ceiling_samples_max": 400}, ["ceiling_samples_max is 400", "more than", "is 400"]),
        ({"ceiling_samples_max": -1}, ["ceiling_samples_max is -1", "which is 10,000, or 0 for no more"]),
        ({"ceiling_samples_max": 10**8}, ["ceiling_samples_max is 100000000", "at most 10,000,000"]),
        ({"shard": 0}, ["shard is 0", "at least 1"]),
        ({"query_budgets": [5, 0]}, ["a query budget is 0", "at least 1"]),
        ({"samples": 10}, ["n = 10", "always abstain", "at least 11"]),
        ({"samples": 0}, ["n is 0", "at least 1"]),
        ({"alpha": 0.0}, ["alpha is 0", "above 0 and at most 0.5"]),
        ({"alpha": 1.0}, ["alpha is 1", "above 0 and at most 0.5"]),
        ({"alpha": float("nan")}, ["alpha is nan"]),
        ({"targets": ("digits-sigma0.5",)}, ["unknown target 'digits-sigma0.5'", "did you mean 'digits-sigma0.50'?"]),
        ({"attacks": ("clean", "margn")}, ["unknown attack 'margn'", "did you mean 'margin'?"]),
        ({"attacks": ("zz*",)}, ["unknown attack 'zz*'", "known: "]),
        ({"settings": {"margn": {}}}, ["unknown attack 'margn'", "did you mean 'margin'?"]),
        ({"settings": {"cw": {"step": 3}}}, ["unknown hyper-parameter of cw 'step'", "did you mean 'steps'?"]),
        ({"settings": {"cw": {"steps": 2.5}}}, ["settings.cw.steps is 2.5", "a whole number"]),
        ({"settings": {"cw": {"steps": True}}}, ["settings.cw.steps is True"]),
        ({"settings": {"margin": {"steps": -4}}}, ["settings.margin.steps is -4", "not negative"]),
        ({"settings": {"cw": {"learning_rate": "fast"}}}, ["settings.cw.learning_rate is 'fast'", "a number"]),
        ({"settings": {"cw-transfer": {"architecture": 3}}}, ["settings.cw-transfer.architecture is 3", "a text"]),
        ({"settings": {"cw": {"access": "score"}}}, ["unknown hyper-parameter of cw 'access'"]),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(values: dict[str, Any], words: list[str]):
    valid = Suite("x", targets=(TARGET,), attacks=("*",))
    valid.check()
    message = refusal(dataclasses.replace(valid, **values))
    assert all(word in message for word in words), message


def test_the_smallest_n_that_can_answer_is_accepted():
    Suite("x", targets=(TARGET,), attacks=("*",), samples=11, alpha=0.001, images=397).check()


def test_settings_go_over_the_attacks_own_defaults():
    suite = from_table({"settings": {"cw": {"steps": 3, "learning_rate": 1}}}, default_name="x")
    plain, attack = Suite("x").attack("cw"), suite.attack("cw")
    assert attack.parameters() == {**plain.parameters(), "steps": 3, "learning_rate": 1}
    assert suite.attack("margin") == Suite("x").attack("margin")


def test_a_hyper_parameter_that_defaults_to_none_takes_anything():
    @attacks.register("open")
    class Open(Attack):
        """Control."""

        access = NoAccess
        limit: float | None = None
        flag: bool = False

        def __call__(self, model, images, labels, epsilon, generator):
            return images

    assert from_table({"settings": {"open": {"limit": 3}}}, "x").attack("open").parameters()["limit"] == 3
    assert from_table({"settings": {"open": {"flag": True}}}, "x").attack("open").parameters()["flag"] is True
    message = refusal(Suite("x", targets=(TARGET,), attacks=("*",), settings={"open": {"flag": 1}}))
    assert "settings.open.flag is 1; give true or false" in message


def test_nothing_to_run_is_refused():
    with pytest.raises(InputError, match="say what to run"):
        chosen()
