"""Models trained on parts of the images, and what scores foretold of them."""
