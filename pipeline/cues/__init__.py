"""What could give a class away: one file a cue, with what it sees, its edit and its words; and the registry."""
