"""my-target keeps the contract of targets.

python -m pytest test_my_target.py
"""

from pathlib import Path

from benchmark.kit.contract import TargetContract


class TestMyTarget(TargetContract):
    """Each clause is a test."""

    name = "my-target"
    plugin = Path(__file__).with_name("my_target.py")

    least_accuracy = 0.0  # of PREDICT on 50 evaluation images at n = 100: what you know of your target
