"""What each stage found, as typed records: the artifacts' schemas and the report's input.

Fractions are in [0, 1]. Intervals are 95 % unless a field says otherwise.
"""

from pipeline.core.results.attribution import (
    AttributionResult,
    GroupAttribution,
    Influence,
    TargetAttribution,
)
from pipeline.core.results.base import SCHEMA_VERSION, Artifact, Estimate, GroupEstimate, Provenance, Record
from pipeline.core.results.color import (
    Association,
    AttributeColor,
    ColorExamples,
    ColorFinding,
    ColorResult,
    LabelColor,
    Palette,
    Predictability,
)
from pipeline.core.results.data import AttributeInfo, DatasetInfo, GroupInfo, SourceInfo
from pipeline.core.results.evaluation import (
    ColorAgreement,
    EvaluationResult,
    GroupComparison,
    Intervention,
    MethodComparison,
    Optimism,
    SeedResult,
    SplitMetrics,
)
from pipeline.core.results.gradcam import (
    CamGroup,
    CamOverlay,
    Faithfulness,
    GradcamResult,
    MapAgreement,
    SanityStep,
)
from pipeline.core.results.hygiene import Balance, DuplicateSet, DuplicateSummary, HygieneResult, ImageIssue
from pipeline.core.results.training import EpochRecord, GroupInference, LastLayer, TrainHistory

__all__ = [
    "SCHEMA_VERSION",
    "Artifact",
    "Association",
    "AttributeColor",
    "AttributeInfo",
    "AttributionResult",
    "Balance",
    "CamGroup",
    "CamOverlay",
    "ColorAgreement",
    "ColorExamples",
    "ColorFinding",
    "ColorResult",
    "DatasetInfo",
    "DuplicateSet",
    "DuplicateSummary",
    "EpochRecord",
    "Estimate",
    "EvaluationResult",
    "Faithfulness",
    "GradcamResult",
    "GroupAttribution",
    "GroupComparison",
    "GroupEstimate",
    "GroupInference",
    "GroupInfo",
    "HygieneResult",
    "ImageIssue",
    "Influence",
    "Intervention",
    "LabelColor",
    "LastLayer",
    "MapAgreement",
    "MethodComparison",
    "Optimism",
    "Palette",
    "Predictability",
    "Provenance",
    "Record",
    "SanityStep",
    "SeedResult",
    "SourceInfo",
    "SplitMetrics",
    "TargetAttribution",
    "TrainHistory",
]
