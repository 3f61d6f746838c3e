"""Which class a cell of somebody's table means: a name, or a place in the list `classes`.

Shape legend: R rows of the table, N images, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array
from pipeline.core.words import count, list_some
from pipeline.methods.brought.matching import whole
from pipeline.models.brought.classes import folded, yaml_text
from pipeline.settings.models import Classes

_SHOWN = 12
_WRITTEN = 200  # numbers whose order as text is to be written are many: 100 folders


def find_classes(cells: Sequence[str], given: Classes | None, classes: Sequence[str]) -> list[int]:
    """The class of each cell, -1 where it is none: by `classes` of the entry, else by name.

    Numbers are places in a list that the user wrote, also where the dataset's classes are called so.
    """
    own = {folded(name): k for k, name in enumerate(classes)}
    if isinstance(given, dict):
        named = {
            folded(str(output)): own[folded(name)]
            for name, outputs in given.items()
            if folded(name) in own
            for output in outputs
        }
        return [named.get(folded(cell), -1) for cell in cells]
    numbers = [whole(cell) for cell in cells]
    if isinstance(given, list) and all(n is not None and n < len(given) for n in numbers):
        listed = [own.get(folded(name), -1) for name in given]
        return [listed[n] for n in numbers if n is not None]
    return [own.get(folded(cell), -1) for cell in cells]


def check_numbers(
    cells: Sequence[str], given: Classes | None, classes: Sequence[str], what: str, where: str
) -> None:
    """Classes that are called by numbers, but not by their places.

    Raises:
        InputError: each cell may be a name or a place, and they are other classes.
    """
    if given is not None:
        return
    numbers = [whole(cell) for cell in cells]
    if not all(n is not None and n < len(classes) for n in numbers) or not set(cells) <= set(classes):
        return
    other = next((n for n in numbers if n is not None and whole(classes[n]) != n), None)
    if other is None:
        return
    raise InputError(
        f"{where}: {what} are numbers that may be names of classes or places among them: {other} may be the "
        f"class {other}, or the class {classes[other]}, which {other} others come before. Write "
        f"`{where}.classes: {_as_names(classes)}` if they are names, or `{where}.classes: "
        f"[{_some(classes, _WRITTEN)}]` if they are places."
    )


def named_classes(
    cells: Sequence[str], given: Classes | None, classes: Sequence[str], where: str
) -> Int64Array:
    """Predicted classes (R,).

    Raises:
        InputError: a cell is no class, or may be two.
    """
    check_numbers(cells, given, classes, "the predicted classes", where)
    found = find_classes(cells, given, classes)
    lost = list(dict.fromkeys(cell for cell, k in zip(cells, found, strict=True) if k < 0))
    if not lost:
        return np.array(found, np.int64)
    if "" in lost:
        raise InputError(
            f"{where}: {count(list(cells).count(''))} of {count(len(cells))} rows say no predicted class "
            f"(the first is row {list(cells).index('') + 1}). Fill these cells."
        )
    if all(whole(cell) is not None for cell in lost):
        raise InputError(
            f"{where}: the predicted classes are numbers ({list_some(sorted(lost)[:5], 5)}), and the "
            f"dataset's are {list_some(list(classes), 5)}. Write the class of each number from 0 on: "
            f"`{where}.classes: [{_some(classes)}]`, if that is their order."
        )
    raise InputError(
        f"{where}: {list_some(lost, 5)} {'is' if len(lost) == 1 else 'are'} predicted and no class of the "
        f"dataset ({list_some(list(classes), _SHOWN)}). Write which one it is: `{where}.classes: "
        f"{{ {yaml_text(classes[0])}: {yaml_text(lost[0])}, ... }}`."
    )


def check_labels(
    cells: Sequence[str],
    labels_R: Int64Array,
    given: Classes | None,
    classes: Sequence[str],
    *,
    by_place: bool,
    images_R: Sequence[str],
    where: str,
) -> list[str]:
    """Compare a table's column of labels with the dataset's labels (R,) of its rows.

    Args:
        cells: of the column.
        labels_R: of the dataset.
        given: what the user wrote under `classes`.
        classes: of the dataset.
        by_place: whether what is predicted is read by places, so that an order in the labels speaks of it.
        images_R: how the table calls the images.
        where: the entry, for messages.

    Returns:
        What is to be said: that they were not compared.

    Raises:
        InputError: other labels than the dataset's, or the same in another order of classes.
    """
    said = find_classes(cells, given, classes)
    if all(k < 0 for k in said):
        said = find_classes(cells, None, classes)
    numbers = [whole(cell) for cell in cells]
    are_places = all(n is not None and n < len(classes) for n in numbers)
    if all(k < 0 for k in said) and are_places:
        said = [n for n in numbers if n is not None]
    if all(k < 0 for k in said):
        shown = list_some(list(dict.fromkeys(cells)), 3)
        return [f"its column of labels ({shown}) names no class of the dataset and was not compared"]
    wrong = [r for r, k in enumerate(said) if k != labels_R[r]]
    if not wrong:
        return []
    order = _order(numbers, labels_R, classes) if are_places else None
    if order is not None and by_place:
        raise InputError(
            f"{where}: its column of labels has the dataset's classes in another order: "
            f"{cells[wrong[0]]} is {classes[labels_R[wrong[0]]]}. Write the class of each number from 0 on: "
            f"`{where}.classes: [{order}]`; or leave the column of labels out, if what is predicted has "
            "another order than the labels."
        )
    if order is not None:
        return ["its labels are numbers in another order than the dataset's classes; names are predicted"]
    raise InputError(
        f"{where}: for {count(len(wrong))} of {count(len(said))} rows it has another label "
        f"than the dataset ({images_R[wrong[0]]}: {cells[wrong[0]]}, and {classes[labels_R[wrong[0]]]} in "
        "the dataset), so that they may be other images. Mend the table, or leave its column of labels out."
    )


def _order(numbers: Sequence[int | None], labels_R: Int64Array, classes: Sequence[str]) -> str | None:
    """The class of each number as a list to be written, where each is one class and no other is."""
    pairs = set(zip(numbers, labels_R.tolist(), strict=True))
    if not len(pairs) == len({n for n, _ in pairs}) == len({k for _, k in pairs}):
        return None
    class_of = {n: k for n, k in pairs if n is not None}
    free = [k for k in range(len(classes)) if k not in class_of.values()]
    left = [n for n in range(len(classes)) if n not in class_of]
    if len(free) == 1:
        class_of[left[0]] = free[0]
    return ", ".join(yaml_text(classes[class_of[n]]) if n in class_of else "..." for n in range(len(classes)))


def _some(classes: Sequence[str], limit: int = _SHOWN) -> str:
    return ", ".join([*map(yaml_text, classes[:limit]), *(["..."] if len(classes) > limit else [])])


def _as_names(classes: Sequence[str]) -> str:
    """What reads numbers as names: their own order from 0 on, where that is what they are."""
    in_order = [str(n) for n in range(len(classes))]
    if set(in_order) == set(classes):
        return f"[{_some(in_order, _WRITTEN)}]"
    pairs = [f"{yaml_text(name)}: {yaml_text(name)}" for name in classes[:_WRITTEN]]
    return f"{{ {', '.join([*pairs, *(['...'] if len(classes) > _WRITTEN else [])])} }}"


def check_columns(
    outputs: Sequence[str],
    columns: Sequence[Sequence[int]],
    given: Classes | None,
    classes: Sequence[str],
    where: str,
) -> None:
    """Places that the user wrote (columns: outputs of each class), against columns called by classes.

    Raises:
        InputError: a column that is called like one class is to be another, or may be two.
    """
    own = {folded(name): k for k, name in enumerate(classes)}
    check_numbers(outputs, given, classes, "the columns of scores", where)
    if given is None or {whole(name) for name in outputs} == set(range(len(outputs))):
        return  # by name; or numbers, whose class is what the user wrote
    if isinstance(given, dict) and not any(isinstance(at, int) for found in given.values() for at in found):
        return
    for k, places in enumerate(columns):
        for at in places:
            if own.get(folded(outputs[at]), k) != k:
                raise InputError(
                    f"{where}.classes makes the column of scores {outputs[at]} those of {classes[k]}. Leave "
                    f"`{where}.classes` out, so that columns are read by their names, or write them in the "
                    f"columns' order: `{where}.classes: [{_some(outputs)}]`; mend names that are wrong."
                )
