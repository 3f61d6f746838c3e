"""Entry point of `python -m pipeline` and of `shortcut-audit`."""

import gc
import os
import sys

# libraries make millions of objects while they load, none of them garbage: see `core.memory.loaded`
gc.disable()

from pipeline.cli import main as command_line  # noqa: E402


def main() -> int:
    """Run the command that was typed.

    Python's helper processes look in the working directory first, for a user's `pipeline/` as well. Those of
    `shortcut-audit`, which does not look there, shall not either.
    """
    if not {"", os.getcwd()} & set(sys.path):
        os.environ["PYTHONSAFEPATH"] = "1"
    try:
        status = command_line.main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read along, as `head`, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
