"""Models that were trained elsewhere, in the place of a method's training."""
