"""Two reports, or two methods, side by side."""
