"""What a process need not load, it does not load."""

from __future__ import annotations

from tests.fixtures.fresh_process import run_fresh


def test_an_optimizer_that_takes_no_step_does_not_load_the_compiler() -> None:
    loaded = run_fresh(
        "import sys, torch\n"
        "from types import SimpleNamespace\n"
        "from pipeline.train.schedule import build_optimizer\n"
        "for name in ('sgd', 'adamw', 'adam', 'lion'):\n"
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
