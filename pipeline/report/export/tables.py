"""All tables of an export."""

from __future__ import annotations

from pipeline.records.report import Report
from pipeline.report.export.attribution_tables import attribution_tables
from pipeline.report.export.comparison_tables import comparison_tables
from pipeline.report.export.cue_tables import cue_tables
from pipeline.report.export.data_tables import data_tables
from pipeline.report.export.dynamics_tables import dynamics_tables
from pipeline.report.export.indicator_tables import indicator_tables
from pipeline.report.export.list_tables import list_tables
from pipeline.report.export.method_tables import method_tables
from pipeline.report.export.reliance_tables import reliance_tables
from pipeline.report.export.rows import Table
from pipeline.report.export.training_tables import training_tables, verdict_tables


def build_tables(s: Report) -> list[Table]:
    """Every table of the report, in its order; those without rows say why."""
    return [
        *verdict_tables(s),
        *method_tables(s),
        *comparison_tables(s),
        *data_tables(s),
        *cue_tables(s),
        *reliance_tables(s),
        *indicator_tables(s),
        *attribution_tables(s),
        *training_tables(s),
        *dynamics_tables(s),
        *list_tables(s),
    ]
