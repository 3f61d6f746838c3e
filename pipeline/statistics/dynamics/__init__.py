"""How training went: when what is learned, and whether the cue or the label comes first."""
