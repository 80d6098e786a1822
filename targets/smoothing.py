"""Randomized smoothing: the smoothed classifier g, with PREDICT and CERTIFY.

Cohen, Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing", section 3.2,
https://arxiv.org/abs/1902.02918
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from targets.confidence import certificate
from targets.data import DATA
from targets.engine import Engine
from targets.engine.arithmetic import Arithmetic
from targets.errors import InputError
from targets.gradient import HalfSums, Halves
from targets.kept_noise import KeptNoise
from targets.limits import check_alpha, check_length, check_samples, check_test, check_whole
from targets.noise import Key, Noise
from targets.stopping import ABSTAIN as ABSTAIN
from targets.stopping import FixedN, Rule, Sequential, log_evidence
from targets.votes import Observer, Tally, count_votes


@dataclass
class SmoothedClassifier:
    """g(x) = argmax_c P[f(x + ε) = c], ε ~ N(0, σ²I).

    Attributes:
        base_classifier: f, images in [0, 1] of shape (N, C, H, W) → logits (N, K), on ``device``.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        num_classes: K.
        name: keys the noise, so that two targets never share theirs.
        digest: identifies the weights.
        data: name of the data set that the target classifies; "" for none.
        device: where the base classifier runs.
        batch: noisy images a pass of the base classifier; None lets the engine choose. It changes no result.
        stream: keys the noise in place of ``name``, so that a target in another precision sees the same noise.
        note: a line for the user, e.g. the constants that normalise a checkpoint's images.

    Raises:
        InputError: sigma is out of range, or there are fewer than two classes.
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
        """What its results depend on, for the keys of stored results. The name alone is not enough: σ may change."""
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
        """SAMPLEUNDERNOISE: votes (N, K) over ``n`` noise samples an image. Arguments are those of :meth:`sample`."""
        return self.sample(images, n, seed=seed, purpose=purpose, indices=indices, kept=kept).votes

    def evidence(
        self,
        images: Tensor,
        n: int,
        *,
        seed: int = 0,
        purpose: str = "ceiling",
        indices: Sequence[Key] | None = None,
    ) -> tuple[NDArray[np.int64], Halves]:
        """What a ceiling is computed from: the votes (N, K), and sums of the noise behind them.

        Arguments and errors are those of :meth:`sample`, but that ``n`` is at least 2.
        """
        check_samples("n", n, least=2)  # one for each half
        self._check(images)
        pixels = images.detach().to("cpu", torch.float32).numpy()
        sums = HalfSums(pixels, n, self.sigma, self.num_classes)
        tally = self.sample(images, n, seed=seed, purpose=purpose, indices=indices, observer=sums.add)
        return tally.votes, sums.halves

    @staticmethod
    def _check(images: Tensor) -> None:
        if not isinstance(images, Tensor):
            raise InputError(f"images are of type {type(images).__name__}; give a torch.Tensor")
        if images.ndim != 4:
            raise InputError(f"images have shape {tuple(images.shape)}; give (N, C, H, W)")
        if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
            raise InputError("images must be finite and lie in [0, 1]")

    def sample(
        self,
        images: Tensor,
        n: int,
        *,
        seed: int = 0,
        purpose: str = "predict",
        indices: Sequence[Key] | None = None,
        rule: Rule | None = None,
        observer: Observer | None = None,
        kept: KeptNoise | None = None,
    ) -> Tally:
        """Votes under noise, and the decisions of a rule. All votes and answers of g come from here.

        Args:
            images: (N, C, H, W) in [0, 1].
            n: noise samples an image, at most; 0 for no votes.
            seed: keys the noise.
            purpose: keys the noise; draws of two purposes are independent.
            indices: the images' indices in their data set, which key the noise; None for 0 … N-1.
            rule: stops the sampling of an image once it decides; None for ``n`` samples each.
            observer: is shown all noisy images and the base classifier's answers.
            kept: keeps the noise, for calls that draw the same again.

        Raises:
            InputError: an image outside [0, 1] or of the wrong rank, or ``n`` or ``seed`` is out of range.
            TargetError: the base classifier returns NaN or the wrong number of classes.
        """
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
        """PREDICT: g's labels. An answer other than g's comes with probability at most ``alpha``, per image.

        Sampling of an image stops once the remaining samples cannot change the decision. So the result is that of all
        ``n`` samples.

        Args:
            images: (N, C, H, W) in [0, 1].
            n: noise samples an image.
            alpha: level of the test, above 0 and at most 0.5.
            seed, purpose, indices: key the noise; see :meth:`sample`.

        Returns:
            Labels (N,), ``ABSTAIN`` where the top two counts do not differ significantly.

        Raises:
            InputError: as :meth:`sample`, and where ``n`` is so small at ``alpha`` that every image would abstain.
            TargetError: as :meth:`sample`.
        """
        check_test(n, alpha)
        rule = FixedN(n, alpha)
        return self.sample(images, n, seed=seed, purpose=purpose, indices=indices, rule=rule).decisions

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
        """Another predictor than PREDICT: it answers as soon as an anytime-valid test at ``alpha`` allows.

        See :class:`targets.stopping.Sequential`. It abstains on other images than :meth:`predict` does, so compare
        rates within one of the two only.

        Args:
            n: noise samples an image, at most. The other arguments are those of :meth:`predict`.

        Returns:
            Labels (N,), ``ABSTAIN`` where ``n`` samples do not suffice, and the number of samples used (N,).
        """
        check_alpha(alpha)
        check_samples("n", n)
        least = 1
        while float(log_evidence(least, 0)) < np.log(self.num_classes / alpha):
            least += 1
        if n < least:
            raise InputError(f"with n = {n} at alpha = {alpha:g} it would always abstain; give n of at least {least}")
        tally = self.sample(images, n, seed=seed, purpose=purpose, indices=indices, rule=Sequential(n, alpha))
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

        With probability at least 1 - ``alpha`` per image, g's label is this one everywhere inside the radius.

        Args:
            images: (N, C, H, W) in [0, 1].
            n0: noise samples an image that select the class.
            n: noise samples an image that bound its probability.
            alpha: above 0 and at most 0.5.
            seed, indices: key the noise; see :meth:`sample`.

        Raises:
            InputError: as :meth:`sample`, and where ``n`` is so small at ``alpha`` that nothing can be certified.
            TargetError: as :meth:`sample`.
        """
        check_alpha(alpha)
        check_samples("n0", n0)
        check_samples("n", n)
        if alpha ** (1 / n) <= 0.5:  # the lower bound on n hits of n
            least = int(np.log(alpha) / np.log(0.5)) + 1
            raise InputError(f"with n = {n} at alpha = {alpha:g} CERTIFY certifies nothing; give n of at least {least}")
        counts0 = self.votes(images, n0, seed=seed, purpose="certify-select", indices=indices)
        counts = self.votes(images, n, seed=seed, purpose="certify-estimate", indices=indices)
        return certificate(counts0.argmax(1), counts, self.sigma, alpha)
