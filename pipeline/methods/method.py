"""What a training method is: its settings, how it trains, what it uses and needs, and its words.

A method's file has a class of settings, one of these classes with what is special about the method, and
`METHOD`, its only instance. Importing it loads no torch, so that settings are validated and words printed
where nothing is trained: what trains is imported by the functions that train.

Shape legend: G groups.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipeline.methods.recipe import AllTrained, Recipe, SaveSeed, SeedWork, Trained
from pipeline.records.references import Reference
from pipeline.settings.methods import GroupSettings, MethodSettings, NetworkSettings, Selection

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.fitting import SeedRun
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan

S = TypeVar("S", bound=MethodSettings)
N = TypeVar("N", bound=NetworkSettings)
G = TypeVar("G", bound=GroupSettings)
CLASSES = "class labels (train)"


@dataclass(frozen=True)
class Words:
    """How reports speak of a method."""

    label: str
    first: str  # the label at its first use, with what it is in two to four words
    subtitle: str  # what it is, in half a sentence
    text: str  # one to three sentences: what the code here does
    sources: tuple[Reference, ...]


@dataclass(frozen=True)
class KnownLabels:
    """What decides which labels a method sees, beside its own settings."""

    groups: str  # what the dataset's groups are called
    base_selection: Selection | None  # of the model it starts from
    stops_early: bool  # whether `patience` is set; without selection it looks at the validation average

    @property
    def early(self) -> list[str]:
        return ["class labels (validation, early stopping)"] if self.stops_early else []


@dataclass(frozen=True)
class Workload:
    """What is to be trained, in images."""

    n_train_G: Sequence[int]
    n_val: int
    seeds: int
    epochs: int
    has_base: bool  # whether the model that others start from is trained anyway
    gradient: float  # cost of an image's gradient, projected and stored, in trained images

    @property
    def n_train(self) -> int:
        return sum(self.n_train_G)

    def epoch(self, drawn: float | None = None) -> float:
        """Cost of an epoch that draws so many images, or all: those of validation cost a third."""
        return (self.n_train if drawn is None else drawn) + self.n_val / 3


class Method(ABC, Generic[S]):
    """One training method; it has no state."""

    settings: type[S]
    words: Words
    has_network: bool = True  # False: it has the network and training settings of the model it starts from
    sections: Sequence[str] = ()  # of a dataset's settings, that decide its result beside its own and `train`
    is_side_by_side: bool = True  # small networks: its works are trained in processes of their own
    joins_seeds: bool = False  # True: which other seeds are trained decides a seed's result, too

    @property
    def name(self) -> str:
        return self.settings.key

    # --- what it uses and needs -----------------------------------------------------------------

    def needs_base(self, settings: S) -> bool:
        """Whether it starts from the base model, or from a brief one of its settings."""
        return not self.has_network

    def further(self, settings: S) -> Mapping[str, Mapping[str, Any]]:
        """Its networks beside the one that is its result: what each overrides of the training settings."""
        return {}

    @abstractmethod
    def check(self, settings: S, groups: Groups, *, batch_size: int) -> None:
        """Refuse groups without the images that it needs; what only training can tell is not asked.

        Raises:
            CannotTrainError: names the groups and the remedy.
        """

    @abstractmethod
    def labels_used(self, settings: S, known: KnownLabels) -> list[str]:
        """What it uses in training, in tuning and in selection; no label is used for anything else."""

    @abstractmethod
    def selects_by_given_groups(self, settings: S) -> bool:
        """Whether its own selection looks at the dataset's groups of the validation images."""

    def trains_on_val(self, settings: S) -> bool:
        """Whether validation images train it: they then measure no generalization."""
        return False

    @abstractmethod
    def images_seen(self, settings: S, work: Workload) -> float:
        """Images that all its trainings see, as an estimate."""

    def why_not_retrained(self, settings: S) -> str | None:
        """Why it is not trained on parts of the images; None where it is."""
        return f"{self.name} starts from an ERM model, and only methods of one training are retrained"

    # --- training -------------------------------------------------------------------------------

    @abstractmethod
    def train_seed(self, run: SeedRun, recipe: Recipe[S]) -> Trained:
        """Train one seed."""

    def train_all(self, run: SeedRun, recipe: Recipe[S], save_seed: SaveSeed) -> AllTrained:
        """Train one seed after the other and hand each one's result to `save_seed`."""
        seeds = recipe.setup.train.seeds
        spec = run.spec(recipe.setup.train)
        if recipe.ahead is not None:
            recipe.ahead([SeedWork(seed) for seed in seeds])
        trained: dict[int, Trained] = {}
        for seed in seeds:
            trained[seed] = self.train_seed(replace(run, seed=seed), recipe)
            save_seed(seed, trained[seed].outcome, spec)
        return AllTrained(trained)


