"""The keys of cells and of what they share: hashes of settings. Without torch, so that a board opens without it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

PROTOCOL = 1
"""Part of every key; raise it when evaluation, noise streams or the budget rule change."""

CEILING_VERSION = 3
"""Raise it when ceilings or certificates are proven differently: stored cells get new ones.

1 used no gradients. 1 and 2 hold with 99.9% an image. Since 3 an image may fail with `targets.ceiling.ERROR`, so that
all images of a row hold at once (`leaderboard.evidence.error_of`), and at the ε that the budget rule's slack allows.
"""

CEILING = ("ceiling_version", "ceiling_samples", "ceiling_samples_max")
"""Settings of how a ceiling is proven. They are in no key. One proof is better than another if none of the three is
less and one is more: a later version does not make up for fewer samples."""


def settings_key(settings: dict[str, Any]) -> str:
    """The key of the cell with these settings: a hash of those that can change what the attack does."""
    decisive = {name: value for name, value in settings.items() if name not in ("description", *CEILING)}
    # The number of ceiling samples was part of the first release's keys, always with this value.
    return key_of({"protocol": PROTOCOL, **decisive, "ceiling_samples": 10_000})


def key_of(identity: dict[str, Any]) -> str:
    """A hash of JSON-able settings, the same on every machine."""
    content = json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()
