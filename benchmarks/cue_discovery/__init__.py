"""Does the audit find the cue that nobody annotated? Cues planted in files, and files without any."""
