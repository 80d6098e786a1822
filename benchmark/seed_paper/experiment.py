"""The experiment, from the first query to its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attacks import ATTACKS
from benchmark.provenance import provenance
from benchmark.running.evaluation import take
from benchmark.seed_paper import tables
from benchmark.seed_paper.adversarial import Attacked, attacked
from benchmark.seed_paper.evaluation import evaluate
from benchmark.seed_paper.findings import (
    AttackRow,
    Column,
    Confusion,
    Findings,
    OnSurrogate,
    Rate,
)
from benchmark.seed_paper.queries import QuerySet, answers, query_set
from benchmark.seed_paper.settings import PER_IMAGE, Settings
from benchmark.seed_paper.stages import Stages
from benchmark.seed_paper.surrogate_quality import OTHER, SurrogateQualities
from benchmark.seed_paper.trained_surrogate import TrainedSurrogate, train_on_answers
from benchmark.terminal.notices import announce
from leaderboard import Store
from leaderboard.row import ROUNDING
from targets import ABSTAIN, TARGETS, SmoothedClassifier, load
from targets.data.digest import Part, content

PAPER_ATTACKS = ("cw-transfer", "tv-transfer")
WHITE_BOX = ("margin", "cw")
Answers = NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """The findings of a run, and what the figures show beside them.

    Attributes:
        norms: ℓ2 norms (M,) of the perturbations that each of the paper's attacks found, by attack.
        originals: the attacked images (N, C, H, W).
        returned: what each of the paper's attacks returned for them (N, C, H, W), by attack.
    """

    findings: Findings
    norms: dict[str, NDArray[np.float64]]
    originals: Tensor
    returned: dict[str, Tensor]


def reproduce(settings: Settings, store: Store, device: str = "auto", *, quiet: bool = False) -> Result:
    """Run the experiment. Stages that the store holds already are only read.

    Args:
        settings: of the experiment.
        store: where finished stages are kept.
        device: "auto", "cpu" or "cuda".
        quiet: show no progress.

    Raises:
        InputError: settings that cannot be run, or data that is not found.
        TargetError: the target's weights are missing or damaged.
        StoreError: the results folder cannot be written.
    """
    settings.check()
    target = load(settings.target, device)
    announce(target)
    everything = settings.data_set.split("evaluation")
    indices = settings.attacked(len(everything.images))
    chosen, labels = take(everything.images, indices), take(everything.labels, indices)
    images = QuerySet("attacked", "attacked images", chosen, tuple(indices), labels)
    parts: list[Part] = ["images", "labels", "adversary", "training"]
    held = {name: content(name, *parts) for name in (target.data, settings.unrelated)}
    stages = Stages(
        store, quiet, {f"content of {name}": digests["content"] for name, digests in held.items() if digests}
    )
    return Experiment(settings, stages, target, images).run()


class Experiment:
    """One run: :func:`reproduce` makes it and calls :meth:`run`.

    Args:
        images: the attacked test images, with their labels.
    """

    def __init__(self, settings: Settings, stages: Stages, target: SmoothedClassifier, images: QuerySet) -> None:
        self.settings, self.stages, self.target, self.images = settings, stages, target, images
        assert images.labels is not None
        self.labels: Answers = images.labels.numpy()
        self.queries = {name: query_set(settings, name) for name in PER_IMAGE}

    def run(self) -> Result:
        """Run every stage in turn."""
        settings, stages, test = self.settings, self.stages, self.queries["test"]
        first = settings.samples[0]
        answered = {name: answers(stages, self.target, queries, settings) for name, queries in self.queries.items()}
        trained = {
            (name, smoothed): train_on_answers(
                stages, settings, self.target, self.queries[name], answered[name], smoothed=smoothed
            )
            for smoothed, names in ((False, PER_IMAGE), (True, OTHER))
            for name in names
        }
        measure = SurrogateQualities(stages, settings, self.target, self.queries, answered)
        accuracies = measure.accuracies({name: trained[name, False] for name in OTHER})
        qualities = [measure.quality(surrogate) for surrogate in trained.values()]

        everything = self._evaluate(first, test)
        at = dict(zip(test.indices, everything, strict=True))
        originals = {first: np.array([at[i] for i in self.images.indices])}
        again = self._evaluate(first, self.images, again=True)
        originals |= {n: self._evaluate(n, self.images) for n in settings.samples[1:]}

        runs = [self._attacked(name, trained[queries, False]) for queries in PER_IMAGE for name in PAPER_ATTACKS]
        main = {run.attack: run for run in runs if run.queries == "test"}
        columns, confusions = self._evaluated(main, originals)
        others = [self._attacked("margin-transfer", trained[queries, True]) for queries in OTHER]
        others += [self._attacked(name, None) for name in WHITE_BOX]
        fidelity = {(quality.queries, quality.smoothed): quality.fidelity.share for quality in qualities}
        rows = [self._attack_row(run, originals[first], fidelity) for run in runs + others]

        assert test.labels is not None
        held_out = test.held_out(settings.seed)
        findings = Findings(
            settings=self._described(sorted({row.attack for row in rows}), trained["test", False]),
            provenance=provenance(self.target.device),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            classes=self.target.num_classes,
            accuracies=accuracies,
            on_surrogate=[self._on_surrogate(run) for run in runs],
            columns=columns,
            everything=tables.column(first, "original", test.labels.numpy(), everything),
            again=tables.column(first, "again", self.labels, again, originals[first]),
            again_stayed=int(((originals[first] == ABSTAIN) & (again == ABSTAIN)).sum()),
            confusions=confusions,
            surrogates=qualities,
            repeatable=Rate.of(everything[held_out] == answered["test"][held_out]),
            attacks=rows,
        )
        return Result(
            findings,
            norms={name: tables.perturbations(run.sent.l2, self.settings.epsilon) for name, run in main.items()},
            originals=self.images.images,
            returned={name: run.returned for name, run in main.items()},
        )

    def _described(self, attacks: list[str], surrogate: TrainedSurrogate) -> dict[str, Any]:
        """The settings in full, as the report shows them."""
        return {
            **asdict(self.settings),
            "parameters": {name: self.settings.used_parameters(name) for name in attacks},
            "queries": {name: len(queries.indices) for name, queries in self.queries.items()},
            "epochs_by_size": {
                str(size): self.settings.epochs_for(size)
                for size in sorted({len(queries.indices) for queries in self.queries.values()})
            },
            "description": TARGETS[self.target.name].description.rstrip("."),
            "sigma": self.target.sigma,
            "weights": self.target.digest,
            "surrogate_parameters": sum(p.numel() for p in surrogate.module.parameters()),
        }

    def _evaluated(
        self, main: Mapping[str, Attacked], originals: Mapping[int, Answers]
    ) -> tuple[list[Column], list[Confusion]]:
        """Table 2, and Tables 3 and 4, at every n."""
        columns, confusions = [], []
        for n in self.settings.samples:
            columns.append(tables.column(n, "original", self.labels, originals[n]))
            for name, run in main.items():
                after = self._evaluate(n, self.images, run)
                columns.append(tables.column(n, name, self.labels, after, originals[n]))
                confusions.append(tables.confusion(n, name, originals[n], after, self.target.num_classes))
        return columns, confusions

    def _attacked(self, name: str, surrogate: TrainedSurrogate | None) -> Attacked:
        return attacked(self.stages, self.settings, self.target, name, self.images, surrogate)

    def _evaluate(self, n: int, images: QuerySet, attack: Attacked | None = None, *, again: bool = False) -> Answers:
        sent = images.images if attack is None else attack.sent.images
        return evaluate(self.stages, self.settings, self.target, n, sent, images.indices, attack, again=again)

    def _on_surrogate(self, run: Attacked) -> OnSurrogate:
        assert run.queries is not None
        assert run.before is not None
        assert run.after is not None
        before, reached = run.before.meets(run.attack), run.after.meets(run.attack)
        return tables.on_surrogate(run.attack, run.queries, before, reached, run.sent.l2, self.settings.epsilon)

    def _attack_row(
        self, run: Attacked, originals: Answers, fidelity: Mapping[tuple[str, bool], float | None]
    ) -> AttackRow:
        n = self.settings.samples[0]
        answers = self._evaluate(n, self.images, run)
        sent = run.sent
        changed = sent.l2[sent.changed & (sent.l2 > ROUNDING)]
        return AttackRow(
            attack=run.attack,
            access=ATTACKS[run.attack].access.kind,
            queries=run.queries,
            fidelity=None if run.queries is None else fidelity[run.queries, run.after is None],
            success=None if run.after is None else self._on_surrogate(run).success,
            valid=Rate.of(sent.validity == "valid"),
            norm=float(changed.mean()) if len(changed) else None,
            performance=Rate.of(answers == self.labels),
            abstention=Rate.of(answers == ABSTAIN),
            abstention_p=tables.paired_p(originals == ABSTAIN, answers == ABSTAIN),
        )
