"""Errors, array types, words, progress: pure, for every room."""
