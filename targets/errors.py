"""Errors of the ground floor."""


class InputError(ValueError):
    """Something the user gave is wrong. The message is one line: what is wrong, and what to do."""


class TargetError(RuntimeError):
    """A target cannot be evaluated: its base classifier misbehaves (NaN, wrong shape) or its weights do."""
