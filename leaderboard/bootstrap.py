"""The bootstrap over images: how much a figure of some images would vary, had other images been drawn.

Efron 1979, "Bootstrap Methods: Another Look at the Jackknife", https://doi.org/10.1214/aos/1176344552
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

RESAMPLES = 2000
SEED = 28
LEAST = 0.95
"""Share of the resamples in which a figure must be defined; else it has no interval."""


@lru_cache(maxsize=1)
def counts(images: int) -> Array:
    """How often each image is drawn in each resample, (`RESAMPLES`, images). Every row sums to ``images``.

    The same for all figures of so many images, on every machine and NumPy: it is made of raw 64-bit numbers.
    """
    import numpy as np

    generator = np.random.PCG64(SEED)
    result: Array = np.empty((RESAMPLES, images))
    for resample in result:  # one at a time: of 10,000 images all raw numbers would take 160 MB
        raw = generator.random_raw(images)
        drawn = ((raw >> np.uint64(32)) * np.uint64(images)) >> np.uint64(32)  # uniform in 0 … images - 1
        resample[:] = np.bincount(drawn.astype(np.int64), minlength=images)
    result.flags.writeable = False
    return result


def interval(figure: Callable[[Array], Array], *columns: ArrayLike) -> tuple[float, float] | None:
    """The 95% percentile interval of a figure that is a function of means over images, rounded to four decimals.

    Args:
        figure: from means (B, M) of the columns, one row a resample, to B values; NaN where it is not defined.
        columns: M columns of N numbers, one an image.

    Returns None where it is undefined in too many resamples.
    """
    import numpy as np

    values = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    found = figure(counts(len(values)) @ values / len(values))
    known = found[~np.isnan(found)]
    if len(known) < LEAST * RESAMPLES:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)
