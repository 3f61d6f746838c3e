"""Entry point of `python -m pipeline`."""

import sys

from pipeline.stages.cli import main

sys.exit(main())
