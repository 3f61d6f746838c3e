"""One file a training method, and the registry."""
