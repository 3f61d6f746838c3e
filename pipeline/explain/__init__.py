"""Does the model use the cue: GradCAM maps, and predictions when a cue is changed."""
