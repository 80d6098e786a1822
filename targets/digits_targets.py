"""The targets on the embedded digits: a small CNN, trained by a defence with noise of the target's own σ."""

from __future__ import annotations

from targets.defences import Defence, Gaussian
from targets.mean_logits import trained_by
from targets.models import SmallCNN
from targets.target import TARGETS, Target
from targets.training import Recipe

TRAINED: tuple[tuple[float, Defence, Recipe, str], ...] = (
    (0.12, Gaussian(), Recipe(), "d44f272dbafc941890bcd32028d6845ad5b78faee8197069f03236a4c4eef500"),
    (0.25, Gaussian(), Recipe(), "3a99079997fd892f3646a89b2c53466f4199ff69d8c58f411d0a78380d769f01"),
    (0.50, Gaussian(), Recipe(), "eac13c01df8f771da043577b46448d1f02c2ab70dbf40fff0be21e305a658133"),
    (1.00, Gaussian(), Recipe(), "84d1c7d968c6d7878d4c6a0f8a9136efc0ceb954da9ed37e9905b26d0c5089b6"),
)
"""σ, how it was trained, and the SHA-256 of the weights: a line a target."""


def _add(sigma: float, defence: Defence, recipe: Recipe, sha256: str) -> None:
    gaussian = isinstance(defence, Gaussian)
    name = f"digits-{'' if gaussian else defence.name + '-'}sigma{sigma:.2f}"
    trained = "trained with" if gaussian else f"trained for {defence.name} under"
    TARGETS.add(
        name,
        Target(
            name=name,
            sigma=sigma,
            data="digits",
            build=trained_by(defence, SmallCNN),
            sha256=sha256,
            recipe=recipe,
            description=f"small CNN on 8×8 digits, {trained} noise of σ = {sigma:.2f}",
            defence=defence,
        ),
    )


for line in TRAINED:
    _add(*line)
