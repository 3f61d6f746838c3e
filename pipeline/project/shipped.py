"""The files of a project as the package carries them: this repository's own, byte for byte.

Those at the top of the repository are the ones to edit; `make shipped` copies them here, and a test compares.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.plan.schema import SCHEMA_PATH, schema_text

FILES = Path(__file__).parent / "files"
COPIES = {
    "dvc.yaml": "stages.yaml",  # DVC runs every dvc.yaml that it finds, in environments below a project, too
    "params.yaml": "params.yaml",
    ".dvcignore": "dvcignore",
    ".dvc/plots/method_curves.json": "method_curves.json",
    ".dvc/plots/method_groups.json": "method_groups.json",
    ".dvc/plots_page.html": "plots_page.html",
}  # in a project -> in `FILES`
FOR_PLOTS = tuple(name for name in COPIES if name.startswith(".dvc/"))  # these lie at DVC's root


def shipped(name: str) -> str:
    """The text of one file of a project.

    Raises:
        InputError: a project has no such file.
    """
    if name == str(SCHEMA_PATH):
        return schema_text()
    if name not in COPIES:
        raise InputError(
            f"init writes no file {name!r}. It writes: {', '.join([*COPIES, str(SCHEMA_PATH)])}."
        )
    return (FILES / COPIES[name]).read_text(encoding="utf-8")
