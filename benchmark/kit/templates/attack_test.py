"""my-attack keeps the contract of attacks.

python -m pytest test_my_attack.py
"""

from pathlib import Path

from benchmark.kit.contract import AttackContract


class TestMyAttack(AttackContract):
    """Each clause is a test, on a target whose optimum is known."""

    name = "my-attack"
    plugin = Path(__file__).with_name("my_attack.py")

    # What you want of the attack: a share of the largest abstention rate that is possible there, and seconds an image.
    # `settings` may hold hyper-parameters to be quick, and `leave_out` clauses that are not tested.
    least_share = 0.0
    most_seconds = 10.0
