"""One training loop for every method: batches, objectives, schedule, selection; `options` any method can have."""
