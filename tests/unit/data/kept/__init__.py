"""Data as other people keep it."""
