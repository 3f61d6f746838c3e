"""Per-sample gradients from layer hooks, sketched layer by layer."""
