"""The tables of ``predict`` and ``certify``, and the model card of trained weights."""
