"""What the stage `report` is told: what it decides by, and everything that decided the results it shows."""

from __future__ import annotations

from typing import Any

from pipeline.settings.audit import ColorSettings
from pipeline.settings.base import Settings
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.settings.hygiene import HygieneSettings
from pipeline.settings.methods import MethodName
from pipeline.settings.report import ReportSettings


class MethodPlan(Settings):
    """One method's settings, for the report to show."""

    train: dict[str, Any]
    method: dict[str, Any]


class ReportPlan(Settings):
    """`sections` are the others, as `params.yaml` has them; the first of `active_methods` is the baseline."""

    active_methods: list[MethodName]
    explained_methods: list[MethodName]
    color: ColorSettings
    hygiene: HygieneSettings
    evaluate: EvaluateSettings
    report: ReportSettings
    methods: dict[MethodName, MethodPlan]
    sections: dict[str, dict[str, Any]]

    def shown(self) -> dict[str, Any]:
        """The dataset's settings with its defaults filled in, without the methods that did not run."""
        own = {name: getattr(self, name) for name in ("color", "hygiene", "evaluate", "report")}
        return {
            "active_methods": self.active_methods,
            "explained_methods": self.explained_methods,
            **self.sections,
            **{key: settings.model_dump(mode="json") for key, settings in own.items()},
        }
