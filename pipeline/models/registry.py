"""The networks that `train.model` names, behind one shape of interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import InputError
from pipeline.settings.parsing import did_you_mean

if TYPE_CHECKING:
    from pipeline.models.interface import Classifier
    from pipeline.models.small_resnet import Norm

EMBEDDED = "small_resnet"
TIMM = "timm/"
OWN = "models."  # and a name of `models` in params.yaml
BROUGHT = "brought"  # of a saved spec: a network that somebody else wrote
FORMER = {  # what earlier versions called networks of other packages
    "resnet18": "timm/resnet18.tv_in1k",
    "resnet50": "timm/resnet50.tv_in1k",
    "vit_tiny": "timm/vit_tiny_patch16_224",
}


def check_network(name: str) -> None:
    """Refuse what no network is called; of timm's packages nothing is loaded unless one of its is meant.

    Raises:
        InputError: with what was meant, where that is near.
    """
    if name.startswith(TIMM):
        from pipeline.models.timm_zoo import check_name  # late: timm takes as long to load as torch

        check_name(name.removeprefix(TIMM))
    elif name != EMBEDDED:
        near = did_you_mean(name, [EMBEDDED]) if name not in FORMER else ""
        now = f" {name} is now {FORMER[name]}." if name in FORMER else ""
        raise InputError(
            f"train.model = {name} is not known{near or '.'}{now} Use {EMBEDDED}, or {TIMM} and a name of "
            f"timm's, or {OWN} and the name of a network of `models`."
        )


def check_norm(name: str, norm: Norm) -> None:
    """Refuse a normalization for a network that builds its own.

    Raises:
        InputError: with what to write.
    """
    if norm == "batch" or name == EMBEDDED:
        return
    inside = (
        "some of timm's networks take another by train.model_args: { norm_layer: groupnorm }"
        if name.startswith(TIMM)
        else "another is built into the network itself"
    )
    raise InputError(
        f"train.norm = {norm} is of {EMBEDDED}, and train.model = {name} has a normalization of its own. Set "
        f"train.norm: batch; {inside}."
    )


def build_model(  # noqa: PLR0913  # keyword-only: what a saved spec holds
    name: str,
    *,
    n_classes: int,
    width: int,
    stem_stride: int = 1,
    norm: Norm = "batch",
    image_size: int | None = None,
    input_size: int | None = None,
    args: Mapping[str, Any] | None = None,
    pretrained: bool | str,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
    stochastic_depth: float = 0.0,
) -> Classifier:
    """The network `name` with weights drawn from `seed`.

    Args:
        norm: of small_resnet.
        image_size: side of the packed images, pixels; timm's networks need it.
        input_size: side that one of timm's networks sees; None: the images' own.
        args: further ones of timm's network.
        pretrained: True, or a file or folder: weights that timm has or that lie there.
        mean, std: channel statistics of the training pixels in [0, 1]; with pretrained weights those
            that they were made with are used instead.
        stochastic_depth: of timm's networks, which build it in; others: `regularize`.

    Raises:
        InputError: the name is unknown, or it cannot be built so.
    """
    import torch  # late: whoever only asks for names needs none of it

    from pipeline.models.interface import StagedClassifier
    from pipeline.models.small_resnet import small_resnet_stages

    check_norm(name, norm)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith(TIMM):
            from pipeline.models.timm_zoo import Wanted, build_timm

            wanted = Wanted(name.removeprefix(TIMM), n_classes, image_size or 224, input_size, args or {})
            return build_timm(
                wanted, pretrained=pretrained, mean=mean, std=std, stochastic_depth=stochastic_depth
            )
        check_network(name)
        stages, n_features = small_resnet_stages(width, stem_stride, norm)
        return StagedClassifier(stages, n_features, n_classes, mean, std)


def rebuild_model(spec: Mapping[str, Any]) -> Classifier:
    """The network of a saved spec, for its weights to be laid in."""
    if spec["name"] == BROUGHT:
        from pipeline.models.brought.open import rebuild_brought

        return rebuild_brought(spec)
    # the saved buffers replace the statistics
    return build_model(**spec, pretrained=False, mean=[0.0] * 3, std=[1.0] * 3, seed=0)


def parameter_count(*, name: str, n_classes: int, **spec: Any) -> int:
    """Parameters of the network that these arguments of `build_model` make; none is drawn."""
    import torch

    with torch.device("meta"):
        model = build_model(
            name, n_classes=n_classes, **spec, pretrained=False, mean=[0.0] * 3, std=[1.0] * 3, seed=0
        )
    return sum(p.numel() for p in model.parameters())
