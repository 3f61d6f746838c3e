"""How does a model generalize, beyond accuracy, and for which group? One file an indicator."""
