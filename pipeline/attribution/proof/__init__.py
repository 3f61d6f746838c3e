"""What scores foretell against what retraining shows."""
