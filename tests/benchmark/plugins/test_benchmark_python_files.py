"""Which files below a plugin's folder are its code, where it computes the names of what it imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_helpers import command, error_line
from plugins_push import plugin, write

from benchmark.plugins import python_files, sources
from benchmark.plugins.loading import load_file


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
