"""The published board: what it says, as files."""
