"""The two kinds of errors that targets raise."""


class InputError(ValueError):
    """The user gave something wrong. The message is one line that says what is wrong and what to do."""


class TargetError(RuntimeError):
    """A target cannot be evaluated: its base classifier fails (NaN, wrong shape), or its weights are damaged."""
