"""Randomized smoothing: PREDICT and CERTIFY (Cohen et al. 2019, Algorithm 1 and section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta
from torch import Tensor, nn

from targets.arithmetic import Arithmetic
from targets.binomial import always_abstains, smallest_sufficient
from targets.data import DATA
from targets.engine import Engine
from targets.errors import InputError
from targets.gradient import HalfSums, Halves
from targets.kept_noise import KeptNoise
from targets.limits import check_length, check_samples, check_whole, is_number, number
from targets.noise import Key, Noise
from targets.stopping import ABSTAIN as ABSTAIN
from targets.stopping import FixedN, Rule, Sequential, log_evidence
from targets.votes import Observer, Tally, count_votes

LARGEST_ALPHA = 0.5
"""Of PREDICT and CERTIFY: an answer that is more likely wrong than right is none."""


def check_test(n: int, alpha: float) -> None:
    """Raise :class:`InputError` unless PREDICT can answer with ``n`` samples at level ``alpha``."""
    _check_alpha(alpha)
    check_samples("n", n)
    if always_abstains(n, alpha):
        raise InputError(
            f"with n = {n} at alpha = {alpha:g} PREDICT would always abstain; "
            f"give n of at least {smallest_sufficient(alpha)}"
        )


def _check_alpha(alpha: float) -> None:
    if not is_number(alpha) or not 0 < alpha <= LARGEST_ALPHA:
        allowed = f"above 0 and at most {LARGEST_ALPHA}, how often an answer may be wrong"
        raise InputError(f"alpha is {number(alpha)}; give a number {allowed}")


@dataclass
class SmoothedClassifier:
    """g(x) = argmax_c P[f(x + ε) = c], ε ~ N(0, σ²I).

    Attributes:
        base_classifier: f, images in [0, 1] of shape (N, C, H, W) → logits (N, K), on ``device``.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        num_classes: K.
        name: keys the noise, so that two targets never share theirs.
        digest: identifies the weights.
        data: name of the data set that the target classifies.
        batch: noisy images a pass of the base classifier; the engine's own rule without. It changes no result.
        stream: keys the noise in place of ``name``, so that a target in another precision sees the same noise.
        note: what its user should be told, e.g. by which constants a checkpoint's images are normalised.
    """

    base_classifier: nn.Module
    sigma: float
    num_classes: int
    name: str = "unnamed"
    digest: str = ""
    data: str = ""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch: int | None = None
    stream: str | None = None
    note: str = ""
    engine: Engine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_length(f"sigma of target {self.name!r}", self.sigma)
        if self.num_classes < 2:
            raise InputError(f"target {self.name!r} has {self.num_classes} classes; PREDICT compares two")
        # Only gradients with respect to images are ever wanted.
        self.base_classifier = self.base_classifier.to(self.device).eval().requires_grad_(False)
        if self.device.type == "cuda":
            # What cuDNN calls float32 by default is TF32, with a mantissa of 10 bits: another classifier.
            torch.backends.cudnn.allow_tf32 = False
        self.engine = Engine(self.base_classifier, self.num_classes, self.batch, self.device)

    @property
    def identity(self) -> dict[str, Any]:
        """What its results depend on, for the keys of what is stored: a name may be given twice, with another σ."""
        arithmetic = self.arithmetic
        own = {} if arithmetic is None else arithmetic.identity
        return {"target": self.name, "data": self.data, "sigma": self.sigma, "weights": self.digest, **own}

    @property
    def arithmetic(self) -> Arithmetic | None:
        """How its data set's images are computed on this machine; None where it names no data set."""
        return self.engine.arithmetic(tuple(DATA[self.data].shape)) if self.data in DATA else None

    def votes(
        self,
        images: Tensor,
        n: int,
        *,
        seed: int = 0,
        purpose: str = "predict",
        indices: Sequence[Key] | None = None,
        kept: KeptNoise | None = None,
    ) -> NDArray[np.int64]:
        """SAMPLEUNDERNOISE: votes (N, K) over ``n`` noise samples an image.

        Args:
            images: (N, C, H, W) in [0, 1].
            purpose: keys the noise; draws of two purposes are independent.
            indices: the images' indices in their data set, which key the noise; 0 … N-1 without.
            kept: keeps the noise for whoever asks for the same again.

        Raises:
            InputError: an image outside [0, 1] or of the wrong rank.
            TargetError: the base classifier returns NaN or the wrong number of classes.
        """
        return self._sample(images, n, None, seed, purpose, indices, None, kept).votes

    def evidence(
        self,
        images: Tensor,
        n: int,
        *,
        seed: int = 0,
        purpose: str = "ceiling",
        indices: Sequence[Key] | None = None,
    ) -> tuple[NDArray[np.int64], Halves]:
        """What a ceiling is proven from: the votes (N, K) that :meth:`votes` counts, and what is kept of their noise.

        Raises:
            InputError: as :meth:`votes` does, and for ``n`` below 2.
        """
        check_samples("n", n, least=2)  # one for each half
        self._check(images)
        pixels = images.detach().to("cpu", torch.float32).numpy()
        sums = HalfSums(pixels, n, self.sigma, self.num_classes)
        return self._sample(images, n, None, seed, purpose, indices, sums.add).votes, sums.halves

    @staticmethod
    def _check(images: Tensor) -> None:
        if not isinstance(images, Tensor):
            raise InputError(f"images are of type {type(images).__name__}; give a torch.Tensor")
        if images.ndim != 4:
            raise InputError(f"images have shape {tuple(images.shape)}; give (N, C, H, W)")
        if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
            raise InputError("images must be finite and lie in [0, 1]")

    def _sample(
        self,
        images: Tensor,
        n: int,
        rule: Rule | None,
        seed: int,
        purpose: str,
        indices: Sequence[Key] | None,
        observer: Observer | None = None,
        kept: KeptNoise | None = None,
    ) -> Tally:
        self._check(images)
        check_samples("n", n, least=0)
        check_whole("seed", seed)
        keys = range(len(images)) if indices is None else indices
        if len(keys) != len(images):
            raise InputError(f"{len(images)} images and {len(keys)} indices; give one for each image")
        return count_votes(
            self.engine,
            images.detach().to("cpu", torch.float32),
            n,
            sigma=self.sigma,
            noise=Noise(seed, self.stream or self.name, purpose, kept=kept),
            indices=keys,
            rule=rule,
            observer=observer,
        )

    def logits(self, images: Tensor) -> Tensor:
        """The base classifier's logits (N, K), differentiable with respect to images (N, C, H, W), noise included.

        Raises:
            TargetError: the base classifier returns NaN or the wrong number of classes.
        """
        return self.engine.logits(images)

    def predict(
        self,
        images: Tensor,
        n: int = 1000,
        alpha: float = 0.001,
        seed: int = 0,
        *,
        purpose: str = "predict",
        indices: Sequence[Key] | None = None,
    ) -> NDArray[np.int64]:
        """PREDICT: the labels g gives, right with probability 1 - ``alpha`` where it answers at all.

        An image is sampled until its decision can no longer change, which is the decision of all ``n`` samples.

        Returns:
            Labels (N,), ``ABSTAIN`` where the top two counts are not significantly different.
        """
        check_test(n, alpha)
        return self._sample(images, n, FixedN(n, alpha), seed, purpose, indices).decisions

    def predict_sequentially(
        self,
        images: Tensor,
        n: int = 100_000,
        alpha: float = 0.001,
        seed: int = 0,
        *,
        purpose: str = "predict",
        indices: Sequence[Key] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Another predictor for who deploys g: it answers as soon as an anytime-valid test at ``alpha`` allows.

        See :class:`targets.stopping.Sequential`. It abstains on other images than :meth:`predict`; do not mix the two.

        Args:
            n: most samples an image.

        Returns:
            Labels (N,), ``ABSTAIN`` where ``n`` samples cannot settle it, and the samples (N,) that were used.
        """
        _check_alpha(alpha)
        check_samples("n", n)
        least = 1
        while float(log_evidence(least, 0)) < np.log(self.num_classes / alpha):
            least += 1
        if n < least:
            raise InputError(f"with n = {n} at alpha = {alpha:g} it would always abstain; give n of at least {least}")
        tally = self._sample(images, n, Sequential(n, alpha), seed, purpose, indices)
        return tally.decisions, tally.drawn

    def certify(
        self,
        images: Tensor,
        n0: int = 100,
        n: int = 10_000,
        alpha: float = 0.001,
        seed: int = 0,
        *,
        indices: Sequence[Key] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """CERTIFY: labels (N,), ``ABSTAIN`` where none is certified, and ℓ2 radii (N,) in pixel units.

        With probability 1 - ``alpha`` an image, g answers that label everywhere inside the radius.
        """
        _check_alpha(alpha)
        check_samples("n0", n0)
        check_samples("n", n)
        if alpha ** (1 / n) <= 0.5:  # the lower bound on n hits of n
            least = int(np.log(alpha) / np.log(0.5)) + 1
            raise InputError(f"with n = {n} at alpha = {alpha:g} CERTIFY certifies nothing; give n of at least {least}")
        counts0 = self.votes(images, n0, seed=seed, purpose="certify-select", indices=indices)
        counts = self.votes(images, n, seed=seed, purpose="certify-estimate", indices=indices)
        return certificate(counts0.argmax(1), counts, self.sigma, alpha)


def certificate(
    selected: NDArray[np.int64], counts: NDArray[np.int64], sigma: float, alpha: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """CERTIFY's answer for classes (N,) selected on other noise, given counts (N, K): labels and ℓ2 radii."""
    hits = np.take_along_axis(counts, selected[:, None], axis=1)[:, 0] if len(counts) else selected
    p_low = lower_confidence_bound(hits, counts.sum(1), alpha)
    certified = p_low > 0.5
    labels = np.where(certified, selected, ABSTAIN)
    radii = np.where(certified, sigma * ndtri(np.where(certified, p_low, 0.5)), 0.0)
    return labels, radii


def lower_confidence_bound(k: NDArray[np.int64], n: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """LOWERCONFBOUND: the one-sided (1 - ``alpha``) Clopper–Pearson lower bound on k successes of n."""
    with np.errstate(invalid="ignore"):
        bound: NDArray[np.float64] = np.where(k > 0, beta.ppf(alpha, np.maximum(k, 1), n - k + 1), 0.0)
    return bound


def upper_confidence_bound(k: NDArray[np.int64], n: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """The one-sided (1 - ``alpha``) Clopper–Pearson upper bound on k successes of n."""
    with np.errstate(invalid="ignore"):
        bound: NDArray[np.float64] = np.where(k < n, beta.ppf(1 - alpha, k + 1, np.maximum(n - k, 1)), 1.0)
    return bound
