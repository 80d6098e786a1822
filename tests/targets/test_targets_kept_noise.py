from __future__ import annotations

import numpy as np
import pytest

from targets.kept_noise import KeptNoise
from targets.noise import BLOCK, Noise, Stream


@pytest.mark.parametrize("room", [0, 1, 2, 3])  # blocks
def test_what_is_kept_and_what_finds_no_room_is_the_same_noise(room):
    kept = KeptNoise(room * BLOCK * 5 * 4)
    expected = np.concatenate([Noise(0, "t").block(7, block, (5,)) for block in range(3)])
    for _ in range(2):
        rows = np.empty((2 * BLOCK + 30, 5), dtype=np.float32)
        stream = Stream(Noise(0, "t", kept=kept), 7)
        for begin, end in [(0, 30), (30, 130), (130, len(rows))]:
            stream.fill(rows[begin:end])
        np.testing.assert_array_equal(rows, expected[: len(rows)])
        rows *= 2  # whoever writes into what they got changes nothing that is kept
    assert len(kept) == room


def test_images_of_another_shape_get_their_own_noise():
    kept = KeptNoise()
    for shape in [(5,), (1, 2, 3)]:
        rows = np.empty((BLOCK, *shape), dtype=np.float32)
        Stream(Noise(0, kept=kept), 7).fill(rows)
        np.testing.assert_array_equal(rows, Noise(0).block(7, 0, shape))
