"""The code behind a plugin: what its text imports, wherever in it, is part of its version."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from benchmark_helpers import as_before
from plugins_push import plugin, write

from attacks import ATTACKS
from benchmark.plugins import sources
from benchmark.plugins.loading import load_file, load_installed
from targets import InputError

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


def pushed(folder: Path) -> tuple[str, float]:
    """The version of the plugin's attack, and how far it goes, in a process that has loaded nothing before."""
    with as_before():
        load_file(folder / "mine.py")
        moved = ATTACKS["push"]()(None, torch.zeros(1, 1, 8, 8), None, 1.0, None)  # type: ignore[arg-type]
        return str(ATTACKS["push"].version), round(float(moved.norm()), 3)


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # as long as Python has it, plugins do
@pytest.mark.parametrize("case", CASES)
def test_a_module_that_a_plugin_imports_is_in_its_version(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # which an environment variable may say
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


def test_a_file_with_the_name_of_a_built_in_module_does_not_hide_it(tmp_path: Path):
    text = "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'lib'))\n"
    text += "import faulthandler\nassert 'built-in' in repr(faulthandler)\nSTRENGTH = 0.25"
    write(tmp_path, {"mine.py": plugin(text), "lib/faulthandler.py": "STRENGTH = 0.75"})
    held = sys.modules.pop("faulthandler", None)
    try:
        assert pushed(tmp_path)[1] == 0.25
    finally:
        if held is not None:
            sys.modules["faulthandler"] = held


def test_a_plugin_alone_has_the_version_that_it_always_had(tmp_path: Path):
    """Also with modules of Python, of this project and of what it computes with."""
    outer = "import os.path\nimport numpy as np\nfrom torch import nn\nfrom targets.data import DATA\nSTRENGTH = 0.25"
    write(tmp_path, {"mine.py": plugin(outer, inner="import scipy.stats"), "other.py": "x = 1"})
    load_file(tmp_path / "mine.py")
    assert ATTACKS["push"].version == "1+73d7500b9592d7de"
    assert ATTACKS["push"].__module__ == "abstention_bench_plugin_mine_73d7500b9592d7de"


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


def test_a_module_that_lies_in_two_places_is_refused(tmp_path: Path):
    """Python would import the one, and what was read before is the other."""
    text, files = CASES["from a folder put on the path"]
    write(tmp_path, {"mine.py": text, "helper_of_lib.py": "STRENGTH = 0.5", **files})
    with pytest.raises(InputError, match=r"its module 'helper_of_lib' is .*lib.*, and .* is imported instead; rename"):
        load_file(tmp_path / "mine.py")


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


def test_installed_plugins_are_none_in_this_process():
    """So that what the tests above install is all that they see."""
    assert load_installed() == []
