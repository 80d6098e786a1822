from __future__ import annotations

import math

import pytest

import targets
from targets import InputError, SmoothedClassifier, load
from targets.data.digits import split
from targets.limits import (
    LARGEST,
    MOST_SAMPLES,
    check_length,
    check_samples,
    check_test,
    check_whole,
    is_finite,
    is_number,
)
from targets.models import SmallCNN


@pytest.mark.parametrize("value", [0, -3, LARGEST, -LARGEST])
def test_whole_numbers_that_are_stored(value: int):
    check_whole("seed", value)


def test_whole_numbers_that_are_not():
    with pytest.raises(InputError, match=r"^seed is 99999999999999999999; give a number of at most 922337203685477580"):
        check_whole("seed", 99999999999999999999)
    with pytest.raises(InputError, match=r"^seed is -99999999999999999999; give a number of at least -9223372036"):
        check_whole("seed", -99999999999999999999)
    with pytest.raises(InputError, match=r"^images is 0; give a number of at least 1$"):
        check_whole("images", 0, least=1)


def test_samples():
    check_samples("n", 1)
    check_samples("n", MOST_SAMPLES)
    with pytest.raises(InputError, match=r"^n is 0; give at least 1 noise sample$"):
        check_samples("n", 0)
    with pytest.raises(InputError, match=r"^n0 is 10000001; give at most 10,000,000 noise samples, which memory can"):
        check_samples("n0", MOST_SAMPLES + 1)


@pytest.mark.parametrize("value", [1e-6, 0.25, 1, 1e6])
def test_lengths(value: float):
    assert check_length("sigma", value) is value


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e-320, 1e300, True, "0.5", None, 10**400])
def test_what_is_no_length(value: object):
    with pytest.raises(InputError, match=r"^sigma is .*; give a number above 0, from 1e-06 to 1e\+06 in \[0, 1\]"):
        check_length("sigma", value)  # type: ignore[arg-type]


def test_what_a_float_can_hold():
    assert all(map(is_number, (0, -1.5, LARGEST, math.nan, math.inf)))
    assert not any(map(is_number, (10**400, True, "1", None, [1])))
    assert all(map(is_finite, (0, 1e300)))
    assert not any(map(is_finite, (math.nan, -math.inf, False)))


@pytest.mark.parametrize("sigma", [math.inf, math.nan, 0, 1e-300, "0.5"])
def test_a_target_s_sigma(sigma: float):
    with pytest.raises(InputError, match=r"^sigma of target 'mine' is "):
        targets.register("mine", sigma=sigma, data="digits")
    with pytest.raises(InputError, match=r"^sigma of target 'mine' is "):
        SmoothedClassifier(SmallCNN(), sigma, 10, name="mine")


@pytest.mark.parametrize(("n", "alpha"), [(10**30, 0.001), (2 * MOST_SAMPLES, 0.001)])
def test_predict_s_n(n: int, alpha: float):
    with pytest.raises(InputError, match=r"; give at most 10,000,000 noise samples"):
        check_test(n, alpha)


def test_every_way_to_ask_a_target_checks_seed_and_samples():
    target, images = load("digits-sigma0.50", "cpu"), split("evaluation").images[:1]
    asks = (target.votes, target.evidence, target.predict, target.predict_sequentially)
    for ask in asks:
        with pytest.raises(InputError, match=r"^seed is 9223372036854775808; give a number of at most"):
            ask(images, 100, seed=2**63)
        with pytest.raises(InputError, match=r"^n is 1000000000000; give at most 10,000,000"):
            ask(images, 10**12)
    for values in ({"n0": 10**12}, {"n": 10**12}, {"seed": 2**63}):
        with pytest.raises(InputError, match="; give "):
            target.certify(images, **values)
    target.votes(images, 20, seed=-(2**63) + 1)
