"""Whether the images themselves are in order."""
