from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from targets_linear import Slabs, image_at
from torch import Tensor, nn

from targets import DATA, TargetError, load
from targets.binomial import decide
from targets.engine import Engine
from targets.models import SmallCNN
from targets.noise import Noise
from targets.stopping import ABSTAIN, FixedN, Sequential
from targets.votes import AHEAD, count_votes

NOISE = Noise(0, "t", "predict")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(5)
    return SmallCNN().eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(6))


def votes_of(network, images, n, *, indices=None, batch=1000, noise=NOISE, num_classes=10):
    indices = range(len(images)) if indices is None else indices
    engine = Engine(network, num_classes, batch)
    return count_votes(engine, images, n, sigma=0.5, noise=noise, indices=indices).votes


def answers(network: nn.Module, samples: Tensor) -> Tensor:
    return Engine(network, 10).answers(samples)


@pytest.fixture(scope="module")
def votes(network, images) -> np.ndarray:
    return votes_of(network, images, 250)


def test_votes_are_the_counts_of_the_answers_one_sample_at_a_time(network, images, votes):
    with torch.inference_mode():
        for i, image in enumerate(images[:3]):
            noise = np.concatenate([NOISE.block(i, block, (1, 8, 8)) for block in range(3)])[:250]
            samples = image + 0.5 * torch.from_numpy(noise)
            single = [int(answers(network, sample[None])) for sample in samples]
            np.testing.assert_array_equal(votes[i], np.bincount(single, minlength=10))


def test_every_row_sums_to_n(network, images, votes):
    assert votes.dtype == np.int64
    assert (votes.sum(1) == 250).all()
    assert (np.count_nonzero(votes, axis=1) > 1).any()  # the cases below would show little on unanimous votes
    for n in (1, 99, 100, 101):
        assert (votes_of(network, images, n).sum(1) == n).all()


@pytest.mark.parametrize("batch", [1, 99, 100, 101, 250, 300, 777, 100_000])
def test_the_batch_changes_nothing(network, images, votes, batch):
    np.testing.assert_array_equal(votes_of(network, images, 250, batch=batch), votes)


def test_order_subset_and_shard_change_nothing(network, images, votes):
    order = [4, 0, 6, 2, 1, 5, 3]
    np.testing.assert_array_equal(votes_of(network, images[order], 250, indices=order), votes[order])
    np.testing.assert_array_equal(votes_of(network, images[2:3], 250, indices=[2]), votes[2:3])
    shards = [votes_of(network, images[rows], 250, indices=rows) for rows in ([0, 1], [2, 3, 4], [5, 6])]
    np.testing.assert_array_equal(np.concatenate(shards), votes)
    np.testing.assert_array_equal(votes_of(network, images[order], 250, indices=np.array(order)), votes[order])


def test_an_image_twice_under_one_index_gets_the_same_votes(network, images, votes):
    np.testing.assert_array_equal(votes_of(network, images[[3, 3]], 250, indices=[3, 3]), votes[[3, 3]])


def test_the_index_keys_the_noise(network, images, votes):
    assert not np.array_equal(votes_of(network, images, 250, indices=range(7, 14)), votes)
    pairs = [(i, 1) for i in range(7)]
    assert not np.array_equal(votes_of(network, images, 250, indices=pairs), votes)


def test_fewer_samples_are_the_first_ones(network, images):
    short = votes_of(network, images, 300)
    long = votes_of(network, images, 1000)
    assert (short <= long).all()
    blocks = [NOISE.block(2, block, (1, 8, 8)) for block in range(3, 10)]
    with torch.inference_mode():
        rest = answers(network, images[2] + 0.5 * torch.from_numpy(np.concatenate(blocks)))
    np.testing.assert_array_equal(long[2] - short[2], np.bincount(rest, minlength=10))


