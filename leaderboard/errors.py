"""The one error that this room raises for a results folder that it cannot use."""


class StoreError(ValueError):
    """A results or output folder cannot be used; the message is one line: what is wrong, and what to do."""
