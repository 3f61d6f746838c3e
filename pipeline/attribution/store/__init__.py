"""Features of all images on disk: made once, resumed after a kill."""
