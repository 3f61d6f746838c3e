"""What color alone reveals about labels and attributes."""
