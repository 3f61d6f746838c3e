"""What the numbers mean: the ladder (cue, harm, cause, fix), its evidence, and what to do next."""
