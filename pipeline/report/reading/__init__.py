"""Methods and statistics in plain words, with their sources."""
