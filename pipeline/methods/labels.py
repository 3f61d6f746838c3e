"""Which labels a method has seen, in words for the report."""

from __future__ import annotations

from pipeline.settings.methods import (
    AnyMethodSettings,
    DfrSettings,
    ErmSettings,
    GroupSettings,
    NetworkSettings,
    RepairSettings,
)
from pipeline.train.plans import reads_groups

_GIVEN = {"annotated": "group labels", "derived": "derived group labels", "none": "classes as groups"}


def labels_used(
    method: AnyMethodSettings, origin: str, erm: ErmSettings, *, stops_early: bool = False
) -> list[str]:
    """What was used in training, in tuning and in selection; no label is used for anything else.

    Args:
        origin: of the attribute that forms the groups: annotated, derived or none.
        erm: settings of the ERM model that some methods start from.
        stops_early: whether `patience` is set; without selection it looks at the validation average.
    """
    given = _GIVEN[origin]
    early = ["class labels (validation, early stopping)"] if stops_early else []
    if isinstance(method, DfrSettings):
        return _labels_of_dfr(method, given, erm, early)
    if isinstance(method, RepairSettings):
        known = f"class and {given}" if method.groups == "given" else "class labels and inferred groups"
        return [*_labels_of_erm(given, erm, early), f"{known} (validation, images to leave out)"]
    groups = given
    used = ["class labels (train)"]
    if isinstance(method, GroupSettings):
        if method.groups == "inferred":
            groups = "inferred groups"
            uses_erm = method.inference == "clusters" or method.inference_epochs is None
            if uses_erm and erm.selection != "last":
                used.append(
                    _selection(erm, given, "selection of the ERM model that groups are inferred from")
                )
        used.append(f"{groups} (train)")
    if method.selection != "last":
        return [*used, _selection(method, groups, "selection")]
    return [*used, *early]


def _selection(method: NetworkSettings, groups: str, purpose: str) -> str:
    labels = f"class labels and {groups}" if groups == "inferred groups" else f"class and {groups}"
    seen = labels if reads_groups(method.selection) else "class labels"
    return f"{seen} (validation, {purpose})"


def _labels_of_erm(groups: str, erm: ErmSettings, early: list[str]) -> list[str]:
    return [
        "class labels (train)",
        *(early if erm.selection == "last" else [_selection(erm, groups, "selection")]),
    ]


def _labels_of_dfr(method: DfrSettings, groups: str, erm: ErmSettings, early: list[str]) -> list[str]:
    used = _labels_of_erm(groups, erm, early)
    if method.fit_on == "train":
        used.append(f"{groups} (train, last layer)")
        return [*used, f"class and {groups} (validation, tuning)"]
    return [*used, f"class and {groups} (validation, last layer and tuning)"]
