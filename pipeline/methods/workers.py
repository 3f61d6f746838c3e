"""What processes that train load, once for all of them: they are forked from a process that has loaded this.

It loads, and runs no network: a process that has may not be forked.
"""

from __future__ import annotations

import gc

gc.disable()

import pipeline.methods.on_disk  # noqa: E402
import pipeline.methods.retraining  # noqa: E402, F401
from pipeline.core.memory import loaded  # noqa: E402

loaded()
