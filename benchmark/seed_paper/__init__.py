"""The seed paper's whole experiment, every number beside the paper's.

``paper`` holds what the paper prints; ``experiment`` runs ``queries``, ``surrogates``, ``adversarial`` and the
evaluation as resumable ``stages``; ``tables`` turns their arrays into ``findings``; ``report`` and ``figures`` show
those.
"""
