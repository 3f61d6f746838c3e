"""Paired comparisons on the same test images."""
