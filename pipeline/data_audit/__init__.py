"""Is the cue in the data: what color alone reveals about labels and attributes."""
