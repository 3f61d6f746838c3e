"""How a cue goes with labels, and predictions with a cue."""
