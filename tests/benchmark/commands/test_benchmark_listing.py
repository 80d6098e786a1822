"""``list``: what is registered, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest
from benchmark_helpers import TARGET, command

import targets.target
from attacks import ATTACKS
from targets import TARGETS
from targets.defences import Consistency
from targets.models import SmallCNN


@pytest.mark.parametrize("what", ["targets", "attacks", "suites"])
def test_list_as_a_table_and_as_json(what: str, capsys: pytest.CaptureFixture[str]):
    assert command("list", what) == 0
    table = capsys.readouterr().out
    assert command("list", what, "--json") == 0
    entries = json.loads(capsys.readouterr().out)
    names = [entry["name"] for entry in entries]
    suites = [
        "audit",
        "audit-cifar10",
        "cifar10",
        "cifar10-curves",
        "cifar10-from-10",
        "cifar10-hybrid",
        "cifar10-larger",
        "digits",
        "digits-curves",
        "digits-defences",
    ]
    assert names == {"targets": list(TARGETS), "attacks": list(ATTACKS), "suites": suites}[what]
    assert names
    rows = table.splitlines()[2:]
    assert [row.split()[0] for row in rows] == names
    assert table.startswith("name")


def test_list_targets_says_how_each_was_trained(capsys: pytest.CaptureFixture[str]):
    name = "digits-consistent"
    TARGETS.add(name, dataclasses.replace(TARGETS[TARGET], name=name, defence=Consistency()))
    targets.register("digits-mine", sigma=0.5, data="digits")(SmallCNN)
    assert command("list", "targets", "--json") == 0
    trained = {entry["name"]: entry["training"] for entry in json.loads(capsys.readouterr().out)}
    assert trained[TARGET] == "gaussian"
    assert trained[name] == "consistency"
    assert trained["digits-mine"] is None
    assert command("list", "targets") == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert [rows[name][3] for name in ("name", *trained)][:2] == ["training", "gaussian"]
    assert rows["digits-mine"][3] == "—"


def test_list_attacks_says_access_and_hyper_parameters(capsys: pytest.CaptureFixture[str]):
    assert command("list", "attacks", "--json") == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["zoo"]["access"] == "score"
    assert entries["margin"]["access"] == "white-box"
    assert entries["cw-transfer"]["access"] == "transfer"
    assert entries["clean"] == {
        "name": "clean", "access": "none", "description": ATTACKS["clean"].summary(), "parameters": {},
    }  # fmt: skip
    for name, entry in entries.items():
        assert entry["parameters"] == dataclasses.asdict(ATTACKS[name]())
        assert entry["description"]
