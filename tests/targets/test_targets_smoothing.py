from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest, norm
from targets_exact import exact_abstention
from targets_linear import Linear, Slabs, image_at, linear, slab_probabilities
from torch import nn

from targets import ABSTAIN, InputError, SmoothedClassifier, TargetError, load
from targets.confidence import certificate, lower_confidence_bound, upper_confidence_bound
from targets.limits import check_test
from targets.stopping import Sequential

UNLIKELY = 1e-4


def binomially(hits: int, trials: int, probability: float) -> bool:
    """Whether so many hits are what a probability leads one to expect."""
    return bool(binomtest(int(hits), trials, probability).pvalue > UNLIKELY)


# --- votes


@pytest.mark.parametrize(("margin", "sigma"), [(0.0, 0.5), (0.3, 0.25), (-0.4, 0.5), (2.0, 1.0)])
def test_vote_frequency_is_phi_of_margin_over_sigma(margin, sigma):
    votes = linear(sigma).votes(image_at(margin), 50_000)
    assert binomially(votes[0, 0], 50_000, norm.cdf(margin / sigma))


def test_seed_name_purpose_and_index_each_key_the_votes():
    image = image_at(0.1)
    target = linear(0.5)
    base = target.votes(image, 10_000).tolist()
    assert target.votes(image, 10_000, seed=0, purpose="predict", indices=[0]).tolist() == base
    others = [
        target.votes(image, 10_000, seed=1),
        target.votes(image, 10_000, purpose="other"),
        target.votes(image, 10_000, indices=[1]),
        linear(0.5, name="another").votes(image, 10_000),
    ]
    assert base not in [votes.tolist() for votes in others]


def test_the_base_classifier_is_fixed():
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(64, 2))
    target = SmoothedClassifier(network.train(), sigma=0.5, num_classes=2)
    assert not target.base_classifier.training
    assert not any(p.requires_grad for p in target.base_classifier.parameters())


def test_images_with_gradients_and_of_double_precision():
    image = image_at(0.1)
    expected = linear(0.5).votes(image, 500)
    np.testing.assert_array_equal(linear(0.5).votes(image.double().requires_grad_(), 500), expected)


# --- PREDICT


@pytest.mark.parametrize(
    ("margin", "n", "alpha"), [(0.0, 100, 0.05), (0.1, 100, 0.001), (0.25, 100, 0.001), (0.16, 250, 0.05)]
)
def test_predict_abstains_with_the_exact_probability(margin, n, alpha):
    p = norm.cdf(margin / 0.5)
    trials = 400
    decisions = [
        linear(0.5).predict(image_at(margin).expand(trials, -1, -1, -1), n=n, alpha=alpha, seed=seed)
        for seed in range(4)
    ]
    decided = np.concatenate(decisions)
    # The counts that the test tells apart, by SciPy; A's count is binomial.
    answered = np.array([binomtest(k, n, 0.5).pvalue <= alpha for k in range(n + 1)])
    weight = binom.pmf(np.arange(n + 1), n, p)
    winner = np.arange(n + 1) > n / 2
    assert binomially((decided == ABSTAIN).sum(), 4 * trials, weight[~answered].sum())
    assert binomially((decided == 0).sum(), 4 * trials, weight[answered & winner].sum())
    assert exact_abstention([p, 1 - p], n, alpha) == pytest.approx(weight[~answered].sum(), abs=1e-9)


def test_predict_abstains_with_the_exact_probability_among_three_classes():
    cuts, trials = [-0.2, 0.25], 1500
    target = SmoothedClassifier(Slabs(cuts), sigma=0.5, num_classes=3, name="slabs")
    expected = exact_abstention(slab_probabilities(cuts, 0.4, 0.5), 100, 0.001)
    assert 0.1 < expected < 0.8
    decided = target.predict(image_at(0.4).expand(trials, -1, -1, -1), n=100)
    assert binomially((decided == ABSTAIN).sum(), trials, expected)


def test_predict_answers_the_sign_far_from_the_boundary():
    images = image_at(2.0, -2.0, 1.5)
    assert linear(0.5).predict(images, n=100).tolist() == [0, 1, 0]
    assert linear(0.5).predict(images, n=100).dtype == np.int64


