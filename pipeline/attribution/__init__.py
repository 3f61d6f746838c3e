"""Which training images caused a prediction: gradients, scores, and their proof by retraining."""
