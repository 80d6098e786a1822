"""Small tables of answers, and what scripts read of them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

VERBS = ["certify", "predict"]
SMALL = ["--images", 25, "--samples", 200, "--device", "cpu", "--quiet"]


def rows(path: Path) -> pd.DataFrame:
    """A table as scripts read it, without the one column that differs from run to run."""
    return pd.read_csv(path, delimiter="\t").drop(columns="time")


def put_unsealed(whole: Path, path: Path) -> None:
    """The JSON of a table beside another one, as of before its rows were sealed: a killed writer's, or an older one."""
    content = json.loads(whole.with_suffix(".json").read_bytes())
    del content["sealed"]
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
