"""The names of a board's files; those of records and web page are where these are written."""

from leaderboard.stored import board_file

PAGE, DATA, BOARD = "LEADERBOARD.md", board_file.NAME, "board.svg"
STANDINGS, EPSILON, QUERIES = "standings.svg", "curves-epsilon.svg", "curves-queries.svg"
BY_N = "availability-n.svg"
"""These four only where there is something to draw."""
