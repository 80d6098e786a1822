"""Whatever is typed or handed in: command lines, submissions, checkpoints, plugins, tables that are gone on with."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from benchmark_cases import cases
from benchmark_helpers import TARGET, as_before, command
from faults_world import ODD, damages, kept
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from benchmark.plugins.loading import load_file
from benchmark.recheck.npz_file import read_images
from targets import InputError, TargetError
from targets.checkpoint_file import read_checkpoint

Damage = Callable[[bytes], bytes]
SHAPE, AVAILABLE = (1, 8, 8), 397

VERBS = [
    "run",
    "list",
    "audit",
    "new",
    "check",
    "publish",
    "adopt",
    "remove",
    "reevaluate",
    "submit",
    "export",
    "compare",
]
VERBS += ["verify", "show", "train", "certify", "predict", "reproduce"]
OPTIONS = ["--results", "--suite", "--targets", "--attacks", "--epsilons", "--images", "--samples", "--alpha", "--seed"]
OPTIONS += ["--plugin", "--data", "--device", "--quiet", "--all", "--output", "--force", "--shared", "--yes", "--name"]
OPTIONS += ["--query-budgets", "--set", "--workers", "--limit", "--help", "--json", "--fail-below", "--recheck", "--n"]
WORDS = [
    "",
    "-1",
    "0",
    "9" * 400,
    "nan",
    "1e999",
    "digits",
    TARGET,
    "a\nb",
    "\x1b[31m",
    "½",
    "x" * 5000,
    "a/" * 3000,
    "a\0b",
]
WORDS += ["--", "-", "-x", "--no-such", "../..", "é𝔘", "\u202e", "cpu", "results"]


NOTHING = SimpleNamespace(main=lambda chosen: 0)


@cases(150)
@given(st.sampled_from(VERBS), st.lists(st.sampled_from(OPTIONS + WORDS) | st.text(max_size=8), max_size=6))
def test_any_command_line(tmp_path: Path, verb: str, words: list[str]):
    """Commands that are asked for do nothing: what is typed is what is tested."""
    with patch("importlib.import_module", lambda name: NOTHING):
        kept(verb, *words, folder=tmp_path)


def submission(count: int, names: list[str]) -> bytes:
    buffer = io.BytesIO()
    values = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)
    arrays = {"images": values, "indices": np.arange(count), "strange": np.zeros(3)}
    np.savez_compressed(buffer, **{name: arrays[name] for name in names})
    return buffer.getvalue()


SUBMITTED = [submission(3, ["images"]), submission(2, ["images", "indices"]), submission(2, ["strange", "images"])]


@cases(150)
@given(st.sampled_from(SUBMITTED), damages())
def test_a_damaged_submission(tmp_path: Path, data: bytes, damage: Damage):
    path = tmp_path / "x.npz"
    path.write_bytes(damage(data))
    with contextlib.suppress(InputError):
        found = read_images(path, SHAPE, AVAILABLE)
        assert found.images.shape[1:] == SHAPE
        assert found.images.dtype == np.float32


DESCRIPTIONS = ["<f4", "<f8", "|u1", "|O", "<U9", "<c16", "f4,f4", "<M8[s]", "|V7", "no", "(3,)<f4"]
SIZES = st.integers(-2, 400) | st.sampled_from([2**31, 2**63, 10**30])


@cases(150)
@given(
    st.sampled_from(DESCRIPTIONS),
    st.lists(SIZES, max_size=5),
    st.booleans(),
    st.binary(max_size=300),
    st.text(max_size=9),
)
def test_a_submission_of_any_header(
    tmp_path: Path, descr: str, shape: list[int], is_fortran: bool, values: bytes, name: str
):
    header = f"{{'descr': {descr!r}, 'fortran_order': {is_fortran}, 'shape': {tuple(shape)}, }}".encode()
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", member)
        file.writestr("../labels.npy", b"")
    with contextlib.suppress(InputError):
        read_images(tmp_path / "x.npz", SHAPE, AVAILABLE)


def packed(kind: str) -> bytes:
    state = {"0.weight": torch.zeros(3, 4), "0.bias": torch.zeros(3)}
    if kind == "safetensors":
        return bytes(save(state))
    buffer = io.BytesIO()
    torch.save({"state_dict": state, "arch": "x"}, buffer)
    return buffer.getvalue()


CHECKPOINTS = {kind: packed(kind) for kind in ("safetensors", "pth")}


@cases(80)
@given(st.sampled_from(sorted(CHECKPOINTS)), damages())
def test_a_damaged_checkpoint(tmp_path: Path, kind: str, damage: Damage):
    path = tmp_path / f"c.{kind}"
    path.write_bytes(damage(CHECKPOINTS[kind]))
    with contextlib.suppress(InputError, TargetError):
        read_checkpoint(path)


PLUGIN = """
from attacks import Attack, NoAccess, register
from targets import register as register_target

@register({name!r})
class Odd(Attack):
    access = NoAccess
    version = {version!r}
    value: {kind} = {default!r}

    def __call__(self, model, images, labels, epsilon, generator):
        return images

register_target({name!r}, sigma={sigma!r}, data={data!r})(lambda: None)
"""
PLAIN = [value for value in ODD if isinstance(value, int | float | str | None) and value != "\ud800" and value == value]
PLAIN = [value for value in PLAIN if not (isinstance(value, float) and abs(value) == float("inf"))]
plain = st.sampled_from(PLAIN)


@cases(60)
@given(plain, plain, plain, st.sampled_from(["int", "float", "str", "bool", "object"]), plain, plain)
def test_a_plugin_of_odd_values(
    tmp_path: Path, name: Any, version: Any, default: Any, kind: str, sigma: Any, data: Any
):
    path = tmp_path / "p.py"
    path.write_text(
        PLUGIN.format(name=name, version=version, default=default, kind=kind, sigma=sigma, data=data), encoding="utf-8"
    )
    with as_before(), contextlib.suppress(InputError, TargetError):
        load_file(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A table of `certify`, with the words that go on with it."""
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    words = ("certify", TARGET, "--images", 2, "--n0", 10, "--samples", 100, "--device", "cpu", "--quiet", "--output")
    assert command(*words, path) == 0
    return SimpleNamespace(words=words, tsv=path.read_bytes(), json=path.with_suffix(".json").read_bytes())


@cases(25)
@given(st.sampled_from(["tsv", "json"]), damages())
def test_a_damaged_table_that_is_gone_on_with(table: SimpleNamespace, tmp_path: Path, which: str, damage: Damage):
    data = {"tsv": table.tsv, "json": table.json}
    data[which] = damage(data[which])
    for suffix, content in data.items():
        (tmp_path / f"t.{suffix}").write_bytes(content)
    kept(*table.words, "t.tsv", folder=tmp_path, writes=["t.tsv", "t.json"])
