"""Rung 3: does a group pay for the cue."""