class Recorder(nn.Module):
    """Answers class 0 and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        return nn.functional.one_hot(torch.zeros(len(images), dtype=torch.int64), 2).float()


def test_the_noise_has_standard_deviation_sigma_and_is_not_clipped():
    recorder = Recorder()
    image = image_at(0.0)
    votes_of(recorder, image, 200, num_classes=2)
    seen = torch.cat(recorder.seen)
    noise = torch.from_numpy(np.concatenate([NOISE.block(0, block, (1, 8, 8)) for block in range(2)]))
    torch.testing.assert_close((seen - image) / 0.5, noise, rtol=0, atol=1e-6)
    assert seen.min() < -0.5
    assert seen.max() > 1.5


def test_images_of_few_samples_fill_a_batch_together():
    recorder = Recorder()
    votes_of(recorder, image_at(*[0.0] * 40), 50, batch=1000, num_classes=2)
    assert list(map(len, recorder.seen)) == [1000, 1000]


def test_no_forward_pass_is_larger_than_the_batch():
    recorder = Recorder()
    votes_of(recorder, image_at(0.0, 1.0, 2.0), 250, batch=299, num_classes=2)
    assert 250 <= max(map(len, recorder.seen)) <= 299
    assert sum(map(len, recorder.seen)) == 750


def test_no_images(network):
    assert votes_of(network, torch.zeros(0, 1, 8, 8), 100).shape == (0, 10)


@pytest.mark.parametrize("name", ["digits-sigma0.12", "digits-sigma1.00"])
def test_a_row_s_logits_do_not_depend_on_the_batch(name):
    target = load(name, "cpu")
    rows = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = target.logits(rows)
        for size in (1, 5, 15, 16, 17, 99):
            apart = torch.cat([target.logits(part) for part in rows.split(size)])
            assert torch.equal(apart, together), size
    assert together.shape == (100, 10)


class Answer(nn.Module):
    """Returns what a function makes of the batch."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor):
        return self.function(images)


def one_bad(value: float):
    def logits(images: Tensor) -> Tensor:
        result = torch.zeros(len(images), 10)
        result[3, 4] = value
        return result

    return logits


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: torch.zeros(len(x), 9), r"returned \(100, 9\) for 100 images; expected \(100, 10\)"),
        (lambda x: torch.zeros(len(x)), r"returned \(100,\) for 100 images; expected \(100, 10\)"),
        (lambda x: torch.zeros(len(x) - 1, 10), r"returned \(99, 10\) for 100 images"),
        (lambda x: np.zeros((len(x), 10)), r"returned ndarray for 100 images"),
        (lambda x: (torch.zeros(len(x), 10),), r"returned tuple for 100 images"),
        (one_bad(float("nan")), "NaN or infinite logits"),
        (one_bad(float("inf")), "NaN or infinite logits"),
    ],
)
def test_a_base_classifier_that_misbehaves(function, message):
    with pytest.raises(TargetError, match=message) as caught:
        votes_of(Answer(function), image_at(0.0), 100)
    assert "\n" not in str(caught.value)


def test_a_padding_row_is_neither_judged_nor_returned():
    def logits(images: Tensor) -> Tensor:
        result = images.flatten(1)[:, :2].clone()
        result[5:] = float("nan")
        return result

    assert Engine(Answer(logits), 2).logits(torch.ones(5, 1, 8, 8)).tolist() == [[1.0, 1.0]] * 5


def test_votes_follow_the_closed_form_of_three_slabs():
    votes = votes_of(Slabs([-0.5, 0.25]), image_at(*[0.0] * 100), 1000, num_classes=3)
    # Φ(-1), Φ(0.5) - Φ(-1), Φ(-0.5)
    expected = np.array([0.158655, 0.532807, 0.308538])
    error = np.sqrt(expected * (1 - expected) / 100_000)
    np.testing.assert_array_less(np.abs(votes.sum(0) / 100_000 - expected), 4 * error)


RULES = [None, FixedN(1000, 0.001), Sequential(1000, 0.001)]


@pytest.fixture(scope="module")
def unclear() -> Tensor:
    """Images from clear to tied, of a size that is cut into granules."""
    return torch.stack([torch.full((3, 32, 32), 0.5 + z / 3072**0.5) for z in np.linspace(-1, 1, 9)])


class MeanAboveHalf(nn.Module):
    """Linear in the mean pixel, with a third class that takes a little: cheap at any size."""

    def forward(self, images: Tensor) -> Tensor:
        mean = (images.flatten(1).sum(1) - 1536) / 3072**0.5
        return torch.stack([mean, -mean, (images[:, 0, 0, 0] - 0.5).abs() - 1.2], 1)


