"""Accuracy per group, the worst group, and what selection does to both."""
