"""What decides each stage's result: `params.yaml` resolved, and the code that makes something of it."""
