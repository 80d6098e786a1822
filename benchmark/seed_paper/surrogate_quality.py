"""How good the surrogates are: Table 1, and how often each gives the black box's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.seed_paper import paper
from benchmark.seed_paper.findings import Accuracy, Rate, SurrogateQuality
from benchmark.seed_paper.queries import QuerySet
from benchmark.seed_paper.settings import Settings
from benchmark.seed_paper.stages import Stages
from benchmark.seed_paper.trained_surrogate import (
    TrainedSurrogate,
    predictions,
    smoothed_predictions,
    train_on_labels,
)
from targets import ABSTAIN, SmoothedClassifier

OTHER = {"test": "train", "train": "test"}
"""The two query sets of real images. Each is held-out data for surrogates of the other."""

Answers = NDArray[np.int64]


@dataclass(frozen=True)
class SurrogateQualities:
    """Measures surrogates of one experiment.

    Attributes:
        queries: the query sets by name.
        answered: the black box's answers (M,) to each, ABSTAIN = -1.
    """

    stages: Stages
    settings: Settings
    target: SmoothedClassifier
    queries: Mapping[str, QuerySet]
    answered: Mapping[str, Answers]

    def accuracies(self, trained: Mapping[str, TrainedSurrogate]) -> list[Accuracy]:
        """Table 1, of the plain surrogates by query set."""
        result = []
        for other, name in OTHER.items():
            queries, elsewhere = self.queries[name], self.queries[other]
            surrogate = train_on_labels(self.stages, self.settings, queries, self.target.device)
            assert elsewhere.labels is not None
            right = predictions(self.stages, surrogate, elsewhere) == elsewhere.labels.numpy()
            cell = "true", name
            result.append(Accuracy(*cell, surrogate.trained_on, Rate.of(right), None, paper.ACCURACY[cell]))
        for other, name in OTHER.items():
            own = self._agrees(trained[name], name)[self.queries[name].held_out(self.settings.seed)]
            apart = self._agrees(trained[name], other)
            cell = "black-box", name
            result.append(Accuracy(*cell, trained[name].trained_on, Rate.of(own), Rate.of(apart), paper.ACCURACY[cell]))
        return result

    def _agrees(self, surrogate: TrainedSurrogate, name: str) -> NDArray[np.bool_]:
        """Whether a surrogate gives the black box's answer to each image of a query set (M,)."""
        result: NDArray[np.bool_] = self._said(surrogate, name) == self.answered[name]
        return result

    def _said(self, surrogate: TrainedSurrogate, name: str) -> Answers:
        classes = predictions(self.stages, surrogate, self.queries[name])
        return np.where(classes == self.target.num_classes, ABSTAIN, classes)

    def quality(self, surrogate: TrainedSurrogate) -> SurrogateQuality:
        """A surrogate's fidelity, on the test images that no surrogate was trained on."""
        test = self.queries["test"]
        held_out = np.flatnonzero(test.held_out(self.settings.seed))
        if surrogate.smoothed:
            said = smoothed_predictions(self.stages, self.settings, surrogate, test, held_out.tolist())
        else:
            said = self._said(surrogate, "test")[held_out]
        wanted = self.answered["test"][held_out]
        return SurrogateQuality(
            queries=surrogate.queries,
            source=self.queries[surrogate.queries].source,
            smoothed=surrogate.smoothed,
            trained_on=surrogate.trained_on,
            answered_abstain=Rate.of(self.answered[surrogate.queries] == ABSTAIN),
            fidelity=Rate.of(said == wanted),
            abstention_found=Rate.of(said[wanted == ABSTAIN] == ABSTAIN),
        )
