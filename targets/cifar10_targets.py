"""The targets on CIFAR-10: ResNet-20, trained by a defence with noise of the target's own σ."""

from __future__ import annotations

from functools import partial

from targets.defences import Consistency, Defence, Ensemble, Gaussian, Stability
from targets.mean_logits import trained_by
from targets.precision import SUFFIX, Precision
from targets.resnet import ResNet
from targets.target import TARGETS, Target
from targets.training import Recipe

RECIPE = Recipe(epochs=30, batch=128, learning_rate=0.2, weight_decay=5e-4, crop=4, flip=True, bfloat16=True)

TRAINED: tuple[tuple[float, Defence, str], ...] = (
    (0.12, Gaussian(), "9904453ef116f3ae2f725ee78cd5c1347fae5441f0c23d242bbecdd6b439b8a7"),
    (0.25, Gaussian(), "1344a3880d4a497d64300fcf520299743a9bd98845fa6f59d31a32d65cdd0556"),
    (0.25, Consistency(weight=20.0), "376a841abb5b2f365e4ddb30fb38a46947366ecc9f2005ef9eaee9c1da73bd31"),
    (0.50, Gaussian(), "2b681abf0833188925ae285f879737fb9964c6cf4111b64bbc68bd244a63d7a7"),
    (0.50, Consistency(), "c3370abd93d097dbac504517c51649ca6360fb5f7361f0c11829e953eab87fba"),
    (0.50, Stability(), "5d5e48fde26e25b7cbe1276fb8eb58caeae1410214540c423e960c2f4d6c9dff"),
    (0.50, Ensemble(), "dad326148cd4fca77798ca53579a2090fcb09ba776a236c301513d20006c2e3b"),
    (1.00, Consistency(), "2a7363326824c45a8e97f06260a32b234b8f8910afd482cebf5cbd033296d20b"),
    (1.00, Gaussian(), "a93763b7a03209e3f198891c4c2e4a5bcc3e2730e556490378046c2bb8da52e2"),
)
"""σ, the training, and the SHA-256 of the shipped weights: a line for the two targets, float32 and bfloat16, that share
them. The weights are in ``weights/cifar10-sigma0.50.safetensors``, or ``cifar10-consistency-sigma0.50.safetensors``."""

CHOSEN = "The values are published ones. The published recipe has 150 epochs, this one 30."
"""What model cards say of the hyper-parameters of a defence."""

PRECISIONS: tuple[tuple[Precision, str], ...] = (("float32", ""), ("bfloat16", SUFFIX))


def _add(sigma: float, defence: Defence, sha256: str) -> None:
    """Register ResNet-20 trained by ``defence`` at ``sigma``, in both precisions."""
    gaussian = isinstance(defence, Gaussian)
    for precision, suffix in PRECISIONS:
        name = f"cifar10-{'' if gaussian else defence.name + '-'}sigma{sigma:.2f}{suffix}"
        TARGETS.add(
            name,
            Target(
                name=name,
                sigma=sigma,
                data="cifar10",
                build=trained_by(defence, partial(ResNet, 20)),
                sha256=sha256,
                recipe=RECIPE,
                description=f"ResNet-20 on CIFAR-10, {defence.trained} noise of σ = {sigma:.2f}, {precision}",
                precision=precision,
                defence=defence,
                chosen="" if gaussian else CHOSEN,
            ),
        )


for line in TRAINED:
    _add(*line)
