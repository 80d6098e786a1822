"""The tables of ``predict`` and ``certify``, and the card of trained weights."""
