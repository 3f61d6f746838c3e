"""What the numbers mean: cue, harm, cause, fix, advice."""
