"""Read `params.yaml`, the only place that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import InputError
from pipeline.plan.params import Params
from pipeline.plan.source_overlap import check_sources
from pipeline.settings.parsing import parse

PARAMS_PATH = Path("params.yaml")


def read_params(path: Path = PARAMS_PATH) -> Params:
    """Parse and validate the file.

    ruamel.yaml reads YAML 1.2 as DVC does: PyYAML would take `1e-3` for a string.

    Raises:
        InputError: missing, not YAML, not valid, or naming files that a run would delete.
    """
    if not path.exists():
        raise InputError(f"there is no {path} in {Path.cwd()}: run this in the project's root folder.")
    try:
        raw: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Restore it, for example with git."
        ) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path} must hold keys such as `active:` and `datasets:`.")
    params = parse(Params, raw)
    check_sources(params)
    return params
