"""What is stored: cells, their records and images, and the archive of a published board."""
