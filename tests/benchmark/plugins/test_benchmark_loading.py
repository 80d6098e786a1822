"""Plugins: one clear line for a bad one, and nothing of it left; a good one is on the board."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import SLOW_PLUGIN, board, command, error_line, run, suite_file

import benchmark.plugins.loading
from attacks import ATTACKS
from benchmark.plugins.loading import load_file, load_installed
from targets import TARGETS, InputError, load

# As a new user would write it.
GOOD = '''
"""A step along the mean of all images."""

import attacks
from attacks import Attack, WhiteBox


@attacks.register("toward-grey")
class TowardGrey(Attack):
    """Walk towards a grey image, as far as epsilon goes."""

    access = WhiteBox
    grey: float = 0.5

    def __call__(self, model, images, labels, epsilon, generator):
        delta = self.grey - images
        norms = delta.flatten(1).norm(dim=1)[:, None, None, None]
        return images + delta * (0.999 * epsilon / norms).clamp(max=1)
'''

HEAD = "import attacks\nfrom attacks import Attack, NoAccess\nfrom attacks.access import Access\n"
BODY = "    def __call__(self, model, images, labels, epsilon, generator):\n        return images\n"
FIRST = HEAD + f'@attacks.register("first")\nclass First(Attack):\n    access = NoAccess\n{BODY}'

BAD = {
    "syntax": ("x = 1\ndef broken(:\n", ["does not import: SyntaxError", "(line 2)"]),
    "name": ("x = 1\n\nprint(undefined)\n", ["does not import: NameError: name 'undefined'", "(line 3)"]),
    "import": ("import no_such_module_here\n", ["ModuleNotFoundError", "no_such_module_here", "(line 1)"]),
    "inside a function": (
        "def helper():\n    return 1 / 0\n\nhelper()\n",
        ["does not import: ZeroDivisionError", "(line 2)"],
    ),
    "two lines": ("raise ValueError('first\\nsecond')\n", ["ValueError: first second", "(line 1)"]),
    "is over": ("raise GeneratorExit('over')\n", ["GeneratorExit: over", "(line 1)"]),
    "exits": ("import sys\nsys.exit('no licence')\n", ["SystemExit: no licence", "(line 2)"]),
    "empty": ("", ["registers no attack and no target", "@attacks.register"]),
    "not an attack": (
        HEAD + '@attacks.register("mine")\nclass Mine:\n    access = NoAccess\n',
        ["'Mine' is not an attack", "attacks.Attack"],
    ),
    "a function": (HEAD + '@attacks.register("mine")\ndef mine(): ...\n', ["'mine' is not an attack"]),
    "no access": (
        HEAD + f'@attacks.register("mine")\nclass Mine(Attack):\n{BODY}',
        ["'mine' declares no access", "WhiteBox"],
    ),
    "access by name": (
        HEAD + f'@attacks.register("mine")\nclass Mine(Attack):\n    access = "white-box"\n{BODY}',
        ["'mine' declares no access"],
    ),
    "bare access": (
        HEAD + f'@attacks.register("mine")\nclass Mine(Attack):\n    access = Access\n{BODY}',
        ["'mine' declares no access"],
    ),
    "no call": (
        HEAD + '@attacks.register("mine")\nclass Mine(Attack):\n    access = NoAccess\n',
        ["'mine' cannot be made", "__call__"],
    ),
    "no default": (
        HEAD + f'@attacks.register("mine")\nclass Mine(Attack):\n    access = NoAccess\n    steps: int\n{BODY}',
        ["'mine' cannot be made", "steps"],
    ),
    "a list as parameter": (
        HEAD
        + f'@attacks.register("mine")\nclass Mine(Attack):\n    access = NoAccess\n    sizes: tuple = (1, 2)\n{BODY}',
        ["sizes of attack 'mine' is (1, 2)", "a number"],
    ),
    "taken": (
        HEAD + f'@attacks.register("margin")\nclass Mine(Attack):\n    access = NoAccess\n{BODY}',
        ["the attack name 'margin' is taken"],
    ),
    "strange name": (
        HEAD + f'@attacks.register("my attack")\nclass Mine(Attack):\n    access = NoAccess\n{BODY}',
        ["'my attack' is no attack name"],
    ),
    "taken target": (
        'import targets\n@targets.register("digits-sigma0.50", sigma=1, data="digits")\ndef f(): ...\n',
        ["the target name 'digits-sigma0.50' is taken"],
    ),
    "sigma": (
        'import targets\n@targets.register("t", sigma=0, data="digits")\ndef f(): ...\n',
        ["sigma of target 't' is 0"],
    ),
    "data": (
        'import targets\n@targets.register("t", sigma=1, data="digit")\ndef f(): ...\n',
        ["unknown data set 'digit'", "did you mean 'digits'?"],
    ),
    "after a good one": (FIRST + "\n1 / 0\n", ["ZeroDivisionError"]),
    "taken after a good one": (
        FIRST + f'\n@attacks.register("clean")\nclass Second(Attack):\n    access = NoAccess\n{BODY}',
        ["the attack name 'clean' is taken"],
    ),
}


def plugin(folder: Path, content: str, name: str = "mine.py") -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_line_and_leaves_nothing(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content, words = BAD[case]
    before = list(ATTACKS), list(TARGETS), ATTACKS["margin"], ATTACKS["margin"].version
    with pytest.raises(InputError) as caught:
        load_file(plugin(tmp_path, content))
    assert (list(ATTACKS), list(TARGETS), ATTACKS["margin"], ATTACKS["margin"].version) == before

    assert command("run", "--attacks", "clean", "--results", tmp_path / "r", "--plugin", tmp_path / "mine.py") == 2
    out, err = capsys.readouterr()
    assert error_line(err) == f"error: {caught.value}"
    assert out == ""
    assert "plugin mine.py" in err
    assert all(word in err for word in words), err
    assert not (tmp_path / "r").exists()


def test_a_missing_file_a_folder_and_another_kind_of_file_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no plugin file .*absent\.py"):
        load_file(tmp_path / "absent.py")
    with pytest.raises(InputError, match=r"the plugin .* is a folder; give the Python or TOML file in it"):
        load_file(tmp_path)
    with pytest.raises(
        InputError, match=r"plugin notes\.txt: neither Python nor TOML; give a file that ends in \.py or \.toml"
    ):
        load_file(plugin(tmp_path, GOOD, "notes.txt"))


def test_a_file_loads_again_after_it_was_mended(tmp_path: Path):
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_file(plugin(tmp_path, FIRST + "\n1 / 0\n"))
    assert load_file(plugin(tmp_path, FIRST)) == ["first"]
    assert "first" in ATTACKS


def test_a_file_may_register_attacks_and_targets(tmp_path: Path):
    content = GOOD + textwrap.dedent(
        '''
        import targets
        from targets.models import SmallCNN

        @targets.register("digits-untrained", sigma=0.5, data="digits")
        def untrained():
            """A network that has learnt nothing."""
            return SmallCNN()
        '''
    )
    assert load_file(plugin(tmp_path, content)) == ["toward-grey", "digits-untrained"]
    assert TARGETS["digits-untrained"].description == "A network that has learnt nothing."
    assert load("digits-untrained", "cpu").num_classes == 10


def test_a_file_given_twice_is_refused(tmp_path: Path):
    path = plugin(tmp_path, FIRST)
    load_file(path)
    with pytest.raises(InputError, match="'first' is taken"):
        load_file(path)


BOOM = HEAD + f'@attacks.register("boom")\nclass Boom(Attack):\n    access = NoAccess\n{BODY}'.replace(
    "return images", "raise RuntimeError('boom and bust')"
)


def test_a_good_plugin_is_on_the_board_and_one_that_raises_a_failed_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    good, boom = plugin(tmp_path, GOOD), plugin(tmp_path, BOOM, "boom.py")
    suite = suite_file(tmp_path / "s.toml", attacks=["toward-grey", "boom", "clean"], epsilons=[1.5])
    assert command("run", "--suite", suite, "--results", "r", "--plugin", good, boom, "--workers", 0) == 1
    out, err = capsys.readouterr()
    assert "toward-grey" in out
    assert "boom failed: RuntimeError: boom and bust" in out
    assert "2 cells run, 0 stored already, 1 failed." in out
    assert "× boom × ε 1.5: failed" in err
    assert "Traceback" not in err + out

    rows = {row["attack"]: row for row in board(tmp_path / "r")}
    assert {name: row["status"] for name, row in rows.items()} == {"toward-grey": "ok", "boom": "failed", "clean": "ok"}
    row = rows["toward-grey"]
    assert row["access"] == "white-box"
    assert row["description"] == "Walk towards a grey image, as far as epsilon goes."
    assert row["parameters"] == {"grey": 0.5}
    assert row["valid_rate"] == 1.0
    assert row["l2_mean"] == pytest.approx(0.999 * 1.5, rel=1e-4)
    page = (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "toward-grey" in page
    assert "boom and bust" in page


def test_a_plugin_takes_hyper_parameters_from_a_suite_file(tmp_path: Path):
    path = plugin(tmp_path, GOOD)
    suite = suite_file(tmp_path / "s.toml", {"toward-grey": {"grey": 0.25}}, attacks=["toward-grey"])
    assert run(suite, tmp_path / "r", "--plugin", path) == 0
    assert board(tmp_path / "r")[0]["parameters"] == {"grey": 0.25}


def test_cells_of_an_edited_plugin_are_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(tmp_path / "s.toml", attacks=["toward-grey", "clean"], epsilons=[1.5])
    for content, summary in [
        (GOOD, "2 cells run, 0 stored already"),
        (GOOD, "0 cells run, 2 stored already"),
        (GOOD.replace("0.999", "0.5"), "1 cells run, 1 stored already"),
        (GOOD, "0 cells run, 2 stored already"),
    ]:
        assert run(suite, tmp_path / "r", "--plugin", plugin(tmp_path, content)) == 0
        assert summary in capsys.readouterr().out


def test_the_same_plugin_under_another_folder_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(tmp_path / "s.toml", attacks=["toward-grey"])
    (tmp_path / "elsewhere").mkdir()
    assert run(suite, tmp_path / "r", "--plugin", plugin(tmp_path, GOOD)) == 0
    assert run(suite, tmp_path / "r", "--plugin", plugin(tmp_path / "elsewhere", GOOD)) == 0
    assert "0 cells run, 1 stored already" in capsys.readouterr().out


def test_several_plugins(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, two = plugin(tmp_path, GOOD), plugin(tmp_path, SLOW_PLUGIN, "slow.py")
    assert command("list", "attacks", "--json", "--plugin", one, two) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    assert {"toward-grey", "slow"} <= set(names)


class Entry:
    """What importlib.metadata says of an installed plugin."""

    def __init__(self, name: str, content: str) -> None:
        self.name, self.value, self.content = name, f"package.{name}", content
        self.module, self.dist = "package", None

    def load(self) -> None:
        exec(compile(self.content, self.name, "exec"), {"__name__": self.name})


def install(monkeypatch: pytest.MonkeyPatch, **contents: str) -> None:
    def entry_points(group: str) -> list[Any]:
        return [Entry(name, text) for name, text in contents.items()] if group == "abstention_bench.attacks" else []

    monkeypatch.setattr(benchmark.plugins.loading, "entry_points", entry_points)


SECOND = FIRST.replace("first", "second").replace("First", "Second")


@pytest.mark.parametrize("content", [f"{FIRST}\n1 / 0\n", f"{FIRST}\nraise SystemExit(3)\n", BAD["no default"][0]])
def test_a_bad_installed_plugin_is_reported_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, content: str):
    before = set(ATTACKS)
    install(monkeypatch, broken=content, fine=SECOND)
    (problem,) = load_installed()
    assert problem.startswith("plugin broken (package.broken) was left out: ")
    assert "\n" not in problem
    assert set(ATTACKS) - before == {"second"}


def test_the_command_line_warns_of_a_bad_installed_plugin_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    install(monkeypatch, broken="raise RuntimeError('too old\\nby far')", fine=SECOND)
    assert command("list", "attacks") == 0
    out, err = capsys.readouterr()
    assert "second" in out
    assert err.strip() == "warning: plugin broken (package.broken) was left out: RuntimeError: too old by far"


def test_entry_points_of_both_groups_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def entry_points(group: str) -> list[Any]:
        asked.append(group)
        return []

    monkeypatch.setattr(benchmark.plugins.loading, "entry_points", entry_points)
    assert load_installed() == []
    assert asked == ["abstention_bench.attacks", "abstention_bench.targets"]
