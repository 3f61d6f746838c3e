"""One training loop for every method; objectives and batch orders are small pure functions."""