class NetworkMethod(Method[N]):
    """A method that trains a whole network of its own; without more said by one run of the loop."""

    def plan(self, settings: N, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        """Which images an epoch draws, and what is minimised.

        Raises:
            CannotTrainError: as `check`.
        """
        raise NotImplementedError(f"{self.name} trains more than one network")

    def check(self, settings: N, groups: Groups, *, batch_size: int) -> None:
        from pipeline.train.groups import check_selected

        remedy = f"set methods.{self.name}: {{ selection: average }}"
        check_selected(self.name, settings.selection, groups, remedy=remedy)

    def labels_used(self, settings: N, known: KnownLabels) -> list[str]:
        return [CLASSES, *selection_labels(settings.selection, known.groups, known.early)]

    def selects_by_given_groups(self, settings: N) -> bool:
        from pipeline.train.groups import reads_groups

        return reads_groups(settings.selection)

    def drawn(self, settings: N, work: Workload) -> float:
        """Images of an epoch, as an estimate."""
        return work.n_train

    def seen_before(self, settings: N, work: Workload) -> float:
        """Images that a seed's other networks see, as an estimate."""
        return 0.0

    def images_seen(self, settings: N, work: Workload) -> float:
        own = work.epochs * work.epoch(self.drawn(settings, work))
        return work.seeds * (own + self.seen_before(settings, work))

    def why_not_retrained(self, settings: N) -> str | None:
        return None  # one training of one network

    def unselected(self, settings: N) -> N:
        """For a part of the images: nothing is selected, and groups without images are left out."""
        return settings.model_copy(update={"selection": "last"})

    def train_seed(self, run: SeedRun, recipe: Recipe[N]) -> Trained:
        settings = recipe.setup.settings
        plan = self.plan(settings, run.train, run.groups, batch_size=run.settings.batch_size)
        return Trained(run.fit(plan))


class GroupMethod(NetworkMethod[G]):
    """A method that trains with groups, given or inferred."""

    def needs_base(self, settings: G) -> bool:
        return settings.groups == "inferred"

    def check(self, settings: G, groups: Groups, *, batch_size: int) -> None:
        from pipeline.train.groups import check_selected, check_trained

        if settings.allow_empty_groups or settings.groups == "inferred":
            return
        leave_out = f"set methods.{self.name}.allow_empty_groups: true to leave these groups out"
        check_trained(self.name, groups, leave_out=leave_out)
        check_selected(self.name, settings.selection, groups, remedy=f"{leave_out} of selection")

    def labels_used(self, settings: G, known: KnownLabels) -> list[str]:
        is_inferred = settings.groups == "inferred"
        groups = "inferred groups" if is_inferred else known.groups
        used = [CLASSES]
        whole_base = settings.inference == "clusters" or settings.inference_epochs is None
        if is_inferred and whole_base and known.base_selection is not None:
            purpose = "selection of the ERM model that groups are inferred from"
            used += selection_labels(known.base_selection, known.groups, [], purpose)
        return [*used, f"{groups} (train)", *selection_labels(settings.selection, groups, known.early)]

    def selects_by_given_groups(self, settings: G) -> bool:
        return settings.groups == "given" and super().selects_by_given_groups(settings)

    def seen_before(self, settings: G, work: Workload) -> float:
        if settings.groups == "given":
            return 0.0
        return (settings.inference_epochs or work.epochs) * work.epoch()

    def why_not_retrained(self, settings: G) -> str | None:
        if settings.groups == "given":
            return None
        return f"methods.{self.name}.groups is inferred: its groups come from an ERM model of all images"

    def unselected(self, settings: G) -> G:
        return settings.model_copy(update={"selection": "last", "allow_empty_groups": True})

    def train_seed(self, run: SeedRun, recipe: Recipe[G]) -> Trained:
        from pipeline.train.group_inference import infer_groups

        settings = recipe.setup.settings
        groups, found = run.groups, None
        if settings.groups == "inferred":
            groups, found = infer_groups(run, settings)
        plan = self.plan(settings, run.train, groups, batch_size=run.settings.batch_size)
        return Trained(run.fit(plan), found)


def selection_labels(
    selection: Selection, groups: str, early: list[str], purpose: str = "selection"
) -> list[str]:
    """What a selection rule looks at; without one, what early stopping does."""
    from pipeline.train.groups import reads_groups

    if selection == "last":
        return early
    labels = f"class labels and {groups}" if groups == "inferred groups" else f"class and {groups}"
    return [f"{labels if reads_groups(selection) else 'class labels'} (validation, {purpose})"]


def base_labels(known: KnownLabels) -> list[str]:
    """What the model uses that a method without a network of its own starts from."""
    assert known.base_selection is not None
    return [CLASSES, *selection_labels(known.base_selection, known.groups, known.early)]
