"""One property of an image exchanged for another image's: each edit takes pairs and gives images."""
