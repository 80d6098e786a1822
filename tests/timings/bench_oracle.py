"""Cohen's PREDICT, transcribed: what the engine is compared with."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import binomtest

from targets import ABSTAIN


@torch.inference_mode()
def transcribed_predict(base, image, sigma, n, alpha, batch=400):
    """Cohen et al. 2019, Algorithm 1, PREDICT, word for word: one image, torch's noise, SciPy's test."""
    counts = np.zeros(10, dtype=int)
    left = n
    while left > 0:
        size = min(batch, left)
        left -= size
        repeated = image.repeat((size, 1, 1, 1))
        predictions = base(repeated + torch.randn_like(repeated) * sigma).argmax(1)
        counts += np.bincount(predictions.numpy(), minlength=10)
    first, second = counts.argsort()[::-1][:2]
    test = binomtest(int(counts[first]), int(counts[first] + counts[second]), 0.5)
    return int(first) if test.pvalue <= alpha else ABSTAIN
