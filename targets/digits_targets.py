"""The targets on the embedded digits: a small CNN, trained by a defence with noise of the target's own σ."""

from __future__ import annotations

from targets.defences import Consistency, Defence, Ensemble, Gaussian, Macer, SmoothAdv, SmoothMix, Stability
from targets.mean_logits import trained_by
from targets.models import SmallCNN
from targets.target import TARGETS, Target
from targets.training import Recipe

SLOW = Recipe(learning_rate=0.01)
"""For MACER and SmoothAdv, whose loss diverges at the default rate."""

CHOSEN = (
    "The values are published ones, unless a network trained with them on 800 of the training images was found to "
    "answer fewer than nine tenths as many of the other 200 rightly as one of Gaussian training; then the weight is "
    "smaller. Evaluation images were not used."
)
"""What model cards say of hyper-parameters."""

TRAINED: tuple[tuple[float, Defence, Recipe, str], ...] = (
    (0.12, Gaussian(), Recipe(), "d44f272dbafc941890bcd32028d6845ad5b78faee8197069f03236a4c4eef500"),
    (0.25, Gaussian(), Recipe(), "3a99079997fd892f3646a89b2c53466f4199ff69d8c58f411d0a78380d769f01"),
    (0.50, Gaussian(), Recipe(), "eac13c01df8f771da043577b46448d1f02c2ab70dbf40fff0be21e305a658133"),
    (1.00, Gaussian(), Recipe(), "84d1c7d968c6d7878d4c6a0f8a9136efc0ceb954da9ed37e9905b26d0c5089b6"),
    (0.12, Consistency(), Recipe(), "06f6087b3315485a276885b9f959d3bd0e9d203c2c1cf87660d240bdc302ddf7"),
    (0.25, Consistency(), Recipe(), "9d4da6d3d6e566df2de97388540de9a4fee3e58f983fecca8905768516a45f81"),
    (0.50, Consistency(weight=5.0), Recipe(), "4141de9a839a5cfc96db5a5366c6f198d774266d74b58c7114b952017f6f7912"),
    (1.00, Consistency(weight=2.0), Recipe(), "4dc9c742d68d0b646ed08378ecd02706f656f6826afdfeafd99d802bfa7311a2"),
    (0.12, Stability(), Recipe(), "91953462f3dec231e06a16a7843b1e034ca23844699f23763e482c4121255fb0"),
    (0.25, Stability(), Recipe(), "afaaf001d4eb4c018698227502eff9aa735756b3a351765686a35500ac8afb6f"),
    (0.50, Stability(), Recipe(), "ff4dd890d5390ebfc2da20f4c132c6188f6f5774a95252907f58e3f15a7dbe84"),
    (1.00, Stability(weight=1.0), Recipe(), "2b5bed59d25dc2e3fccda95ec9c6b3a2036ef39d773ff914892bf18edaaad3e3"),
    (0.12, Macer(weight=4.0), SLOW, "e0065fcb84636d25773cc30a9649b08e4f55a2f7555fd3c4e185d8d9e403c65b"),
    (0.25, Macer(weight=4.0), SLOW, "29f3c1cc2ca69ad9fa0ed437c1411616b7f13f4a5ba8bdb8ca070f069bca92e9"),
    (0.50, Macer(weight=1.0), SLOW, "2ae6730bc73822e52b9a589d36e77c9b04700bdc8ddfebc24ec0089fdc75e1b2"),
    (1.00, Macer(weight=1.0), SLOW, "937961a1d9ca76127277f033d2402095a9b8f5f652f2e8ac9be113729e8fad81"),
    (0.12, SmoothAdv(epsilon=0.25, steps=4), SLOW, "afa2eb3de3f2c38a34c9ea6fd1538492a5e39749d5de5c34a6997072a0bbf4ae"),
    (0.25, SmoothAdv(epsilon=0.25, steps=4), SLOW, "411510b49af45574b04bc823e86f019b31baf439852794fbbb0925fe240ea13a"),
    (0.50, SmoothAdv(epsilon=0.25, steps=4), SLOW, "f24a4f646def909fe1795c199a2058fc3dbb6623aefdf6cbb6020bdafe94f3a3"),
    (1.00, SmoothAdv(epsilon=0.25, steps=4), SLOW, "91dfa16c6043ef7f222746ff2c1964a8fdaf2ef78bbea78d1f58420e02eb989f"),
    (0.12, SmoothMix(step=0.24), Recipe(), "ab8f16d99307da14c5907bce51264663ab5ef32d60cd65348eee78dc9a1e54ea"),
    (0.25, SmoothMix(step=0.5), Recipe(), "e0f3a74ce187b9d501e52d0ed4502e0d0f3f73c1081329d96b34522bdd377cc8"),
    (0.50, SmoothMix(step=1.0), Recipe(), "781e09effeb5b043974449ff6d5126139632ac2acd6ee98abd1ec3b53227ee2f"),
    (1.00, SmoothMix(step=2.0), Recipe(), "de5c8efab398b231eb1a7cd32498495e7a74cedfc35f52a5eb01f22d56f2d345"),
    (0.12, Ensemble(), Recipe(), "7e19253ccf5b1bf592305b2d88449f3236b1671ca71ca7d20a3e2cacd67a7785"),
    (0.25, Ensemble(), Recipe(), "3ea46366332916c273334786ab097ba6d917ecd3ab991007e4706c212e68585f"),
    (0.50, Ensemble(), Recipe(), "bd1515209eb707b070c077a09e2c56da187f2e46f1ae8aeb636ba625fc343246"),
    (1.00, Ensemble(), Recipe(), "c63ebd18d941de765fc48539d99776efc1198b542beb43aa9f65f3ed10f94408"),
)
"""σ, how it was trained, and the SHA-256 of the weights: a line a target."""


def _add(sigma: float, defence: Defence, recipe: Recipe, sha256: str) -> None:
    gaussian = isinstance(defence, Gaussian)
    name = f"digits-{'' if gaussian else defence.name + '-'}sigma{sigma:.2f}"
    TARGETS.add(
        name,
        Target(
            name=name,
            sigma=sigma,
            data="digits",
            build=trained_by(defence, SmallCNN),
            sha256=sha256,
            recipe=recipe,
            description=f"small CNN on 8×8 digits, {defence.trained} noise of σ = {sigma:.2f}",
            defence=defence,
            chosen="" if isinstance(defence, Gaussian | Ensemble) else CHOSEN,
        ),
    )


for line in TRAINED:
    _add(*line)
