"""The report, composed of the stages' records: the keys of `reports/<dataset>.json` are for machines."""

from __future__ import annotations

from pydantic import Field, JsonValue

from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Artifact, Provenance, Record
from pipeline.records.color import ColorResult
from pipeline.records.cues import CuesResult
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.gradcam import GradcamResult
from pipeline.records.hygiene import HygieneResult
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.lists import ImageList, ListedImages
from pipeline.records.references import Reference
from pipeline.records.training import TrainHistory
from pipeline.records.verdict import Verdict

# --- what is shown ---------------------------------------------------------------------------


class MethodSettings(Record):
    """What a method was run with: its keys of `train`, overrides included, and of `methods`."""

    train: dict[str, JsonValue]
    method: dict[str, JsonValue]


class ImageOutcome(Record):
    """What one method makes of one test image."""

    predicted: int  # by most seeds; of a tie the class with the lower number
    correct_share: float  # of the seeds
    n_seeds: int
    map_class: int | None = None  # what the GradCAM map shown is of: the first seed's class; null: no map


class TestImage(Record):
    """A test image shown with what every method makes of it; `attribution` says which images did that."""

    __test__ = False  # no test of pytest's

    id: int
    label: int
    group: int
    methods: dict[str, ImageOutcome]


class EditExample(Record):
    """One test image before and after an edit, with the classes that the baseline's first seed predicts."""

    edit: str  # the name of an intervention or an exchange
    id: int
    label: int
    group: int
    before: int
    after: int


class Explained(Record):
    """A term that the report uses, in plain words, with where it comes from."""

    key: str
    term: str
    text: str
    references: list[Reference] = Field(default_factory=list)


# --- where it comes from ---------------------------------------------------------------------


class FileHash(Record):
    path: str
    md5: str  # the first digits; a folder's ends in `.dir`


class StageRun(Record):
    """One stage as `dvc.lock` has it, compared with the files on disk."""

    stage: str
    command: str
    code: str | None = None  # fingerprint of the modules that it imported; null: of `plan`
    outs: list[FileHash]
    changed: list[str] = Field(default_factory=list)  # its inputs and outputs that are others by now


class Revision(Record):
    """The git commit that was checked out."""

    commit: str
    changed: list[str] = Field(default_factory=list)  # code and settings that differed from it


class Machine(Record):
    system: str
    processor: str
    cpu_threads: int  # that the process may use


class ReportProvenance(Provenance):
    """Settings, what DVC recorded of each stage, the code's revision, the machine."""

    command: str = ""
    params: dict[str, JsonValue] = Field(default_factory=dict)  # the dataset's settings, complete
    stages: list[StageRun] = Field(default_factory=list)
    stages_note: str = ""  # why `stages` is empty, or whether they fit the files
    revision: Revision | None = None
    revision_note: str = ""  # why `revision` is null, or whether files differed from it
    machine: Machine | None = None
    reproduce: list[str] = Field(default_factory=list)  # commands, in order


# --- the report ------------------------------------------------------------------------------


class Report(Artifact):
    """Everything that is known about one dataset. Methods have the baseline first."""

    provenance: ReportProvenance
    verdict: Verdict
    dataset: DatasetInfo
    color: ColorResult
    hygiene: HygieneResult | None
    cues: CuesResult | None = None
    methods: dict[str, EvaluationResult]
    # without `epochs`, which `verdict.methods` sums up, and `removal.left_out`, which `lists` has
    training: dict[str, TrainHistory]
    method_settings: dict[str, MethodSettings]
    # `targets`: of the images in `images` alone; suspects: those that the page shows, `lists` has all
    attribution: dict[str, AttributionResult]
    gradcam: dict[str, GradcamResult]
    indicators: dict[str, IndicatorsResult] = Field(default_factory=dict)
    images: list[TestImage] = Field(default_factory=list)  # failures of the worst groups first
    lists: dict[str, ImageList] = Field(default_factory=dict)  # complete, by `records.lists.list_key`
    listed: ListedImages = Field(default_factory=ListedImages)  # file and group of every image in `lists`
    edits: list[EditExample] = Field(default_factory=list)  # of the baseline; images that flip come first
    reading: list[Explained] = Field(default_factory=list)  # the methods and statistics used, in words
