"""Audit image classifiers for spurious correlations: cue, reliance, harm, cause and fix."""
