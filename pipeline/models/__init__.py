"""Networks. Each takes float pixels in [0, 1], N x 3 x H x W, and normalises them itself."""
