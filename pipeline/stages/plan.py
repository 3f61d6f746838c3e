"""Stage `plan`: what every other stage is to do, and that it may.

It runs before all others, whenever `params.yaml` or code changed. DVC reruns a stage only when its plan is
another; what nobody's plan mentions, such as the number of workers, reruns nothing.
"""

from __future__ import annotations

import logging

from pipeline.artifacts.running import exclusive
from pipeline.plan.guard import check_all_outputs
from pipeline.plan.params_file import read_params
from pipeline.plan.write import write_plans

_log = logging.getLogger(__name__)


def run() -> None:
    """That no source lies among outputs, reading params checks."""
    params = read_params()
    check_all_outputs(params)
    with exclusive("plan"):
        write_plans(params)
    _log.info("planned: %s", ", ".join(params.active))
