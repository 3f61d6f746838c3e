"""What could give a class away: one file a cue (what it sees, and nothing else, and its words), and the registry."""
