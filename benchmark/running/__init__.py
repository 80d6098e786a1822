"""How cells are run: in this process or in several, each once."""
