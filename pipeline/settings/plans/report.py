"""What the stage `report` is told: what it shows, and everything that decided the results it shows."""

from __future__ import annotations

from typing import Any

from pipeline.settings.base import Settings
from pipeline.settings.report import ReportSettings


class MethodPlan(Settings):
    """One method's settings, for the report to show."""

    train: dict[str, Any]
    method: dict[str, Any]


class ReportPlan(Settings):
    """`sections` are the others, as `params.yaml` has them; the first of `active_methods` is the baseline.

    Of the gate's thresholds it knows the one that a chart shows.
    """

    active_methods: list[str]
    explained_methods: list[str]
    report: ReportSettings
    methods: dict[str, MethodPlan]
    sections: dict[str, dict[str, Any]]
    min_worst_group: float | None  # that the gate asks for

    def shown(self) -> dict[str, Any]:
        """The dataset's settings with its defaults filled in, without the methods that did not run."""
        asked = (
            {"gate": {"min_worst_group": self.min_worst_group}} if self.min_worst_group is not None else {}
        )
        return {
            "active_methods": self.active_methods,
            "explained_methods": self.explained_methods,
            **self.sections,
            "report": self.report.model_dump(mode="json"),
            **asked,
        }
