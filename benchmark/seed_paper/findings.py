"""The experiment's numbers, which the report shows and ``report.json`` holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leaderboard.statistics import clopper_pearson, rate


@dataclass(frozen=True)
class Rate:
    """A share of images with its exact 95% interval.

    Attributes:
        hits, images: counts.
        share, low, high: in [0, 1]; share is None where there was no image.
    """

    hits: int
    images: int
    share: float | None
    low: float
    high: float

    @classmethod
    def of(cls, hits: ArrayLike) -> Rate:
        """The share of true values in an array."""
        values = np.asarray(hits, dtype=bool)
        low, high = clopper_pearson(int(values.sum()), values.size)
        return cls(int(values.sum()), values.size, rate(int(values.sum()), values.size), low, high)

    def holds(self, value: float) -> bool:
        """Whether the interval contains a share."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Accuracy:
    """A cell of Table 1.

    Attributes:
        labels: "true" or "black-box".
        queries: the set it was trained on.
        trained_on: how many images of it.
        held_out: agreement with the labels on images that it was not trained on. For true labels these are the other
            set, for answers the held-out tenth of its own set.
        elsewhere: for answers, agreement with the answers on the other of the sets "test" and "train".
        paper: the paper's value; None where it prints "?".
    """

    labels: str
    queries: str
    trained_on: int
    held_out: Rate
    elsewhere: Rate | None
    paper: float | None


@dataclass(frozen=True)
class Norms:
    """Statistics of the perturbations' ℓ2 norms; None for each where there is no perturbation."""

    count: int
    mean: float | None
    median: float | None
    largest: float | None

    @classmethod
    def of(cls, norms: NDArray[np.float64]) -> Norms:
        """Statistics of norms (M,)."""
        if len(norms) == 0:
            return cls(0, None, None, None)
        return cls(len(norms), float(norms.mean()), float(np.median(norms)), float(norms.max()))


@dataclass(frozen=True)
class OnSurrogate:
    """An attack's success on the surrogate.

    Attributes:
        before: how many originals meet the attack's condition unattacked.
        reached: abstention is the largest class (Carlini–Wagner), or has probability ≥ 0.95 (Tabacof–Valle).
        within: the perturbation is within the budget.
        success: both.
        norms: of all perturbations found, whether or not within the budget. An original that came back has none.
        paper: the paper's value of ``success``; None where it prints none.
    """

    attack: str
    queries: str
    before: Rate
    reached: Rate
    within: Rate
    success: Rate
    norms: Norms
    paper: float | None


@dataclass(frozen=True)
class Column:
    """A column of Table 2: the black box on one kind of images.

    Attributes:
        sent: "original", or the attack's name.
        performance: correct answers; an abstention is not correct.
        performance_p, abstention_p: exact McNemar against the originals of the same images; None for those.
    """

    n: int
    sent: str
    performance: Rate
    abstention: Rate
    performance_p: float | None
    abstention_p: float | None
    paper_performance: float | None
    paper_abstention: float | None


@dataclass(frozen=True)
class Confusion:
    """Table 3 or 4: answers on the originals (rows) by answers on an attack's images (columns), abstention last."""

    n: int
    attack: str
    images: int
    counts: list[list[int]]
    paper_stayed: int


@dataclass(frozen=True)
class SurrogateQuality:
    """A row of the discussion's first table.

    Attributes:
        smoothed: whether it was trained with noise. The attacker then smooths it, and its PREDICT answers.
        answered_abstain: how often the black box abstained on the queries.
        fidelity: agreement with the black box on the held-out test images; abstention counts as an answer.
        abstention_found: how often the surrogate abstains where the black box does, on the same images.
    """

    queries: str
    source: str
    smoothed: bool
    trained_on: int
    answered_abstain: Rate
    fidelity: Rate
    abstention_found: Rate


@dataclass(frozen=True)
class AttackRow:
    """A row of the discussion's second table; every rate is over the attacked images.

    Attributes:
        queries: its surrogate's query set, or None.
        fidelity: its surrogate's, as a share, or None.
        valid: how often the attack's image keeps the budget rule.
        success: on its surrogate, as in :class:`OnSurrogate`; None where the surrogate has no abstention class.
        norm: mean ℓ2 norm of the perturbations sent, without unchanged images, or None.
    """

    attack: str
    access: str
    queries: str | None
    fidelity: float | None
    success: Rate | None
    valid: Rate
    norm: float | None
    performance: Rate
    abstention: Rate
    abstention_p: float


@dataclass(frozen=True)
class Findings:
    """Everything that the report shows.

    Attributes:
        settings: of the experiment, JSON-able.
        everything: the originals of the whole test query set, at the first n.
        again: the control: the attacked images' originals on the noise of the attacks' images, at the first n.
        again_stayed: how many images are abstained on both there and in the first evaluation of the originals.
        repeatable: how often PREDICT at the queries' n and at the first n of the evaluation agree, on the held-out
            images.
    """

    settings: dict[str, Any]
    provenance: dict[str, Any]
    created: str
    classes: int
    accuracies: list[Accuracy]
    on_surrogate: list[OnSurrogate]
    columns: list[Column]
    everything: Column
    again: Column
    again_stayed: int
    confusions: list[Confusion]
    surrogates: list[SurrogateQuality]
    repeatable: Rate
    attacks: list[AttackRow]

    def json(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return asdict(self)
