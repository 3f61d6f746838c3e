"""Tasks side by side: the same results whatever the workers, kills, errors and executors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.arrays import load_arrays
from pipeline.core.errors import ArtifactError, InputError, TaskError
from pipeline.core.memory import available_cores
from pipeline.parallel.fan_out import fan_out
from tests import ROOT
from tests.fixtures.fan_out_tasks import draw, fail, note_and_wait

pytestmark = pytest.mark.slow

DRAWS = {f"seed_{seed}": (seed,) for seed in range(5)}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a killed orphan may wait for its new parent to take note
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.05)


def test_results_do_not_depend_on_workers_or_executor(tmp_path: Path) -> None:
    one = fan_out(draw, DRAWS, folder=tmp_path / "one", workers=1, label="draw")
    two = fan_out(draw, DRAWS, folder=tmp_path / "two", workers=2, label="draw")
    jobs = fan_out(draw, DRAWS, folder=tmp_path / "jobs", workers=2, label="draw", executor="submitit_local")
    assert list(one) == list(two) == list(jobs) == list(DRAWS)
    pids = {int(load_arrays(path)["pid"]) for path in two.values()}
    assert len(pids) == 2, "each process takes several tasks"
    assert os.getpid() not in pids
    for name in DRAWS:
        first, second, third = (load_arrays(files[name]) for files in (one, two, jobs))
        np.testing.assert_array_equal(first["product"], second["product"])
        np.testing.assert_array_equal(first["product"], third["product"])
        for found in (first, second, third):
            assert set(found["threads"].tolist()) == {1}


def test_the_environment_is_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    fan_out(draw, {"a": (1,)}, folder=tmp_path, workers=1, label="draw")
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_whole_results_stay_and_damaged_ones_are_made_again(tmp_path: Path) -> None:
    tasks = {name: (tmp_path, name, 0.0) for name in ("first", "second", "third")}
    files = fan_out(note_and_wait, tasks, folder=tmp_path / "out", workers=1, label="wait")
    content = bytearray(files["second"].read_bytes())
    content[len(content) // 2] ^= 255
    files["second"].write_bytes(content)
    (tmp_path / "out" / ".third.npz.abc.part").write_bytes(b"half")
    again = fan_out(note_and_wait, tasks, folder=tmp_path / "out", workers=1, label="wait")
    runs = {name: len((tmp_path / f"{name}.pids").read_text().split()) for name in tasks}
    assert runs == {"first": 1, "second": 2, "third": 1}
    assert float(load_arrays(again["second"])["value"]) == 6
    assert not list((tmp_path / "out").glob(".*.part"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("input", "bad: there are no cats: collect some"),
        ("bug", "(?s)bad: ZeroDivisionError: of what.*Traceback"),
        ("kill", "bad: its process was killed"),
    ],
)
def test_a_failure_names_its_task_and_keeps_the_others(tmp_path: Path, kind: str, message: str) -> None:
    fan_out(draw, {"good": (1,)}, folder=tmp_path, workers=1, label="draw")
    with pytest.raises(TaskError, match=message):
        fan_out(fail, {"good": ("input",), "bad": (kind,)}, folder=tmp_path, workers=1, label="fail")
    assert (tmp_path / "good.npz").exists()
    assert not (tmp_path / "bad.npz").exists()


def test_a_failing_job_names_its_task(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="bad: there are no cats"):
        fan_out(
            fail, {"bad": ("input",)}, folder=tmp_path, workers=1, label="fail", executor="submitit_local"
        )


def test_a_killed_run_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    names = ["a", "bb", "ccc", "dddd"]
    script = f"""
from pathlib import Path
from pipeline.parallel.fan_out import fan_out
from tests.fixtures.fan_out_tasks import note_and_wait
if __name__ == "__main__":
    tasks = {{n: (Path({str(tmp_path)!r}), n, 0.0 if len(n) < 3 else 60.0) for n in {names!r}}}
    fan_out(note_and_wait, tasks, folder=Path({str(tmp_path / "out")!r}), workers=2, label="wait")
"""
    program = tmp_path / "program.py"
    program.write_text(script)
    process = subprocess.Popen([sys.executable, str(program)], env=os.environ | {"PYTHONPATH": str(ROOT)})
    slow = [tmp_path / f"{name}.pids" for name in names[2:]]
    wait_until(lambda: all(path.exists() and path.read_text() != "" for path in slow))
    workers = {int(path.read_text()) for path in slow}
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in workers), seconds=20)
    tasks = {name: (tmp_path, name, 0.0) for name in names}
    files = fan_out(note_and_wait, tasks, folder=tmp_path / "out", workers=2, label="wait")
    assert [float(load_arrays(path)["value"]) for path in files.values()] == [1, 2, 3, 4]
    runs = [len((tmp_path / f"{name}.pids").read_text().split()) for name in names]
    assert runs == [1, 1, 2, 2]


def test_wrong_input_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"task name '\.\./up' is not allowed"):
        fan_out(draw, {"../up": (1,)}, folder=tmp_path, workers=1, label="draw")
    with pytest.raises(InputError, match=r"retrain\.submitit"):
        fan_out(
            draw, DRAWS, folder=tmp_path, workers=1, label="draw",
            executor="submitit_local", submitit={"partitoin": "cpu"},
        )  # fmt: skip
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="set executor: local"):
        fan_out(draw, DRAWS, folder=tmp_path, workers=1, label="draw", executor="slurm")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match=r"pip install 'shortcut-audit\[submitit\]'"):
        fan_out(draw, DRAWS, folder=tmp_path, workers=1, label="draw", executor="slurm")
    with pytest.raises(ArtifactError, match="does not exist"):
        load_arrays(tmp_path / "none.npz")
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_arrays(tmp_path / "damaged.npz")


@pytest.mark.parametrize(("environment", "there"), [({}, True), ({"WORLD_SIZE": "2"}, False)])
def test_workers_find_loaded_what_was_begun(tmp_path: Path, environment: dict[str, str], there: bool) -> None:
    script = tmp_path / "begun.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from pipeline.parallel.fan_out import fan_out\n"
        "from pipeline.parallel.local_processes import begin_workers\n"
        "def look():\n"
        "    return {'there': np.array('colorsys' in sys.modules)}\n"
        "if __name__ == '__main__':\n"
        "    begin_workers('colorsys')\n"
        "    folder = Path(sys.argv[1])\n"
        "    found = fan_out(look, {'a': (), 'b': ()}, folder=folder, workers=2, label='look')\n"
        "    assert 'colorsys' not in sys.modules\n"
        "    print(*(bool(np.load(path)['there']) for path in found.values()))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "results")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    can = there and available_cores() > 1
    assert done.stdout.split() == [str(can)] * 2