def test_predict_depends_on_no_neighbour():
    positions = np.linspace(-0.4, 0.4, 9)
    images = image_at(*positions)
    together = linear(0.5).predict(images, n=200, alpha=0.05)
    alone = [int(linear(0.5).predict(images[i : i + 1], n=200, alpha=0.05, indices=[i])[0]) for i in range(9)]
    assert together.tolist() == alone
    assert {0, 1, ABSTAIN} == set(alone)


# --- CERTIFY


def test_certify_is_right_about_the_margin_with_the_promised_confidence():
    # Radii above the true margin are errors; at alpha = 0.05 some of them must occur, but no more than that.
    trials, alpha, margin = 200, 0.05, 0.25
    labels, radii = linear(0.5).certify(image_at(margin).expand(trials, -1, -1, -1), n0=60, n=1000, alpha=alpha)
    errors = int((radii > margin).sum())
    assert 1 <= errors <= binom.ppf(1 - UNLIKELY, trials, alpha)
    assert set(labels.tolist()) <= {0, ABSTAIN}
    assert (radii[labels == ABSTAIN] == 0).all()
    assert (labels == 0).mean() > 0.98


@pytest.mark.parametrize("margin", [0.1, -0.4, 0.8])
def test_certify_s_radius_is_near_the_margin_with_many_samples(margin):
    labels, radii = linear(0.5).certify(image_at(margin).expand(5, -1, -1, -1), n=10_000)
    assert labels.tolist() == [0 if margin > 0 else 1] * 5
    assert (radii <= abs(margin)).all()
    # Four standard errors of Φ⁻¹ of the frequency, plus the three that the confidence bound takes off.
    p = norm.cdf(margin / 0.5)
    error = 0.5 * np.sqrt(p * (1 - p) / 10_000) / norm.pdf(margin / 0.5)
    assert (radii >= abs(margin) - 8 * error).all()


def test_certify_abstains_on_the_boundary():
    labels, radii = linear(0.5).certify(image_at(0.0).expand(20, -1, -1, -1), n=1000)
    assert labels.tolist() == [ABSTAIN] * 20
    assert radii.tolist() == [0.0] * 20


def test_certify_selects_and_estimates_on_independent_noise():
    target, image = linear(0.5), image_at(0.1)
    selected = target.votes(image, 100, purpose="certify-select")
    counts = target.votes(image, 1000, purpose="certify-estimate")
    assert (counts - selected).min() >= 0
    labels, radii = target.certify(image, n0=100, n=1000)
    expected = certificate(selected.argmax(1), counts, 0.5, 0.001)
    assert (labels.tolist(), radii.tolist()) == (expected[0].tolist(), expected[1].tolist())
    shared = target.votes(image, 100, purpose="certify-estimate")
    assert selected.tolist() != shared.tolist()


@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_certificate_is_clopper_pearson_s(alpha):
    hits = np.array([0, 1, 480, 500, 520, 548, 549, 700, 999, 1000])
    counts = np.stack([hits, 1000 - hits], 1)
    labels, radii = certificate(np.zeros(len(hits), dtype=np.int64), counts, 0.25, alpha)
    for k, label, radius in zip(hits, labels, radii, strict=True):
        low = binomtest(int(k), 1000).proportion_ci(1 - 2 * alpha, "exact").low
        assert label == (0 if low > 0.5 else ABSTAIN), k
        assert radius == pytest.approx(0.25 * norm.ppf(low) if low > 0.5 else 0.0, abs=1e-9), k


def test_certificate_counts_the_selected_class_even_where_another_leads():
    labels, radii = certificate(np.array([0, 1]), np.array([[100, 900], [100, 900]]), 0.5, 0.001)
    assert labels.tolist() == [ABSTAIN, 1]
    assert radii[0] == 0.0
    assert radii[1] > 0.5


