"""What could give a class away: one file a cue, with what it sees, its edit, its words; and the registry."""
