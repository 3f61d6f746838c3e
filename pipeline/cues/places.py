"""Which places of a cue are exchanged together."""

from __future__ import annotations

from pipeline.records.cues import CueFinding

BESIDE = 0.5  # of the kappa of the place that tells most: places that tell as much are exchanged with it
LEAST_BESIDE = 0.1  # kappa


def exchanged_places(finding: CueFinding) -> list[str]:
    """The place that tells most, and those that tell at least half as much; none without places."""
    if finding.part is None:
        return []
    least = max(BESIDE * finding.places.get(finding.part, 0.0), LEAST_BESIDE)
    beside = [name for name, kappa in finding.places.items() if kappa >= least and name != finding.part]
    return [finding.part, *beside]
