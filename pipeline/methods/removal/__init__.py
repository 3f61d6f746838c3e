"""The parts of `repair`: which training images to leave out, how many, and for which groups."""
