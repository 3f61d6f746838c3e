"""`models` of `params.yaml`: models that were trained elsewhere, used like methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.settings.base import Settings


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, bool | int | float) else value


def _no_truth_values(value: Any) -> Any:
    """YAML reads no, yes, on and off as truth values, and Python counts them as places."""
    if isinstance(value, bool):
        raise ValueError(f"is read as {str(value).lower()}: put a name such as 'yes' or 'no' in quotes")
    return value


# names of a model's classes, or their places among its outputs
Output = Annotated[str | int, BeforeValidator(_no_truth_values)]
Outputs = Annotated[list[Output], BeforeValidator(_as_list), Field(min_length=1)]
ClassName = Annotated[str, BeforeValidator(_as_text)]  # YAML reads 0 as a number
Classes = list[ClassName] | dict[ClassName, Outputs]
Channels = Annotated[list[float], Field(min_length=3, max_length=3)]


class ModelSettings(Settings):
    """What every model has."""

    path: str
    datasets: list[str] | None = Field(None, description="those that it is a model of; null = all")
    classes: Classes | None = Field(
        None,
        description="a list: the class of each output; a mapping: class of the dataset -> output or outputs",
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _classes_are_several(cls, classes: Any) -> Any:
        if classes is not None and not isinstance(classes, list | dict):
            raise ValueError("must be a list, the class of each output, or a mapping of classes to outputs")
        return classes


class PredictionColumns(Settings):
    """Columns of a table of predictions; what is null is found by its usual names."""

    image: str | None = Field(None, description="id or file of the image")
    predicted: str | None = None
    seed: str | None = None
    split: str | None = None
    label: str | None = Field(None, description="compared with the dataset's")
    scores: str | list[str] | None = Field(
        None, description="a column of lists, or one column for each class in the order of `classes`"
    )


class PredictionsModel(ModelSettings):
    """A table of predictions: CSV or Parquet."""

    kind: Literal["predictions"]
    columns: PredictionColumns = Field(default_factory=PredictionColumns)
    scores: Literal["auto", "probabilities", "logits"] = "auto"


class NetworkModel(ModelSettings):
    """A network; what is null is taken from what was saved with it."""

    kind: Literal["timm", "huggingface", "python"]

    weights: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="one file for each seed; empty = those beside the network"
    )
    checkpoints: list[list[str]] = Field(
        default_factory=list, description="of each seed: weights of earlier epochs; attribution averages them"
    )
    input_size: int | None = Field(None, ge=1, description="side that the network sees, pixels")
    mean: Channels | None = Field(None, description="of the pixels in [0, 1], subtracted")
    std: Channels | None = Field(None, description="of the pixels in [0, 1], divided by")
    interpolation: Literal["bilinear", "bicubic", "nearest"] | None = None
    crop_pct: float | None = Field(None, gt=0, le=1, description="share of the resized side that is seen")
    head: str | None = Field(None, description="name of the last linear layer; null = the one that is found")
    layer: str | None = Field(None, description="name of the module that GradCAM maps; null = gradcam.layer")

    @field_validator("std")
    @classmethod
    def _std_divides(cls, std: list[float] | None) -> list[float] | None:
        if std is not None and min(std) <= 0:
            raise ValueError("must be above 0: pixels are divided by it")
        return std


class TimmModel(NetworkModel):
    """A folder in timm's layout: config.json and model.safetensors."""

    kind: Literal["timm"]


class HuggingfaceModel(NetworkModel):
    """A folder that `save_pretrained` of an image classifier left."""

    kind: Literal["huggingface"]


class PythonModel(NetworkModel):
    """A function, `module:function` or `file.py:function`, that returns a torch.nn.Module."""

    kind: Literal["python"]
    path: str = Field(pattern=r"^[^:]+:[A-Za-z_][A-Za-z0-9_]*$", examples=["net.py:make"])
    args: dict[str, Any] = Field(default_factory=dict, description="what the function is given")

    @field_validator("path", mode="before")
    @classmethod
    def _path_names_a_function(cls, path: Any) -> Any:
        if isinstance(path, str) and path and ":" not in path:
            raise ValueError(f"names no function; write {path}:FUNCTION, which returns the network")
        return path


Network = Annotated[TimmModel | HuggingfaceModel | PythonModel, Field(discriminator="kind")]
Model = Annotated[PredictionsModel | TimmModel | HuggingfaceModel | PythonModel, Field(discriminator="kind")]


class OwnNetwork(Settings):
    """What `train.model: models.<name>` names, complete: the stages that train it read no `params.yaml`."""

    entry: Network
    files: dict[str, str] = Field(
        default_factory=dict, description="sha256 of what decides the network and its first weights, by path"
    )
