"""What files say: one file a cue."""
