"""The training methods by name. A new one is a file and a line here.

Modules are named, not imported: nobody who trains one method depends on the code of another.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from pipeline.settings.parsing import did_you_mean

MODULES = {  # in the order of tables
    "erm": "pipeline.methods.erm",
    "group_dro": "pipeline.methods.group_dro",
    "rwg": "pipeline.methods.rwg",
    "subg": "pipeline.methods.subg",
    "rwy": "pipeline.methods.rwy",
    "jtt": "pipeline.methods.jtt",
    "dfr": "pipeline.methods.dfr",
    "repair": "pipeline.methods.repair",
}


def method_names() -> list[str]:
    """All methods, in the order of tables."""
    return list(MODULES)


def check_name(name: str) -> str:
    """The name, if it is a method's.

    Raises:
        ValueError: it is not; with what was meant, where that is near, and all that there are.
    """
    if name not in MODULES:
        hint = did_you_mean(name, MODULES) or "."
        raise ValueError(f"not a training method{hint} Known: {', '.join(MODULES)}")
    return name


MethodName = Annotated[str, AfterValidator(check_name)]
