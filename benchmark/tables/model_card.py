"""The model card: what a file of weights holds, how accurate it is, and how it was trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from benchmark.provenance import provenance
from benchmark.tables.sweep import share
from targets import Target
from targets.mean_logits import networks
from targets.training import Recipe, has_bfloat16


@dataclass(frozen=True)
class Measured:
    """PREDICT on evenly spaced evaluation images, at α = 0.001.

    Attributes:
        n: noise samples an image.
        images: how many images.
        right, abstained: how many of them were answered correctly, and how many not at all.
    """

    n: int
    images: int
    right: int
    abstained: int


@dataclass(frozen=True)
class Pace:
    """The number of epochs since training was last resumed, and the seconds that they took."""

    epochs: int = 0
    seconds: float = 0.0


def model_card(
    target: Target,
    module: nn.Module,
    seed: int,
    device: torch.device,
    digest: str,
    measured: Measured,
    pace: Pace,
) -> str:
    """The card in Markdown. It names no folder and no host, so that it can be published with the weights.

    Args:
        module: the trained base classifier.
        seed: of its initial weights, the order of its images and their noise.
        device: where it was trained.
        digest: the weights' SHA-256.
        measured: its accuracy and abstention.
        pace: how long training took.
    """
    data, recipe, defence = target.data_set, target.recipe, target.defence
    assert recipe is not None
    trained_on, evaluated_on = len(data.split("train").images), len(data.split("evaluation").images)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    facts = provenance(device)
    command = f"python -m benchmark train {target.name} --seed {seed} --device {device.type}"
    parts = [
        f"# {target.name}",
        f"{target.description}.",
        _table(
            {
                "weights": f"`{target.weights.name}`, SHA-256 `{digest}`",
                "architecture": f"{type(module).__name__}, {parameters:,} parameters",
                "input, output": f"images {data.shape} in [0, 1], {data.num_classes} logits",
                "data": f"`{data.name}`: trained on {trained_on:,} images, measured on {measured.images:,} of "
                f"{evaluated_on:,} others, evenly spaced",
                "noise": f"σ = {target.sigma:g}, added to images in [0, 1] and not clipped",
                "precision": target.precision,
                "accuracy": share(measured.right, measured.images),
                "abstention": share(measured.abstained, measured.images),
            }
        ),
        f"Accuracy and abstention are PREDICT's at n = {measured.n:,}, α = 0.001 and seed 0, with 95% Clopper–Pearson "
        "intervals; an abstention is not accurate.",
        "## Training",
        f"{defence.summary()} {defence.source()}",
        _table(_labelled(defence.identity)),
        target.chosen,
        "## Recipe",
        (Recipe.__doc__ or "").splitlines()[0],
        _table(_labelled({**asdict(recipe), "seed": seed})),
        "## Made by",
        f"```bash\n{command}\n```",
        _table(
            {
                "time": _time(pace, recipe.epochs * len(networks(module, seed))),
                "trained in": "bfloat16" if recipe.bfloat16 and has_bfloat16(device) else "float32",
                **facts,
            }
        ),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _time(pace: Pace, epochs: int) -> str:
    if not pace.epochs:
        return "not measured: all epochs were held already when training was last resumed"
    each = f"{pace.seconds / pace.epochs:.3g} s an epoch"
    if pace.epochs == epochs:
        return f"{pace.seconds:,.0f} s, {each}"
    return f"{each} (measured on the last {pace.epochs} of {epochs}, since training was last resumed)"


def _labelled(settings: dict[str, Any]) -> dict[str, str]:
    return {name.replace("_", " "): _text(value) for name, value in settings.items()}


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value}"


def _table(rows: dict[str, Any]) -> str:
    lines: Iterable[str] = (f"| {name} | {value} |" for name, value in rows.items())
    return "\n".join(["| | |", "| --- | --- |", *lines])
