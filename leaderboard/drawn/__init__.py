"""What is drawn: the page, its tables and its pictures."""
