"""What counts as evidence at all: sizes of effects, groups that count, models that can be asked."""
