"""What can be read off many small images at once, without a network."""
