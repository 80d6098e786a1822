"""Provenance: the commit of this package's own checkout, and its version elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from benchmark import provenance

RELEASE = f"v{version(provenance.DISTRIBUTION)}"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    provenance.commit.cache_clear()
    yield
    provenance.commit.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def installed_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as if it lay in that folder."""
    file = folder / "benchmark" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("content\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(file))
    return file


def committed(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return git(folder, "rev-parse", "HEAD")[:12]


@needs_git
def test_in_its_own_checkout_it_is_the_commit_and_whether_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = installed_in(tmp_path, monkeypatch)
    head = committed(tmp_path)
    assert provenance.commit() == head
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new").write_text("untracked", encoding="utf-8")
    provenance.commit.cache_clear()
    assert provenance.commit() == head
    file.write_text("other content\n", encoding="utf-8")
    provenance.commit.cache_clear()
    assert provenance.commit() == f"{head}+changes"


@needs_git
def test_inside_another_repository_it_is_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed_in(tmp_path / "venv" / "site-packages", monkeypatch)
    committed(tmp_path)
    assert provenance.commit() == RELEASE


def test_outside_a_repository_it_is_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed_in(tmp_path, monkeypatch)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == RELEASE


def test_without_git_it_is_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == RELEASE


@needs_git
def test_in_a_repository_without_a_commit_it_is_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed_in(tmp_path, monkeypatch)
    git(tmp_path, "init", "--quiet")
    assert provenance.commit() == RELEASE


def test_facts_are_json_and_name_versions_and_device():
    facts = provenance.provenance(torch.device("cpu"))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["torch"] == version("torch")
    assert facts["version"] == RELEASE[1:]
    assert facts["device"]
    assert facts["threads"] == torch.get_num_threads()
