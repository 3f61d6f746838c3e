"""What each stage found, as typed records: one file a stage. Fractions are in [0, 1]; intervals are 95 %."""
