"""The cache folder is a convenience: who has none, or may not write in it, gets the same results."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest
import torch
from torch import nn

from targets.cache import cache_folder, compiled_folder
from targets.engine import Engine, arithmetic, engine
from targets.engine.compiled import CACHE_VARIABLE
from targets.models import SmallCNN
from targets.precision import Bfloat16


@pytest.fixture
def nobody(monkeypatch):
    """A user id that the system does not know, without a home, as containers have it."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv(CACHE_VARIABLE, "")
    for variable in ("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    """A cache folder in which nothing can be written, whoever runs the tests."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv(CACHE_VARIABLE, "")


def temporary(folder: Path) -> bool:
    return folder.is_dir() and folder.parent == Path(tempfile.gettempdir())


def test_compiled_code_is_kept_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled_folder() == tmp_path / "abstention-bench" / "compiled"
    assert not list(compiled_folder().iterdir())


def test_without_a_home_compiled_code_is_kept_until_the_program_ends(nobody):
    assert cache_folder() is None
    assert temporary(compiled_folder())


def test_where_the_home_cannot_be_written_it_is_kept_until_the_program_ends(read_only):
    assert temporary(compiled_folder())


def test_a_temporary_folder_goes_with_the_program(tmp_path, monkeypatch):
    kept: list[tuple[object, tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr("atexit.register", lambda *call, **options: kept.append((call[0], call[1:], options)))
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    folder = compiled_folder()
    ((function, arguments, options),) = kept
    (folder / "code.so").touch()
    function(*arguments, **options)  # type: ignore[operator]
    assert not folder.exists()


@pytest.mark.parametrize("lacking", ["nobody", "read_only"])
def test_a_base_classifier_is_compiled_all_the_same(lacking, request, monkeypatch):
    request.getfixturevalue(lacking)
    seen = pretend_to_compile(monkeypatch)
    half, images = network()
    assert torch.equal(Engine(half, 10, batch=40).answers(images), half(images).argmax(1))
    assert len(seen) == 1
    assert temporary(Path(seen[0]).parent)  # of this kind of CPU


def test_where_nothing_at_all_can_be_written_it_goes_on_uncompiled_with_one_warning(read_only, monkeypatch):
    def full(**options: object) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    seen = pretend_to_compile(monkeypatch)
    monkeypatch.setattr(tempfile, "mkdtemp", full)
    half, images = network()
    with pytest.warns(UserWarning, match="compiling the base classifier failed, going on without: .*No usable") as said:
        answers = Engine(half, 10, batch=40).answers(images)
    assert len(said) == 1
    assert not seen
    assert torch.equal(answers, half(images).argmax(1))


def test_a_folder_that_the_compiler_cannot_write_costs_no_results(monkeypatch):
    def refuse(module: nn.Module, **options: object) -> None:
        raise PermissionError(13, "Permission denied", os.environ[CACHE_VARIABLE])

    pretend_to_compile(monkeypatch)
    monkeypatch.setenv(CACHE_VARIABLE, "/.cache")
    monkeypatch.setattr(torch, "compile", refuse)
    half, images = network()
    with pytest.warns(UserWarning, match=r"going on without: .*Permission denied: '/\.cache'"):
        assert torch.equal(Engine(half, 10, batch=40).answers(images), half(images).argmax(1))


def network() -> tuple[nn.Module, torch.Tensor]:
    """A bfloat16 network and two batches of 40 images."""
    torch.manual_seed(0)
    return Bfloat16(SmallCNN()).requires_grad_(False), torch.rand(80, 1, 8, 8)


def pretend_to_compile(monkeypatch) -> list[str]:
    """Compiles nothing, after the first batch; returns where the code would be kept, for each time."""
    seen: list[str] = []

    def compiled(module: nn.Module, **options: object) -> nn.Module:
        seen.append(os.environ[CACHE_VARIABLE])
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(engine, "compiler_present", lambda device: True)
    monkeypatch.setattr(arithmetic, "SMALL", 0)
    monkeypatch.setattr(engine, "COMPILE_AFTER", 1)
    return seen
