"""From the experiment's arrays to its tables. Answers are labels, ABSTAIN = -1. Nothing here needs torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attacks.budget import SLACK
from benchmark.seed_paper import paper
from benchmark.seed_paper.findings import Column, Confusion, Norms, OnSurrogate, Rate
from leaderboard.statistics import mcnemar
from leaderboard.stored.records import ABSTAIN

Answers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def paired_p(before: Mask, after: Mask) -> float:
    """Exact McNemar p-value of "as frequent before as after", for a property of the same images (N,)."""
    return mcnemar(int(np.sum(before & ~after)), int(np.sum(~before & after)))


def column(n: int, sent: str, labels: Answers, answers: Answers, originals: Answers | None = None) -> Column:
    """A column of Table 2.

    Args:
        n: PREDICT's.
        sent: "original", "again", or the attack's name.
        labels: true labels (N,).
        answers: to what was sent (N,).
        originals: answers to the originals of the same images (N,); None where the originals were sent.
    """
    right, abstains = answers == labels, answers == ABSTAIN
    return Column(
        n=n,
        sent=sent,
        performance=Rate.of(right),
        abstention=Rate.of(abstains),
        performance_p=None if originals is None else paired_p(originals == labels, right),
        abstention_p=None if originals is None else paired_p(originals == ABSTAIN, abstains),
        paper_performance=paper.PERFORMANCE.get(sent),
        paper_abstention=paper.ABSTENTION.get(sent),
    )


def confusion(n: int, attack: str, originals: Answers, answers: Answers, classes: int) -> Confusion:
    """Answers to the originals (rows) by answers to an attack's images (columns): (K + 1)², abstention last."""
    rows = np.where(originals == ABSTAIN, classes, originals)
    columns = np.where(answers == ABSTAIN, classes, answers)
    counts = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return Confusion(n, attack, len(rows), counts.tolist(), paper.STAYED[attack])


def on_surrogate(
    attack: str, queries: str, before: Mask, reached: Mask, norms: NDArray[np.float64], epsilon: float
) -> OnSurrogate:
    """An attack's success on the surrogate.

    Args:
        before: whether the originals meet the attack's condition on the surrogate (N,).
        reached: whether what the attack returned meets its condition on the surrogate (N,).
        norms: ℓ2 norms of what it returned minus the originals (N,); 0 where it returned the original.
    """
    within = norms <= epsilon * (1 + SLACK)
    return OnSurrogate(
        attack=attack,
        queries=queries,
        before=Rate.of(before),
        reached=Rate.of(reached),
        within=Rate.of(within),
        success=Rate.of(reached & within),
        norms=Norms.of(perturbations(norms, epsilon)),
        paper=paper.ON_SURROGATE.get(attack) if queries == "test" else None,
    )


def perturbations(norms: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    """Norms without those of originals that came back. Those are not 0: Carlini–Wagner's change of variables rounds."""
    return norms[norms > 1e-3 * epsilon]


def sampled_difference(columns: list[Column], sent: str) -> float | None:
    """The abstention rate at the largest n minus that at the smallest; None with one n or no image."""
    chosen = [c.abstention.share for c in columns if c.sent == sent]
    if len(chosen) < 2 or chosen[0] is None or chosen[-1] is None:
        return None
    return chosen[-1] - chosen[0]
