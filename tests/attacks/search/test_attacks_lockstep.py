"""Optimisations side by side give what each gives alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.optimize import minimize

from attacks.search.lockstep import lockstep

CENTRES = np.array([[0.0, 1.0], [3.0, -2.0], [0.5, 0.5]])
SCALES = np.array([1.0, 40.0, 3.0])


def rosenbrock_like(rows, points):
    delta = points - CENTRES[list(rows)]
    scale = SCALES[list(rows)][:, None]
    return (scale * delta**4 + delta**2).sum(1), 4 * scale * delta**3 + 2 * delta


def worker(results, number):
    def run(objective):
        results[number] = minimize(objective, np.full(2, 5.0), jac=True, method="L-BFGS-B")

    return run


def test_equal_to_running_each_alone():
    together: dict = {}
    sizes = []

    def evaluate(rows, points):
        sizes.append(len(rows))
        return rosenbrock_like(rows, points)

    lockstep([worker(together, i) for i in range(3)], evaluate)
    for i in range(3):

        def alone(x, i=i):
            values, gradients = rosenbrock_like([i], x[None])
            return float(values[0]), gradients[0]

        expected = minimize(alone, np.full(2, 5.0), jac=True, method="L-BFGS-B")
        assert np.array_equal(together[i].x, expected.x)
        assert together[i].nfev == expected.nfev
        assert np.allclose(expected.x, CENTRES[i], atol=0.05)
    assert sizes[0] == 3, "the first evaluation has every worker's point"
    assert len(sizes) == max(r.nfev for r in together.values())


def test_nothing_to_do():
    lockstep([], rosenbrock_like)


def test_a_worker_that_raises_ends_the_others():
    before = threading.active_count()

    def bad(objective):
        objective(np.zeros(2))
        raise ValueError("mine")

    def endless(objective):
        while True:
            objective(np.ones(2))

    with pytest.raises(ValueError, match="mine"):
        lockstep([bad, endless], rosenbrock_like)
    assert threading.active_count() == before


def test_an_objective_that_raises_ends_all():
    before = threading.active_count()

    def evaluate(rows, points):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lockstep([worker({}, i) for i in range(3)], evaluate)
    assert threading.active_count() == before
