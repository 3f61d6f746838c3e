"""What the studies share: what one is, its trainings side by side, its settings, its page."""
