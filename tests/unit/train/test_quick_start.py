"""What a process need not load, it does not load; what loads once, loads once."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_optimizer_that_takes_no_step_does_not_load_the_compiler() -> None:
    loaded = run(
        "import sys, torch\n"
        "from types import SimpleNamespace\n"
        "from pipeline.train.schedule import build_optimizer\n"
        "for name in ('sgd', 'adamw'):\n"
        "    settings = SimpleNamespace(\n"
        "        optimizer=name, lr=0.1, momentum=0.9, weight_decay=0.0, compile=False\n"
        "    )\n"
        "    model = torch.nn.Linear(2, 2)\n"
        "    optimizer = build_optimizer(model, settings)\n"
        "    optimizer.zero_grad()\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert loaded == "False"


def test_garbage_is_collected_as_soon_as_a_command_is_loaded() -> None:
    state = run(
        "import gc\n"
        "import pipeline.__main__\n"
        "assert not gc.isenabled()\n"
        "from pipeline.cli.main import main\n"
        "from pipeline.core.memory import loaded\n"
        "loaded()\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    )
    assert state == "True True"


def test_it_leaves_a_process_alone_that_collects_already() -> None:
    state = run("import gc\nfrom pipeline.core.memory import loaded\nloaded()\nprint(gc.get_freeze_count())")
    assert state == "0"