@pytest.mark.parametrize("n", [1, 2, 37, 1000])
@pytest.mark.parametrize("alpha", [1e-5, 0.001, 0.3])
def test_one_sided_bounds_are_scipys(n, alpha):
    for k in {0, 1, n // 3, n - 1, n}:
        low, high = binomtest(k, n).proportion_ci(1 - 2 * alpha, "exact")
        counts, totals = np.array([k]), np.array([n])
        assert lower_confidence_bound(counts, totals, alpha)[0] == pytest.approx(low, abs=1e-12)
        assert upper_confidence_bound(counts, totals, alpha)[0] == pytest.approx(high, abs=1e-12)


# --- bad input


@pytest.mark.parametrize("alpha", [0.0, 0.5000001, 0.9999999999, 1.0, -0.1, 2.0, float("nan")])
def test_alpha_outside_its_range(alpha):
    for call in (linear(0.5).predict, linear(0.5).certify):
        with pytest.raises(InputError, match=r"alpha is .*; give a number above 0 and at most 0.5"):
            call(image_at(0.0), alpha=alpha)


@pytest.mark.parametrize(("n", "alpha", "enough"), [(10, 0.001, 11), (1, 0.001, 11), (5, 0.05, 6)])
def test_too_few_samples_to_ever_answer(n, alpha, enough):
    with pytest.raises(InputError, match=f"would always abstain; give n of at least {enough}$"):
        linear(0.5).predict(image_at(0.0), n=n, alpha=alpha)
    check_test(enough, alpha)


def test_no_samples():
    with pytest.raises(InputError, match="n is 0; give at least 1"):
        linear(0.5).predict(image_at(0.0), n=0)
    for n0, n in ((0, 100), (100, 0)):
        with pytest.raises(InputError, match=rf"^{'n' if n0 else 'n0'} is 0; give at least 1 noise sample$"):
            linear(0.5).certify(image_at(0.0), n0=n0, n=n)


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan"), float("inf")])
def test_images_outside_the_unit_cube(value):
    images = image_at(0.0, 0.0)
    images[1, 0, 3, 3] = value
    for call in (linear(0.5).predict, linear(0.5).certify):
        with pytest.raises(InputError, match=r"images must be finite and lie in \[0, 1\]"):
            call(images)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (64,), (1, 1, 1, 8, 8)])
def test_images_of_the_wrong_rank(shape):
    with pytest.raises(InputError, match=r"give \(N, C, H, W\)"):
        linear(0.5).predict(torch.zeros(shape))


@pytest.mark.parametrize("sigma", [0.0, -0.5, float("nan")])
def test_sigma_not_above_zero(sigma):
    with pytest.raises(InputError, match=r"sigma of target 'mine' is .*; give a number above 0"):
        SmoothedClassifier(Linear(), sigma=sigma, num_classes=2, name="mine")


def test_a_single_class():
    with pytest.raises(InputError, match="1 classes; PREDICT compares two"):
        SmoothedClassifier(Linear(), sigma=0.5, num_classes=1)


def test_a_wrong_number_of_classes():
    with pytest.raises(TargetError, match=r"expected \(100, 3\)"):
        SmoothedClassifier(Linear(), sigma=0.5, num_classes=3).predict(image_at(0.0), n=100)


def test_no_images():
    none = torch.zeros(0, 1, 8, 8)
    assert linear(0.5).votes(none, 100).shape == (0, 2)
    assert linear(0.5).predict(none).shape == (0,)
    labels, radii = linear(0.5).certify(none)
    assert labels.shape == radii.shape == (0,)


def test_images_that_are_no_tensor():
    with pytest.raises(InputError, match=r"images are of type ndarray; give a torch\.Tensor"):
        SmoothedClassifier(Linear(), sigma=0.25, num_classes=2).predict(np.zeros((1, 1, 8, 8)))


def test_sample_counts_that_can_settle_nothing_are_refused():
    target = load("digits-sigma0.50", "cpu")
    images = torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match="CERTIFY certifies nothing; give n of at least 10"):
        target.certify(images, n=9)
    assert target.certify(images, n=10)[0].shape == (1,)
    with pytest.raises(InputError, match="would always abstain; give n of at least") as caught:
        target.predict_sequentially(images, n=10)
    least = int(str(caught.value).split()[-1])
    votes = np.array([[least, *[0] * 9], [least - 1, *[0] * 9]])
    assert Sequential(least, 0.001)(votes[:1], votes[:1].sum(1)) == 0
    assert Sequential(least - 1, 0.001)(votes[1:], votes[1:].sum(1)) == ABSTAIN


def test_an_index_for_every_image():
    with pytest.raises(InputError, match="2 images and 1 indices"):
        load("digits-sigma0.50", "cpu").predict(torch.zeros(2, 1, 8, 8), indices=[3])
