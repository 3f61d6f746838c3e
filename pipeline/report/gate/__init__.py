"""A finished report against a team's thresholds."""
