"""From packed images to groups: which attribute forms them, derived where none is annotated."""
