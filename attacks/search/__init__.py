"""What attacks are made of: crossing the boundary, landing on the tie, estimates and geometry."""
