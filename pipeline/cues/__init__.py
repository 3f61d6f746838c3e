"""What could give a class away: one file a cue, with what it sees and its words; and the registry."""
