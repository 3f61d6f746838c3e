"""Rungs 1 and 2: is a cue in the data, and does a model use it."""
