"""What image files say besides their pixels: sizes, encoding, camera, names and order."""
