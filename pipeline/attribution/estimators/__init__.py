"""Ways to score training images on test images, all behind `Scores`."""
