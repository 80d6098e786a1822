"""Suite files: read whatever an editor wrote, extended one by another, refused in one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import command, error_line, suite_file

from benchmark.suite_file import from_table, idle_settings, load_suite
from targets import InputError


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_suite_extends_another_key_by_key(tmp_path: Path):
    path = write(
        tmp_path / "mine.toml",
        'extends = "cifar10"\nimages = 50\n[settings.cw]\nsteps = 3\n[settings.zoo]\nsteps = 4\n',
    )
    parent, suite = load_suite("cifar10"), load_suite(path)
    assert (suite.name, suite.images) == ("mine", 50)
    assert (suite.targets, suite.epsilons, suite.best_of) == (parent.targets, parent.epsilons, parent.best_of)
    assert suite.settings == {**parent.settings, "cw": {"learning_rate": 0.01, "steps": 3}, "zoo": {"steps": 4}}


def test_a_suite_extends_a_file_beside_it_and_what_that_extends_but_takes_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "first.toml", 'name = "once"\nextends = "digits"\nsamples = 300\nseed = 1\n')
    write(tmp_path / "folder" / "second.toml", 'extends = "first.toml"\nseed = 2\n')
    monkeypatch.chdir(tmp_path)
    suite = load_suite("folder/second.toml")
    assert (suite.name, suite.samples, suite.seed) == ("second", 300, 2)
    assert suite.settings == load_suite("digits").settings


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        ('"digit"', "suite file mine.toml: unknown suite 'digit'; did you mean 'digits'?"),
        ('"absent.toml"', "suite file mine.toml: there is no suite file absent.toml; give a TOML file or one of: "),
        ("3", "suite file mine.toml: extends is 3; give the name of a suite or a TOML file"),
        ('"mine.toml"', "suite file mine.toml: it extends itself (mine.toml → mine.toml); end the circle"),
        (
            '"other.toml"',
            "suite file mine.toml: it extends itself (mine.toml → other.toml → mine.toml); end the circle",
        ),
        ('"broken.toml"', "suite file broken.toml: not TOML: "),
    ],
)
def test_what_cannot_be_extended_is_one_clear_line(
    parent: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write(tmp_path / "other.toml", 'extends = "mine.toml"\n')
    write(tmp_path / "broken.toml", "images = \n")
    path = write(tmp_path / "mine.toml", f"extends = {parent}\n")
    assert command("run", "--suite", path, "--results", tmp_path / "r") == 2
    assert error_line(capsys.readouterr().err).startswith(f"error: {message}")
    assert not (tmp_path / "r").exists()


def test_the_curves_attack_as_the_suite_that_they_extend_but_for_what_their_file_says():
    curves, parent = load_suite("cifar10-curves"), load_suite("cifar10")
    differ = [name for name in parent.attack_names() if curves.attack(name) != parent.attack(name)]
    assert sorted(differ) == ["cross-and-land", "level-set", "nes", "square"]


def test_a_suite_is_named_after_its_file(tmp_path: Path):
    assert load_suite(str(suite_file(tmp_path / "my-own.toml"))).name == "my-own"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"epsilon": [0.5]}, ["unknown suite key 'epsilon'", "did you mean 'epsilons'?"]),
        ({"zzz": 1}, ["unknown suite key 'zzz'", "known: ", "samples"]),
        ({"check": 1}, ["unknown suite key 'check'"]),
        ({"images": "many"}, ["images is 'many'", "a whole number"]),
        ({"images": 2.5}, ["images is 2.5", "a whole number"]),
        ({"images": True}, ["images is True", "a whole number"]),
        ({"alpha": "small"}, ["alpha is 'small'", "a number"]),
        ({"alpha": False}, ["alpha is False", "a number"]),
        ({"name": 3}, ["name is 3", "a text"]),
        ({"query_budgets": 9}, ["query_budgets is 9", "a list"]),
        ({"query_budgets": [2.5]}, ["query_budgets is 2.5", "a whole number"]),
        ({"epsilons": 0.5}, ["epsilons is 0.5", "a list"]),
        ({"epsilons": ["0.5"]}, ["epsilons is '0.5'", "a number"]),
        ({"targets": "digits-*"}, ["targets is 'digits-*'", "a list"]),
        ({"attacks": ["clean", 3]}, ["attacks is 3", "a text"]),
        ({"settings": 3}, ["settings", "[settings.margin]"]),
        ({"settings": {"cw": 3}}, ["settings", "[settings.margin]"]),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(table: dict[str, Any], words: list[str]):
    with pytest.raises(InputError) as caught:
        from_table(table, default_name="x")
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfimages = 7\n", b"\xef\xbb\xbf# mine\r\nimages = 7\r\n"])
def test_a_file_of_another_editor_is_read(tmp_path: Path, content: bytes):
    (tmp_path / "mine.toml").write_bytes(content)
    assert load_suite(str(tmp_path / "mine.toml")).images == 7


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"images = ", ["bad.toml: not TOML", "end of document"]),
        (b"images = 4\nimages = 5\n", ["bad.toml: not TOML"]),
        (b"\xff\xfe", ["bad.toml: not TOML: no UTF-8 (invalid start byte at byte 0); save it so"]),
        ("images = 4\n".encode("utf-16"), ["bad.toml: not TOML: no UTF-8", "save it so"]),
        ('name = "Größe"\n'.encode("latin-1"), ["bad.toml: not TOML: no UTF-8", "at byte 10"]),
    ],
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(tmp_path: Path, content: bytes, words: list[str]):
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_suite(str(tmp_path / "bad.toml"))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_settings_of_an_attack_that_is_not_run_are_named(tmp_path: Path):
    own = tmp_path / "own.toml"
    own.write_text('attacks = ["clean", "cw*"]\n[settings.margin]\nsteps = 3\n[settings.cw]\nsteps = 3\n')
    above = tmp_path / "above.toml"
    above.write_text('extends = "own.toml"\n[settings.nes]\nsamples = 5\n')
    assert idle_settings(str(own), ["clean", "cw"]) == ["margin"]
    assert idle_settings(str(own), ["clean"]) == ["margin"]  # the suite has `cw`, so leaving it out is no slip
    assert idle_settings(str(own), ["margin"]) == []
    assert idle_settings(str(above), ["clean"]) == ["nes"]  # and not `margin`, which is inherited
    assert idle_settings("cifar10", ["clean"]) == []


def test_a_missing_file_and_an_unknown_suite_are_refused_in_one_line(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"there is no suite file .*absent\.toml; give a TOML file or one of: .*digits"
    ):
        load_suite(str(tmp_path / "absent.toml"))
    with pytest.raises(InputError, match=r"unknown suite 'digit'; did you mean 'digits'\?"):
        load_suite("digit")


@pytest.mark.parametrize(("file", "content"), [("digits.toml", ""), ("mine.toml", 'name = "cifar10"\n')])
def test_a_file_does_not_take_the_name_of_a_suite(tmp_path: Path, file: str, content: str):
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{file} is named as the suite '(digits|cifar10)', .* rename it"):
        load_suite(str(tmp_path / file))
