"""The version of code: by file, by package, and none that two pieces of unsaved code share."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from api_own import Brightness, TowardsGrey
from sklearn.base import BaseEstimator

from attacks.white_box.margin import Margin
from benchmark.api.code import code_version
from benchmark.plugins.sources import of_file

OWN = Path(__file__).with_name("api_own.py")


def test_code_in_a_file_has_the_version_of_a_plugin_there():
    assert code_version(TowardsGrey) == code_version(Brightness, TowardsGrey) == of_file(OWN).version
    assert code_version(partial(Brightness.forward, None)) == of_file(OWN).version


def test_ours_and_pytorch_s_have_none():
    assert code_version() == code_version(Margin, torch.nn.Linear, torch.nn.functional.relu) == ""


def test_an_installed_package_has_its_own():
    assert code_version(BaseEstimator) == f"scikit-learn=={version('scikit-learn')}"


def test_unsaved_code_is_never_the_same():
    found: dict[str, Any] = {}
    exec("class Typed:\n    def act(self):\n        return 1", found)
    assert code_version(found["Typed"]).startswith("unsaved-")
    assert code_version(found["Typed"]) != code_version(found["Typed"])
