"""Files and command lines that nobody would write: each is one short line and exit code 2, and nothing is begun."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from benchmark_cases import cases
from benchmark_helpers import TARGET, command
from hypothesis import given
from hypothesis import strategies as st

from attacks import ATTACKS
from benchmark.message import LONGEST
from benchmark.plugins.loading import load_file
from benchmark.suite_file import load_suite
from targets import TARGETS, InputError


def refused(arguments: Sequence[object], folder: Path) -> str:
    """The one line that a command ends with, checked to have begun nothing in ``folder``, the current one."""
    before = sorted(folder.rglob("*"))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
        try:
            code = command(*arguments)
        except SystemExit as stop:
            code = stop.code  # type: ignore[assignment]
    assert code == 2, (arguments, out.getvalue(), err.getvalue())
    assert out.getvalue() == ""
    text = err.getvalue()
    assert text.startswith("error: ")
    assert text.endswith("\n")
    line = text[:-1]
    assert line.isprintable(), line
    assert len(line) <= LONGEST + 100, line  # "error: " before it and "; see … --help" behind
    assert sorted(folder.rglob("*")) == before
    return line


HOSTILE = {
    "30 digits": f"samples = {'9' * 30}",
    "5,000 digits": f"samples = {'9' * 5000}",
    "nested brackets": f"targets = {'[' * 5000}{']' * 5000}",
    "nested tables": f"targets = {'{a = ' * 5000}",
    "an escape": 'targets = ["\\u001b[31mred"]',
    "a line break": 'targets = ["two\\nlines"]',
    "a long name": f'targets = ["{"x" * 3000}"]',
    "a long list": f"targets = {['x' * 20] * 500}".replace("'", '"'),
    "a name with an escape": 'name = "\\u001b[2J"',
    "no name": 'name = ""',
    "a name too long": f'name = "{"x" * 300}"',
    "a key with a line break": '"a\\nb" = 1',
    "an integer as ε": f"epsilons = [{'9' * 400}]",
    "infinite ε": "epsilons = [inf]",
    "ε of no size": "epsilons = [1e-320]",
    "α no number": "alpha = nan",
    "a seed": f"seed = {2**63}",
    "a negative seed": f"seed = -{2**64}",
    "images": f"images = {10**30}",
    "a shard": f"shard = {10**30}",
    "a budget": f"query_budgets = [{10**30}]",
    "samples of ceilings": f"ceiling_samples = {10**12}",
    "a hyper-parameter": f"[settings.margin]\nsteps = {10**30}",
    "a negative one": f"[settings.margin]\nsteps = -{10**30}",
    "an infinite one": "[settings.cw]\nlearning_rate = inf",
    "a date": "samples = 2020-01-01",
    "a time": "alpha = 07:32:00",
    "a half pair": 'targets = ["\\ud800"]',
    "a zero": "targets = ['\0']",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_suite(case: str, tmp_path: Path):
    table = {"targets": f'["{TARGET}"]', "attacks": '["margin"]', "images": "2", "samples": "20"}
    (tmp_path / "s.toml").write_text(
        "\n".join(f"{key} = {value}" for key, value in table.items() if not HOSTILE[case].startswith(f"{key} ="))
        + f"\n{HOSTILE[case]}\n",
        encoding="utf-8",
    )
    refused(["run", "--suite", "s.toml", "--quiet"], tmp_path)


values = st.recursive(
    st.one_of(
        st.integers(),
        st.integers(-(10**40), 10**40),
        st.floats(),
        st.booleans(),
        st.text(max_size=20),
        st.sampled_from(["margin", TARGET, "digits", "nan", "../x", "\0", "x" * 3000]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def toml(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" if not c.isalnum() else c for c in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return str(value)


SUITE_KEYS = ["name", "targets", "attacks", "epsilons", "images", "samples", "alpha", "seed", "ceiling_samples"]
SUITE_KEYS += ["shard", "query_budgets", "best_of", "settings", "strange"]
TARGET_KEYS = ["checkpoint", "sigma", "data", "architecture", "means", "sds", "precision", "strange"]


def sound(path: Path, use: Callable[[Path], object]) -> None:
    """Whatever a file holds, it is taken, or refused as bad input."""
    with contextlib.suppress(InputError):
        use(path)


def checked(path: Path) -> None:
    suite = load_suite(str(path))
    suite.check()
    for name in suite.attack_names():
        suite.attack(name).parameters()


def registered(path: Path) -> None:
    for name in load_file(path):
        TARGETS.remove(name)


@cases(60)
@given(st.dictionaries(st.sampled_from(SUITE_KEYS), values, max_size=3))
def test_any_suite_of_toml_is_a_suite_or_one_line(tmp_path: Path, table: dict[str, object]):
    whole = {"targets": [TARGET], "attacks": ["margin", "nes", "cw-transfer"], "images": 3, **table}
    path = tmp_path / "s.toml"
    path.write_text("\n".join(f"{key} = {toml(value)}" for key, value in whole.items()), encoding="utf-8")
    sound(path, checked)


@cases(60)
@given(st.sampled_from(["margin", "cw", "nes", "cw-transfer"]), st.data())
def test_any_hyper_parameter_is_one_or_one_line(tmp_path: Path, name: str, data: st.DataObject):
    key = data.draw(st.sampled_from(sorted(ATTACKS[name]().parameters())))
    path = tmp_path / "s.toml"
    path.write_text(
        f'targets = ["{TARGET}"]\nattacks = ["{name}"]\n[settings."{name}"]\n{key} = {toml(data.draw(values))}\n',
        encoding="utf-8",
    )
    sound(path, checked)


@cases(60)
@given(st.dictionaries(st.sampled_from(TARGET_KEYS), values, max_size=3), st.text(max_size=20))
def test_any_table_of_a_target_is_a_target_or_one_line(tmp_path: Path, table: dict[str, object], name: str):
    (tmp_path / "c.pth").touch()
    whole: dict[str, object] = {"checkpoint": "c.pth", "sigma": 0.5, **table}
    path = tmp_path / "t.toml"
    path.write_text(f"[targets]\n{toml(name)} = {toml(whole)}\n", encoding="utf-8")
    sound(path, registered)


@cases(60)
@given(st.binary(max_size=60) | st.text(alphabet="[]{}=\"'#.,\n abet019-:\\u", max_size=60).map(str.encode))
def test_any_bytes_are_a_suite_and_a_target_file_or_one_line(tmp_path: Path, content: bytes):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    sound(path, checked)
    sound(path, registered)


ODD = ["9" * 30, "-" + "9" * 30, "9" * 5000, "1e999", "0x10", "nan", "", "\n", "\x1b[31m", "½", "x" * 5000]


@pytest.mark.parametrize("value", ODD, ids=[repr(value[:8]) for value in ODD])
@pytest.mark.parametrize(
    "command_line",
    [
        ("run", "--targets", TARGET, "--attacks", "clean", "--images", "2", "--seed"),
        ("run", "--targets", TARGET, "--attacks", "clean", "--samples"),
        ("run", "--targets", TARGET, "--attacks", "nes", "--query-budgets"),
        ("run", "--attacks"),
        ("run", "--suite"),
        ("certify", TARGET, "--images", "1", "--n0"),
        ("predict", TARGET, "--images", "1", "--seed"),
        ("predict",),
        ("train", TARGET, "--seed"),
        ("reproduce", "--epochs"),
        ("list",),
    ],
    ids=" ".join,
)
def test_odd_values_of_options(command_line: tuple[str, ...], value: str, tmp_path: Path):
    refused([*command_line, value], tmp_path)


@pytest.mark.parametrize("path", ["x" * 5000, "a/" * 3000 + "b", "a\0b"], ids=["long", "deep", "zero"])
@pytest.mark.parametrize(
    "command_line",
    [
        ("run", "--targets", TARGET, "--attacks", "clean", "--images", "1", "--results"),
        ("run", "--targets", TARGET, "--attacks", "clean", "--images", "1", "--plugin"),
        ("run", "--targets", TARGET, "--attacks", "clean", "--images", "1", "--data"),
        ("certify", TARGET, "--output"),
        ("publish", "--output"),
        ("train", TARGET, "--output"),
        ("reproduce", "--results"),
        ("adopt",),
    ],
    ids=lambda line: f"{line[0]} {line[-1]}",
)
def test_paths_that_no_file_can_have(command_line: tuple[str, ...], path: str, tmp_path: Path):
    assert " is no path" in refused([*command_line, path], tmp_path)


def test_a_suite_and_a_checkpoint_of_such_a_path(tmp_path: Path):
    for path in ("x" * 5000 + ".toml", "a\0b.toml"):
        assert "there is no suite file" in refused(["run", "--suite", path], tmp_path)
        escaped = path.replace("\0", "\\u0000")
        (tmp_path / "t.toml").write_text(f'[targets.mine]\ncheckpoint = "{escaped}"\nsigma = 1\n')
        assert "there is no checkpoint" in refused(["list", "targets", "--plugin", "t.toml"], tmp_path)
