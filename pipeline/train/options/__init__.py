"""What every method can switch on: pixels, mixing, averages, sharpness."""
