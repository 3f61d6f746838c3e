"""What a method trains, and what comes of it: plain values that methods and their callers pass on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pipeline.settings.methods import MethodSettings, Selection
from pipeline.settings.train import TrainSettings

if TYPE_CHECKING:
    from pipeline.methods.method import Method
    from pipeline.records.training import GroupInference, LastLayer, Removal
    from pipeline.train.fitting import Base, SeedRun
    from pipeline.train.loop import Outcome

S = TypeVar("S", bound=MethodSettings)


@dataclass(frozen=True)
class Setup(Generic[S]):
    """A method with all settings that decide what it trains."""

    method: Method[S]
    settings: S
    train: TrainSettings
    further: Mapping[str, TrainSettings] = field(default_factory=dict)  # of its other networks
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as params.yaml has them
    base: Setup[Any] | None = None  # the model that it starts from, if it does

    @property
    def name(self) -> str:
        return self.method.name

    @property
    def networks(self) -> list[TrainSettings]:
        """The settings of every network that is trained for it."""
        return [self.train, *self.further.values(), *(self.base.networks if self.base else [])]

    @property
    def selection(self) -> Selection:
        """The rule that selects an epoch of its network."""
        owner: Setup[Any] | None = self if self.method.has_network else self.base
        assert owner is not None, "a method without a network has that of its base"
        selection: Selection = owner.settings.selection
        return selection


class Work(Protocol):
    """A part of what a method trains that a process of its own can do; it is pickled."""

    @property
    def name(self) -> str:
        """Different for every work of one method."""

    @property
    def seed(self) -> int: ...

    def train(self, run: SeedRun, recipe: Recipe[Any]) -> object:
        """Train it into its checkpoints, as `recipe.setup.method` would."""


class TrainAhead(Protocol):
    """Trains works side by side into their checkpoints."""

    def __call__(self, works: Sequence[Work]) -> None: ...


@dataclass(frozen=True)
class Recipe(Generic[S]):
    """A method's setup with what its trainings share."""

    setup: Setup[S]
    base: Base | None = None
    ahead: TrainAhead | None = None
    work_dir: Path | None = None  # for what is too large for checkpoints; deleted with them


@dataclass(frozen=True)
class Trained:
    """One seed's result and what the method found on the way."""

    outcome: Outcome
    inference: GroupInference | None = None
    last_layer: LastLayer | None = None


@dataclass(frozen=True)
class AllTrained:
    """Every seed's result, and what was found over all of them."""

    seeds: dict[int, Trained]
    removal: Removal | None = None
    search_seconds: float = 0.0  # of networks that are no seed's result


class SaveSeed(Protocol):
    """Takes a seed's result and the arguments that rebuild its network; of a control its name."""

    def __call__(self, seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None: ...


@dataclass(frozen=True)
class SeedWork:
    """All that a seed needs."""

    seed: int

    @property
    def name(self) -> str:
        return f"seed_{self.seed}"

    def train(self, run: SeedRun, recipe: Recipe[Any]) -> Trained:
        return recipe.setup.method.train_seed(run, recipe)
