"""Every dependency has a tested lowest version, one exact version in constraints.txt, and a reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def requirements() -> list[Requirement]:
    """Of the program and of all extras, without those that name other extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [Requirement(text) for group in groups for text in group]
    return [one for one in found if one.name != project["name"]]


def pinned() -> dict[str, str]:
    """The versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(re.fullmatch(r"(\S+)==(\S+)", line).groups() for line in lines if not line.startswith("#"))  # type: ignore[union-attr,misc]


def reasons() -> set[str]:
    """The packages in the table of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Dependencies, and why")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")][2:]
    return {name.strip() for cell in cells for name in cell.replace("(optional)", "").split(",")}


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_a_dependency_has_a_lowest_version_and_the_pinned_one_is_allowed(requirement: Requirement):
    """`.ci/lowest` installs the lowest ones."""
    assert [one.operator for one in requirement.specifier] == [">="]
    names = {canonicalize_name(name): version for name, version in pinned().items()}
    assert names[canonicalize_name(requirement.name)] in requirement.specifier


def test_constraints_are_names_and_exact_versions_and_no_hosts():
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert len(pinned()) >= len({one.name for one in requirements()})


def test_every_dependency_has_its_reason():
    assert reasons() == {one.name for one in requirements()}
