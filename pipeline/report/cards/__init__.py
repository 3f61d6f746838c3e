"""Model cards, the dataset card, the index."""