def tally_of(images: Tensor, rule, batch: int, indices=None, n: int = 1000):
    engine = Engine(MeanAboveHalf(), 3, batch)
    return count_votes(
        engine, images, n, sigma=0.5, noise=NOISE, indices=range(len(images)) if indices is None else indices, rule=rule
    )


@pytest.mark.parametrize("rule", RULES, ids=["all", "fixed", "sequential"])
def test_batch_order_shard_and_neighbours_change_nothing(unclear, rule):
    whole = tally_of(unclear, rule, 400)
    assert (whole.votes.sum(1) == whole.drawn).all()
    if rule is not None:
        assert {ABSTAIN, 0, 1} <= set(whole.decisions.tolist())
        assert len(set(whole.drawn.tolist())) > 2
    for batch in (25, 60, 128, 5000):
        again = tally_of(unclear, rule, batch)
        for field in ("votes", "drawn", "decisions"):
            np.testing.assert_array_equal(getattr(again, field), getattr(whole, field))
    order = [5, 2, 8, 0, 1, 7, 3, 6, 4]
    again = tally_of(unclear[order], rule, 300, indices=order)
    np.testing.assert_array_equal(again.votes, whole.votes[order])
    for row in (0, 4, 8):
        alone = tally_of(unclear[row : row + 1], rule, 400, indices=[row])
        np.testing.assert_array_equal(alone.votes[0], whole.votes[row])
        np.testing.assert_array_equal(alone.decisions[0], whole.decisions[row])


@pytest.mark.parametrize("n", [20, 99, 1000, 1013])
def test_curtailed_decisions_are_those_of_all_samples(unclear, n):
    rule = FixedN(n, 0.001)
    curtailed, full = tally_of(unclear, rule, 400, n=n), tally_of(unclear, None, 400, n=n)
    np.testing.assert_array_equal(curtailed.decisions, decide(full.votes, 0.001, ABSTAIN))
    assert (curtailed.votes <= full.votes).all()


def test_curtailment_saves_samples(unclear):
    assert tally_of(unclear, FixedN(1000, 0.001), 400).drawn.min() == 575  # 553 votes and the granule they end in


@pytest.mark.parametrize("name", ["digits-sigma0.25", "digits-sigma1.00"])
def test_predict_is_the_decision_of_all_votes_on_a_real_target(name):
    target = load(name, "cpu")
    images = DATA["digits"].split("evaluation").images[:40]
    full = decide(target.votes(images, 1000), 0.001, ABSTAIN)
    np.testing.assert_array_equal(target.predict(images, 1000), full)


@pytest.mark.parametrize("rule", RULES, ids=["all", "fixed", "sequential"])
def test_the_number_of_threads_changes_nothing(unclear, rule):
    """One thread draws for one image after the other; more draw for several at a time."""
    whole = tally_of(unclear, rule, 400, n=263)
    torch.set_num_threads(4)
    try:
        again = tally_of(unclear, rule, 400, n=263)
    finally:
        torch.set_num_threads(1)
    np.testing.assert_array_equal(again.votes, whole.votes)
    np.testing.assert_array_equal(again.decisions, whole.decisions)


def test_looking_ahead_changes_nothing(unclear, monkeypatch):
    """On a GPU a batch is drawn before the one before it is counted; here a CPU pretends to."""
    whole = tally_of(unclear, FixedN(1000, 0.001), 400)
    monkeypatch.setitem(AHEAD, "cpu", 2)
    ahead = tally_of(unclear, FixedN(1000, 0.001), 400)
    np.testing.assert_array_equal(ahead.votes, whole.votes)
    np.testing.assert_array_equal(ahead.decisions, whole.decisions)


def test_many_images_are_not_held_in_memory_at_once():
    images = image_at(*[0.0] * 4000)
    engine = Engine(Slabs([-0.5, 0.25]), 3)
    tracemalloc.start()
    try:
        count_votes(engine, images, 20, sigma=0.5, noise=NOISE, indices=range(4000), rule=FixedN(20, 0.01))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1000 * 64 * 4  # their noise would be 80 batches


def test_memory_does_not_grow_with_n_or_with_the_number_of_images():
    tracemalloc.start()
    try:
        votes_of(Slabs([-0.5, 0.25]), image_at(*[0.0] * 40), 20_000, num_classes=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    batch = 1000 * 64 * 4
    assert batch < peak < 4 * batch  # all noise at once would be 800 batches
