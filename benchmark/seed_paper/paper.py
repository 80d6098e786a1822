"""The numbers that the seed paper prints: Covington, "Towards Inducing Abstention in Certified Defense (Maybe)".

Its target is the CIFAR-10 classifier of Cohen et al. 2019 at σ = 0.5, with α = 0.001. It does not state n. Shares are
in [0, 1], of the 10,000 test images unless said otherwise.
"""

from __future__ import annotations

SIGMA = 0.5
ALPHA = 0.001
EPSILON = 1.0
"""The ℓ2 budget, in [0, 1] pixel units. A larger perturbation counts as failed, and the original image is sent."""

IMAGES = 10_000

ACCURACY: dict[tuple[str, str], float | None] = {
    ("true", "train"): 0.826,
    ("true", "test"): 0.723,
    ("black-box", "train"): None,
    ("black-box", "test"): 0.644,
}
"""Table 1: accuracy of the depth-10 wide ResNet on held-out data, by (labels, images that it is trained on).

The images are the 50,000 training images or the 10,000 test images. None stands for the "?" that the paper prints.
"""

ON_SURROGATE: dict[str, float] = {"cw-transfer": 1.0, "tv-transfer": 0.804}
"""Share of the images that reach the surrogate's abstention class within norm 1, from the paper's text."""

PERFORMANCE: dict[str, float] = {"original": 0.7062, "cw-transfer": 0.7097, "tv-transfer": 0.7083}
ABSTENTION: dict[str, float] = {"original": 0.0099, "cw-transfer": 0.0087, "tv-transfer": 0.0099}
"""Table 2: the black box on the originals and on each attack's images."""

STAYED: dict[str, int] = {"cw-transfer": 36, "tv-transfer": 37}
"""Tables 3 and 4, the cell "abstain, abstain": images abstained on both before and after the attack."""
