"""Running cells, in one process or several: each once, with what they share."""
