"""TOML files: every fault is one clear error."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from benchmark.numeral import numeral
from targets.errors import InputError


def exists(path: str | Path) -> bool:
    """Whether there is such a file. False for a name that no file can have."""
    return os.path.isfile(path)


def read(path: Path) -> dict[str, Any]:
    """The table that a TOML file holds.

    Raises:
        InputError: it cannot be read, is not TOML, or has a number too large or too small for a float.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        return tomllib.loads(text, parse_float=numeral)
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}") from error
    except OverflowError as error:
        raise InputError(str(error)) from error
    except RecursionError as error:
        raise InputError("not TOML that can be read: its brackets are nested too deep") from error
    except UnicodeDecodeError as error:
        raise InputError(f"not TOML: no UTF-8 ({error.reason} at byte {error.start}); save it so") from error
    except ValueError as error:  # tomllib's, or Python's for a number of 5,000 digits
        raise InputError(f"not TOML: {error}") from error
