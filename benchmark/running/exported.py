"""Which of a store's shared entries are published beside a board, for others to adopt."""

from __future__ import annotations

from typing import Any

from benchmark.key import key_of
from benchmark.running.clean_images import EVIDENCE, LOOKS
from benchmark.running.surrogates import OF_ANSWERS, OF_SAME_DATA

EXPORTED = ("votes", EVIDENCE, LOOKS, "answers", OF_ANSWERS, OF_SAME_DATA)
"""The kinds. What `reproduce` keeps in the same folder is none of them: it would publish the data set's pictures."""


def is_exported(key: str, settings: dict[str, Any]) -> bool:
    """Whether the entry under a store's key is of such a kind and of a `run`.

    The key of an entry of another experiment, or one that was edited, is not the hash of its settings.
    """
    return settings.get("what") in EXPORTED and key_of(settings) == key
