"""What indicators of generalization are estimated with: calibration, confidence, novelty, drift."""
