"""The code behind a plugin: what its text imports, wherever in it, is part of its version."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from benchmark_helpers import as_before, command, error_line, records, run, suite_file

from attacks import ATTACKS
from benchmark.plugins import python_files, sources
from benchmark.plugins.loading import load_file, load_installed
from leaderboard import Store
from targets import TARGETS, InputError, load

HEAD = "from attacks import Attack, NoAccess, Transfer, register\n"
PUSH = '''

@register("push")
class Push(Attack):
    """Push every pixel towards grey by a share of the budget."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        {inner}
        delta = 0.5 - images
        return images + STRENGTH * epsilon * delta / delta.flatten(1).norm(dim=1)[:, None, None, None]
'''


def plugin(outer: str = "", inner: str = "pass") -> str:
    return HEAD + outer + PUSH.format(inner=inner)


# A plugin, and the modules beside it, of which each sets STRENGTH in the end.
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "beside, of a name that is ours": (plugin("from .attacks import STRENGTH"), {"attacks.py": "STRENGTH = 0.25"}),
    "relative": (
        plugin(inner="from .helper import STRENGTH"),
        {"helper.py": "from .second import STRENGTH", "second.py": "STRENGTH = 0.25"},
    ),
    "direct": (plugin("from helper import STRENGTH"), {"helper.py": "STRENGTH = 0.25"}),
    "import": (plugin("import helper\nSTRENGTH = helper.STRENGTH"), {"helper.py": "STRENGTH = 0.25"}),
    "nested": (
        plugin("from first import STRENGTH"),
        {"first.py": "from second import *", "second.py": "STRENGTH = 0.25"},
    ),
    "lazy": (plugin(inner="from helper import STRENGTH"), {"helper.py": "STRENGTH = 0.25"}),
    "lazy and nested": (
        plugin("import first", inner="STRENGTH = first.strength()"),
        {"first.py": "def strength():\n    import second\n    return second.STRENGTH", "second.py": "STRENGTH = 0.25"},
    ),
    "package": (
        plugin("from pack.deep.inner import STRENGTH"),
        {"pack/__init__.py": "", "pack/deep/__init__.py": "", "pack/deep/inner.py": "STRENGTH = 0.25"},
    ),
    "package's own file": (
        plugin("import pack.other\nSTRENGTH = pack.STRENGTH"),
        {"pack/__init__.py": "STRENGTH = 0.25", "pack/other.py": ""},
    ),
    "package without a file": (
        plugin("from pack import inner\nSTRENGTH = inner.STRENGTH"),
        {"pack/inner.py": "STRENGTH = 0.25"},
    ),
    "relative in a package": (
        plugin("from pack import STRENGTH"),
        {
            "pack/__init__.py": "from .deep import STRENGTH",
            "pack/deep/__init__.py": "from ..inner import STRENGTH",
            "pack/inner.py": "STRENGTH = 0.25",
        },
    ),
    "by a name in a call": (
        plugin('import importlib\nSTRENGTH = importlib.import_module("helper").STRENGTH'),
        {"helper.py": "STRENGTH = 0.25"},
    ),
    "by a computed name": (
        plugin('import importlib\nname = "hel"', inner='STRENGTH = importlib.import_module(name + "per").STRENGTH'),
        {"helper.py": "STRENGTH = 0.25"},
    ),
    "by a computed name in a package": (
        plugin("from pack import STRENGTH"),
        {
            "pack/__init__.py": "from importlib import import_module\nname = 'inner'\n"
            "STRENGTH = import_module(f'pack.deep.{name}').STRENGTH",
            "pack/deep/inner.py": "STRENGTH = 0.25",
        },
    ),
    "computed: its loader": (
        plugin(
            "import importlib.util\nfrom pathlib import Path\n"
            "spec = importlib.util.spec_from_file_location('impl', Path(__file__).parent / 'impl' / 'strength.py')\n"
            "impl = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(impl)\nSTRENGTH = impl.STRENGTH"
        ),
        {"impl/strength.py": "STRENGTH = 0.25"},
    ),
    "computed: a loader class": (
        plugin(
            "from importlib.machinery import SourceFileLoader as Loader\nfrom pathlib import Path\n"
            "STRENGTH = Loader('impl', str(Path(__file__).parent / 'impl.d' / '1.py')).load_module().STRENGTH"
        ),
        {"impl.d/1.py": "STRENGTH = 0.25"},
    ),
    "computed: an alias": (
        plugin("from importlib import import_module as get\nSTRENGTH = get('hel' + 'per').STRENGTH"),
        {"helper.py": "STRENGTH = 0.25"},
    ),
    "computed: runpy": (
        plugin(
            "import runpy\nfrom pathlib import Path\nrun = runpy.run_path\n"
            "STRENGTH = run(str(Path(__file__).parent / 'deep' / 'er' / 'strength.py'))['STRENGTH']"
        ),
        {"deep/er/strength.py": "STRENGTH = 0.25"},
    ),
    "computed: exec": (
        plugin("from pathlib import Path\nexec((Path(__file__).parent / 'impl' / 'strength.py').read_text())"),
        {"impl/strength.py": "STRENGTH = 0.25"},
    ),
    "computed: compile under another name": (
        plugin(
            "import builtins as b\nfrom pathlib import Path\nspace = {}\n"
            "b.exec(b.compile((Path(__file__).parent / 'strength.py').read_text(), 'x', 'exec'), space)\n"
            "STRENGTH = space['STRENGTH']"
        ),
        {"strength.py": "STRENGTH = 0.25"},
    ),
    "computed: eval": (
        plugin("from pathlib import Path\nSTRENGTH = eval((Path(__file__).parent / 'n.py').read_text())"),
        {"n.py": "0.25"},
    ),
    "computed: pydoc": (
        plugin("from pydoc import locate\nSTRENGTH = locate('hel' + 'per.STRENGTH')"),
        {"helper.py": "STRENGTH = 0.25"},
    ),
    "computed: by a name in a text": (
        plugin("import sys\nSTRENGTH = getattr(sys.modules['importlib'], 'import_module')('hel' + 'per').STRENGTH"),
        {"helper.py": "STRENGTH = 0.25"},
    ),
    "computed: in a helper": (
        plugin("from helper import STRENGTH"),
        {
            "helper.py": "from pathlib import Path\nexec((Path(__file__).parent / 'a' / 'b.py').read_text())",
            "a/b.py": "STRENGTH = 0.25",
        },
    ),
    "from a folder put on the path": (
        plugin(
            "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'lib'))\n"
            "from helper_of_lib import STRENGTH"
        ),
        {"lib/helper_of_lib.py": "STRENGTH = 0.25"},
    ),
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content + "\n", encoding="utf-8")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return suite_file(tmp_path / "s.toml", attacks=["push"], images=2, samples=20, ceiling_samples=20)


def pushed(folder: Path) -> tuple[str, float]:
    """The version of the plugin's attack, and how far it goes, in a process that has loaded nothing before."""
    with as_before():
        load_file(folder / "mine.py")
        moved = ATTACKS["push"]()(None, torch.zeros(1, 1, 8, 8), None, 1.0, None)  # type: ignore[arg-type]
        return str(ATTACKS["push"].version), round(float(moved.norm()), 3)


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # as long as Python has it, plugins do
@pytest.mark.parametrize("case", CASES)
def test_a_module_that_a_plugin_imports_is_in_its_version(case: str, tmp_path: Path):
    text, files = CASES[case]
    # Of the same length within the same second, Python's cache of compiled code takes two texts for one.
    other = 0.75 if "computed" not in case else 0.5
    found = []
    for strength in (0.25, other, 0.25):
        write(tmp_path, {"mine.py": text, **{n: c.replace("0.25", str(strength)) for n, c in files.items()}})
        found.append(pushed(tmp_path))
    (first, weak), (second, strong), again = found
    assert (weak, strong) == (0.25, other)
    assert first != second
    assert again == (first, weak)


def test_folders_of_others_are_not_a_plugin_s(tmp_path: Path):
    """Hidden ones, virtual environments, what is installed, results; nor is what no plugin mentions."""
    write(tmp_path, {"mine.py": plugin("import importlib\nSTRENGTH = 0.25"), "impl/a.py": "", "1/b-c.py": ""})
    alone = sources.of_file(tmp_path / "mine.py")
    write(
        tmp_path,
        {
            ".git/a.py": "",
            "venv/pyvenv.cfg": "",
            "venv/lib/a.py": "",
            "lib/site-packages/a.py": "",
            "results/store.json": "",
            "results/a/a.py": "",
            "data/a.txt": "",
        },
    )
    (tmp_path / "impl" / "loop").symlink_to(tmp_path)
    assert sources.of_file(tmp_path / "mine.py").version == alone.version
    assert sorted(alone.modules) == ["./1/b-c.py", ".impl", ".impl.a", ".mine"]


def test_methods_and_words_that_only_sound_like_it_change_no_version(tmp_path: Path):
    """``model.eval()``, ``re.compile`` and the like are in many a plugin."""
    text = 'import re\nx = re.compile("eval")\ny = x.eval\nz = "import it"\nSTRENGTH = 0.25  # importlib'
    write(tmp_path, {"mine.py": plugin(text)})
    alone = sources.of_file(tmp_path / "mine.py")
    write(tmp_path, {"other.py": "", "impl/more.py": ""})
    assert sources.of_file(tmp_path / "mine.py").version == alone.version
    assert alone.modules == {}


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_FOLDERS"])
def test_a_plugin_in_a_folder_of_much_else_is_refused(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(python_files, limit, 2)
    write(tmp_path, {"mine.py": plugin("import runpy\nSTRENGTH = 0.25"), "a/1.py": "", "b/2.py": ""})
    assert command("list", "attacks", "--plugin", tmp_path / "mine.py") == 2
    line = error_line(capsys.readouterr().err)
    assert line.startswith("error: plugin mine.py: it imports modules or runs files by names that it computes, and ")
    assert line.endswith("put it into a folder of its own")
    write(tmp_path, {"mine.py": plugin("STRENGTH = 0.25")})
    load_file(tmp_path / "mine.py")


def test_cells_of_an_edited_helper_are_run_again(tmp_path: Path, suite: Path, capsys: pytest.CaptureFixture[str]):
    for strength, summary in [(0.25, "1 cells run"), (0.25, "0 cells"), (0.75, "1 cells run"), (0.25, "0 cells")]:
        write(tmp_path, {"mine.py": plugin("from helper import STRENGTH"), "helper.py": f"STRENGTH = {strength}"})
        assert run(suite, tmp_path / "r", "--plugin", tmp_path / "mine.py") == 0
        assert summary in capsys.readouterr().out
    norms = {round(Store.read(tmp_path / "r").records(key).l2.mean(), 3) for key in keys(tmp_path / "r")}
    assert norms == {0.125, 0.375}  # of a budget of 0.5


def keys(results: Path) -> list[str]:
    return [cell.key for cell in Store.read(results).cells()]


def test_a_plugin_alone_has_the_version_that_it_always_had(tmp_path: Path):
    """Also with modules of Python, of this project and of what it computes with."""
    outer = "import os.path\nimport numpy as np\nfrom torch import nn\nfrom targets.data import DATA\nSTRENGTH = 0.25"
    write(tmp_path, {"mine.py": plugin(outer, inner="import scipy.stats"), "other.py": "x = 1"})
    load_file(tmp_path / "mine.py")
    assert ATTACKS["push"].version == "1+73d7500b9592d7de"
    assert ATTACKS["push"].__module__ == "abstention_bench_plugin_mine_73d7500b9592d7de"


NETWORK = """
import targets
from torch import nn


class Scaled(nn.Flatten):
    def forward(self, images):
        return super().forward(images)[:, :10]


@targets.register("mine", sigma=0.5, data="digits")
def build():
    return Scaled()
"""


def test_a_target_whose_classes_are_the_plugins_has_the_digest_that_it_always_had(tmp_path: Path):
    """The name of a class's module is in it."""
    write(tmp_path, {"mine.py": NETWORK})
    load_file(tmp_path / "mine.py")
    assert (
        load("mine", "cpu").digest
        == "3064bca048ca8d836dd6e2c4b7536b0c665ba67503330c7988a9ce1679000b88+3f545eff75f3803f"
    )


def test_relative_imports_of_the_plugin_itself_are_followed(tmp_path: Path):
    write(
        tmp_path,
        {
            "mine.py": "from .attacks import x\nfrom . import pack, absent\n",
            "attacks.py": "from .deep import y",
            "deep.py": "",
            "pack/__init__.py": "from .inner import z\nfrom ..above import w",
            "pack/inner.py": "",
            "above.py": "",
            "unused.py": "",
        },
    )
    code = sources.of_file(tmp_path / "mine.py")
    assert sorted(code.modules) == [".above", ".attacks", ".deep", ".pack", ".pack.inner"]
    write(tmp_path, {"deep.py": "y = 1"})
    assert sources.of_file(tmp_path / "mine.py").version != code.version


def test_where_the_folder_lies_does_not_matter(tmp_path: Path):
    for name in ("here", "there"):
        write(
            tmp_path / name, {"mine.py": "from pack import x\nimport helper\n", "pack/__init__.py": "", "helper.py": ""}
        )
    here, there = (sources.of_file(tmp_path / name / "mine.py") for name in ("here", "there"))
    assert here.version == there.version
    assert sorted(here.modules) == ["helper", "pack"]


def test_another_distributions_version_is_named(tmp_path: Path):
    """Also in a helper and inside a function; foolbox and the toolbox hold the code of attacks."""
    write(
        tmp_path,
        {
            "mine.py": plugin("from helper import build\nSTRENGTH = 0.25", inner="import not_installed_anywhere"),
            "helper.py": "def build():\n    import foolbox.attacks\n    from art.attacks import evasion\nimport pytest",
        },
    )
    code = sources.of_file(tmp_path / "mine.py")
    names = ("adversarial-robustness-toolbox", "foolbox", "pytest")
    assert code.distributions == tuple(f"{name}=={version(name)}" for name in names)
    load_file(tmp_path / "mine.py")
    assert ATTACKS["push"].version == f"1+{code.digest}+" + "+".join(code.distributions)


def test_an_upgraded_library_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {"mine.py": plugin("import foolbox\nSTRENGTH = 0.25")})
    found = []
    for released in ("3.3.4", "3.3.5", "3.3.4"):
        monkeypatch.setattr(sources, "version", lambda name, released=released: released)
        found.append(pushed(tmp_path)[0])
    assert [text.partition("+foolbox==")[2] for text in found] == ["3.3.4", "3.3.5", "3.3.4"]
    assert found[0] == found[2]


def test_two_modules_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, strength in (("a", 0.25), ("b", 0.75)):
        text = plugin("from helper import STRENGTH").replace("push", f"push-{name}")
        write(tmp_path / name, {"mine.py": text, "helper.py": f"STRENGTH = {strength}"})
    one, two = tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"
    assert command("list", "attacks", "--plugin", one, two) == 2
    line = error_line(capsys.readouterr().err)
    assert line.startswith("error: plugin mine.py: its module 'helper' is ")
    assert str(two.with_name("helper.py")) in line
    assert str(one.with_name("helper.py")) in line
    assert line.endswith("rename one of them")


def test_a_module_that_lies_in_two_places_is_refused(tmp_path: Path):
    """Python would import the one, and what was read before is the other."""
    text, files = CASES["from a folder put on the path"]
    write(tmp_path, {"mine.py": text, "helper_of_lib.py": "STRENGTH = 0.5", **files})
    with pytest.raises(InputError, match=r"its module 'helper_of_lib' is .*lib.*, and .* is imported instead; rename"):
        load_file(tmp_path / "mine.py")


def test_two_plugins_may_share_a_module_which_runs_once(tmp_path: Path):
    write(
        tmp_path,
        {
            "shared.py": "from targets.data import DATA\nDATA.add('of-both', DATA['digits'])\nSTRENGTH = 0.25",
            "one.py": plugin("from shared import STRENGTH"),
            "two.py": plugin("from shared import STRENGTH").replace('"push"', '"push-more"'),
        },
    )
    load_file(tmp_path / "one.py")
    load_file(tmp_path / "two.py")
    assert {"push", "push-more"} <= set(ATTACKS)


def test_a_module_edited_between_two_plugins_of_a_process_is_seen(tmp_path: Path):
    write(tmp_path, {"helper.py": "STRENGTH = 0.25", "one.py": plugin("from helper import STRENGTH")})
    load_file(tmp_path / "one.py")
    text = plugin("from helper import STRENGTH").replace('"push"', '"push-more"')
    write(tmp_path, {"helper.py": "STRENGTH = 0.75", "two.py": text})
    load_file(tmp_path / "two.py")
    strengths = [sys.modules[ATTACKS[name].__module__].STRENGTH for name in ("push", "push-more")]
    assert strengths == [0.25, 0.75]


def test_what_is_imported_when_a_cell_runs_is_what_was_there_at_the_beginning(tmp_path: Path):
    write(tmp_path, {"helper.py": "STRENGTH = 0.25", "mine.py": plugin(inner="from helper import STRENGTH")})
    load_file(tmp_path / "mine.py")
    write(tmp_path, {"helper.py": "STRENGTH = 0.75"})
    images = torch.zeros(1, 1, 8, 8)
    moved = ATTACKS["push"]()(None, images, None, 1.0, None)  # type: ignore[arg-type]
    assert float(moved.norm()) == pytest.approx(0.25)


def test_a_module_that_failed_with_its_plugin_runs_again_with_the_mended_one(tmp_path: Path):
    helper = "from targets.data import DATA\nDATA.add('of-helper', DATA['digits'])\nSTRENGTH = 0.25"
    write(tmp_path, {"helper.py": helper, "mine.py": plugin("from helper import STRENGTH\n1 / 0")})
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_file(tmp_path / "mine.py")
    write(tmp_path, {"mine.py": plugin("from helper import STRENGTH")})
    assert "of-helper" in load_file(tmp_path / "mine.py")


def test_an_attack_derived_from_another_of_the_file_has_one_version(tmp_path: Path):
    more = '\n\n@register("push-more")\nclass More(Push):\n    """More."""\n'
    write(tmp_path, {"mine.py": plugin("STRENGTH = 0.25") + more})
    load_file(tmp_path / "mine.py")
    assert ATTACKS["push"].version == ATTACKS["push-more"].version
    assert ATTACKS["push"].version.count("+") == 1


INSTALLED = "[abstention_bench.attacks]\npush = pushpkg.attack\n"


def install(site: Path, released: str, files: dict[str, str]) -> None:
    """A package as pip leaves it, or as it lies where PYTHONPATH says."""
    info = {"METADATA": f"Metadata-Version: 2.1\nName: pushpkg\nVersion: {released}", "entry_points.txt": INSTALLED}
    for old in site.glob("*.dist-info/*"):
        old.unlink()
    write(site / f"pushpkg-{released}.dist-info", info)
    write(site / "pushpkg", {"__init__.py": "", **files})


@pytest.mark.parametrize("folder", ["src", "site-packages"])
def test_an_installed_plugin_has_its_distribution_and_its_code_in_its_version(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another version is another, and so is other code under the same version."""
    site = tmp_path / folder
    monkeypatch.syspath_prepend(str(site))
    attack = {"attack.py": plugin("from .strength import STRENGTH"), "strength.py": "STRENGTH = 0.25"}
    edited = {**attack, "strength.py": "STRENGTH = 0.5"}
    found = []
    for released, files in [("0.1", attack), ("0.1", attack), ("0.2", attack), ("0.2", edited), ("0.2", edited)]:
        install(site, released, files)
        with as_before():
            assert load_installed() == []
            found.append(str(ATTACKS["push"].version))
        for name in [name for name in sys.modules if name.partition(".")[0] == "pushpkg"]:
            del sys.modules[name]  # as in a process of its own
    assert found[0] == found[1]
    assert found[3] == found[4]
    assert len(set(found)) == 3
    assert [text.rpartition("+")[2] for text in found] == [f"pushpkg==0.{minor}" for minor in (1, 1, 2, 2, 2)]


ARCHITECTURE = """
from targets.models import ARCHITECTURES, SmallCNN
from helper import Scaled
ARCHITECTURES.add("mine", lambda shape, classes: Scaled(shape, classes))
"""
HELPER = """
from targets.models import SmallCNN
class Scaled(SmallCNN):
    def forward(self, images):
        return super().forward(images * 0.25)
"""
TARGET = '[targets.mine-target]\ncheckpoint = "weights.pth.tar"\nsigma = 0.5\ndata = "digits"\narchitecture = "mine"\n'


def test_an_edited_architecture_is_another_target_and_another_surrogate(tmp_path: Path):
    """Though neither the checkpoint nor a hyper-parameter changed."""
    from attacks.surrogate import SurrogateRecipe
    from benchmark.cell import Cell
    from benchmark.suite import Suite
    from targets.models import SmallCNN

    torch.save({"arch": "mine", "state_dict": SmallCNN().state_dict()}, tmp_path / "weights.pth.tar")
    text = plugin("STRENGTH = 0.25") + ARCHITECTURE
    found = []
    for scale in (0.25, 0.25, 0.75):
        write(tmp_path, {"mine.py": text, "helper.py": HELPER.replace("0.25", str(scale)), "target.toml": TARGET})
        with as_before():
            load_file(tmp_path / "mine.py")
            load_file(tmp_path / "target.toml")
            suite = Suite("s", settings={"margin-transfer": {"architecture": "mine"}})
            target = load("mine-target", "cpu")
            digits = load("digits-sigma0.50", "cpu")
            cell = Cell(suite, digits, "margin-transfer", suite.attack("margin-transfer"), 0.5, (0,))
            surrogate = SurrogateRecipe("mine", epochs=1, batch=1, learning_rate=1.0, abstention=True)
            found.append((target.digest, cell.key, surrogate.key))
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])
    assert "mine-target" not in TARGETS


def test_a_surrogate_that_a_plugin_trains_itself_is_of_its_code(tmp_path: Path, suite: Path):
    """What it calls it may have stayed the same."""
    body = 'model.surrogate("mine", lambda: SmallCNN(), lambda *_: None)\n        STRENGTH = 0.25'
    text = plugin("from targets.models import SmallCNN", inner=body).replace(
        "NoAccess\n\n    def", "Transfer\n\n    def"
    )
    for content in (text, text, text.replace("lambda *_: None", "lambda *_: ...")):
        write(tmp_path, {"mine.py": content})
        assert run(suite, tmp_path / "r", "--plugin", tmp_path / "mine.py") == 0
    shared = [path.read_text(encoding="utf-8") for path in (tmp_path / "r" / "shared").glob("*.json")]
    assert sum('"surrogate"' in text for text in shared) == 2
    assert len(records(tmp_path / "r", "push")) == 4


def test_installed_plugins_are_none_in_this_process():
    """So that what the tests above install is all that they see."""
    assert load_installed() == []
