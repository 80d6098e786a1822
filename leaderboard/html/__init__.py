"""The board as one self-contained web page, and an index over several boards."""
