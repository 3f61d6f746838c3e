"""Models that were trained elsewhere: opened, checked, matched with a dataset's classes."""
