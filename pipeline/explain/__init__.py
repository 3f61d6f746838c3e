"""Does the model use the cue: raw GradCAM maps against masks, and interventions on test images."""
