"""What to do next, from every rung."""
