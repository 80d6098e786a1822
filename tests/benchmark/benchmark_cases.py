"""How many cases a test generates: a few in CI, many where `ABSTENTION_BENCH_CASES` says so."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

TIMES = int(os.environ.get("ABSTENTION_BENCH_CASES", "1"))
"""How many times as many as in CI."""


def cases(number: int) -> settings:
    """So many generated cases of a test, or a multiple of them."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = [Phase.explicit, Phase.generate]  # to make a case shorter takes minutes, and these are short
    return settings(
        max_examples=number * TIMES, deadline=None, suppress_health_check=quiet, phases=phases, database=None
    )
