"""Ways to score training images on test images besides TRAK, all behind its `Scores`."""
