"""Textbook claims about generalization, tried on small data: a pipeline of its own (`studies/dvc.yaml`)."""
