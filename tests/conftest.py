"""One thread per test process: workers do not fight over cores, and training gives the same numbers."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere
