"""Entry point of `python -m pipeline` and of `shortcut-audit`."""

import gc
import sys

# libraries make millions of objects while they load, none of them garbage: see `core.memory.loaded`
gc.disable()

from pipeline.cli.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
