from __future__ import annotations

import numpy as np
import pytest
import torch
from targets_linear import Slabs, image_at
from torch import Tensor, nn

from targets import TargetError, load
from targets.models import SmallCNN
from targets.noise import Noise
from targets.votes import checked_logits, count_votes

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
    return count_votes(
        network, images, n, sigma=0.5, num_classes=num_classes, noise=noise, indices=indices, batch=batch
    )


@pytest.fixture(scope="module")
def votes(network, images) -> np.ndarray:
    return votes_of(network, images, 250)


def test_votes_are_the_counts_of_the_answers_one_sample_at_a_time(network, images, votes):
    with torch.inference_mode():
        for i, image in enumerate(images[:3]):
            noise = np.concatenate([NOISE.block(i, block, (1, 8, 8)) for block in range(3)])[:250]
            samples = image + 0.5 * torch.from_numpy(noise)
            answers = [int(checked_logits(network, sample[None], 10).argmax()) for sample in samples]
            np.testing.assert_array_equal(votes[i], np.bincount(answers, minlength=10))


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
        rest = checked_logits(network, images[2] + 0.5 * torch.from_numpy(np.concatenate(blocks)), 10).argmax(1)
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


def test_no_forward_pass_is_larger_than_the_batch():
    recorder = Recorder()
    votes_of(recorder, image_at(0.0, 1.0, 2.0), 250, batch=299, num_classes=2)
    assert max(map(len, recorder.seen)) == 200
    assert sum(map(len, recorder.seen)) == 750


def test_no_images(network):
    assert votes_of(network, torch.zeros(0, 1, 8, 8), 100).shape == (0, 10)


@pytest.mark.parametrize("name", ["digits-sigma0.12", "digits-sigma1.00"])
def test_a_row_s_logits_do_not_depend_on_the_batch(name):
    network = load(name, "cpu").base_classifier
    rows = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = checked_logits(network, rows, 10)
        for size in (1, 5, 15, 16, 17, 99):
            apart = torch.cat([checked_logits(network, part, 10) for part in rows.split(size)])
            assert torch.equal(apart, together), size
    assert together.shape == (100, 10)


def test_votes_do_not_depend_on_the_number_of_threads(network, images, votes):
    torch.set_num_threads(2)
    try:
        np.testing.assert_array_equal(votes_of(network, images, 250), votes)
    finally:
        torch.set_num_threads(1)


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

    assert checked_logits(Answer(logits), torch.ones(5, 1, 8, 8), 2).tolist() == [[1.0, 1.0]] * 5


def test_votes_follow_the_closed_form_of_three_slabs():
    votes = votes_of(Slabs([-0.5, 0.25]), image_at(*[0.0] * 100), 1000, num_classes=3)
    # Φ(-1), Φ(0.5) - Φ(-1), Φ(-0.5)
    expected = np.array([0.158655, 0.532807, 0.308538])
    error = np.sqrt(expected * (1 - expected) / 100_000)
    np.testing.assert_array_less(np.abs(votes.sum(0) / 100_000 - expected), 4 * error)
