"""From packed images to groups: what forms them: an attribute, a cue, or nothing but classes."""
