"""How attacks search: crossing the boundary, landing on the tie, and what several attacks share."""
