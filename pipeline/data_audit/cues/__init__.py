"""Every cue tried on its own: does it tell the class, in images that it was not fitted on."""
