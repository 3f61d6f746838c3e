"""The training methods by name. A new one is a file and a line here.

Modules are loaded when a method is asked for: nobody who trains one method depends on the code of another.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from pipeline.core.words import join_names
from pipeline.methods.method import Method
from pipeline.settings.base import Settings
from pipeline.settings.parsing import did_you_mean

BASE = "erm"  # the one that others start from
BROUGHT = "pipeline.methods.brought.bring"  # what reads models that were trained elsewhere
MODULES = {  # in the order of tables
    "erm": "pipeline.methods.erm",
    "group_dro": "pipeline.methods.group_dro",
    "rwg": "pipeline.methods.rwg",
    "subg": "pipeline.methods.subg",
    "rwy": "pipeline.methods.rwy",
    "jtt": "pipeline.methods.jtt",
    "dfr": "pipeline.methods.dfr",
    "exchange": "pipeline.methods.exchange",
    "repair": "pipeline.methods.repair",
}


def method_names() -> list[str]:
    """All methods, in the order of tables."""
    return list(MODULES)


@cache
def find_method(name: str) -> Method[Any]:
    """The method of this name.

    Raises:
        ValueError: there is none.
    """
    method: Method[Any] = importlib.import_module(MODULES[check_name(name)]).METHOD
    assert method.name == name, f"{MODULES[name]} calls its method {method.name!r}, the registry {name!r}"
    return method


def bring(dataset: str, name: str) -> None:
    """Read a model that was trained elsewhere, in the place of a training, which depends on none of it."""
    importlib.import_module(BROUGHT).run(dataset, name)


def check_name(name: str, *others: str) -> str:
    """The name, if it is a method's or one of `others`.

    Raises:
        ValueError: it is not; with what was meant, where that is near, and all that there are.
    """
    known = [*MODULES, *others]
    if name not in known:
        raise ValueError(f"not a training method{did_you_mean(name, known) or '.'} Known: {', '.join(known)}")
    return name


def parse_method(text: str, known: Sequence[str] | None = None) -> str:
    """The method that people mean by its key, its label or its subtitle, in any case.

    Args:
        known: the methods to choose among, also such as this version does not have; None: all of its own.

    Raises:
        ValueError: it is none of them; with what was meant, where that is near, and all names.
    """
    spellings: dict[str, str] = {}
    for name in MODULES if known is None else known:
        words = find_method(name).words if name in MODULES else None
        for spelling in (name, *((words.label, words.subtitle) if words else ())):
            spellings.setdefault(_folded(spelling), name)
    if _folded(text) not in spellings:
        hint = did_you_mean(_folded(text), spellings) or "."
        names = join_names([name_method(name) for name in dict.fromkeys(spellings.values())])
        raise ValueError(f"{text!r} is not a method{hint} Known: {names or 'none'}")
    return spellings[_folded(text)]


def name_method(name: str) -> str:
    """The label with the key behind it, where it does not hold it: "Group DRO (group_dro)".

    >>> name_method("erm"), name_method("group_dro"), name_method("repair")
    ('ERM (erm)', 'Group DRO (group_dro)', 'Removal (repair)')
    """
    label = find_method(name).words.label if name in MODULES else name
    return label if name in label else f"{label} ({name})"


def _folded(text: str) -> str:
    return " ".join(re.sub(r"[_\s-]+", " ", text).split()).casefold()


MethodName = Annotated[str, AfterValidator(check_name), Field(json_schema_extra={"enum": list(MODULES)})]


def methods_section() -> type[Settings]:
    """The section `methods` of `params.yaml`: every method's settings, by its name."""
    sections: dict[str, Any] = {name: (find_method(name).settings, ...) for name in MODULES}
    return create_model("MethodsSettings", __base__=Settings, **sections)
