"""What predictions do when a cue is changed and nothing else."""
