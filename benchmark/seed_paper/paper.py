"""What the seed paper prints: Covington, "Towards Inducing Abstention in Certified Defense (Maybe)".

Its target is Cohen et al.'s CIFAR-10 classifier at σ = 0.5 with α = 0.001; it states no n. All shares are of the
10,000 test images unless said otherwise.
"""

from __future__ import annotations

SIGMA = 0.5
ALPHA = 0.001
EPSILON = 1.0
"""Perturbations over this ℓ2 norm count as failed: the original image is sent."""

IMAGES = 10_000

ACCURACY: dict[tuple[str, str], float | None] = {
    ("true", "train"): 0.826,
    ("true", "test"): 0.723,
    ("black-box", "train"): None,
    ("black-box", "test"): 0.644,
}
"""Table 1: accuracy of the depth-10 wide ResNet on held-out data, by (labels, images it is trained on).

The 50,000 training images and the 10,000 test images. None is printed as "?": the author did not run it.
"""

ON_SURROGATE: dict[str, float] = {"cw-transfer": 1.0, "tv-transfer": 0.804}
"""Share of the images that reach the surrogate's abstention class within norm 1 (text)."""

PERFORMANCE: dict[str, float] = {"original": 0.7062, "cw-transfer": 0.7097, "tv-transfer": 0.7083}
ABSTENTION: dict[str, float] = {"original": 0.0099, "cw-transfer": 0.0087, "tv-transfer": 0.0099}
"""Table 2: the black box on the originals and on each attack's images."""

STAYED: dict[str, int] = {"cw-transfer": 36, "tv-transfer": 37}
"""Tables 3 and 4, row and column "abstain": images abstained on before and after the attack."""
