"""Memory that is freed and kept."""

from __future__ import annotations

import platform
import resource

import pytest

from tests.fixtures.fresh_process import run_fresh

pytestmark = pytest.mark.slow
FAULTS = """
import os, resource, torch
from pipeline.core.memory import keep_freed_memory, return_freed_memory

for call in (lambda: None, keep_freed_memory, lambda: (keep_freed_memory(), return_freed_memory())):
    if os.fork():  # loading torch takes longer than all that is measured
        assert os.wait()[1] == 0
        continue
    call()
    for _ in range(20):  # until the heap has settled
        torch.empty(16 * 2**20).fill_(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.empty(16 * 2**20).fill_(1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives the blocks back")
def test_freed_memory_is_used_again() -> None:
    """Counted are pages that the kernel had to provide for using a block of 64 MB three times."""
    n_pages = 64 * 2**20 // resource.getpagesize()
    without, kept, returned = map(int, run_fresh(FAULTS).split())
    assert without > 2 * n_pages, "without it every use begins with new pages"
    assert kept < n_pages / 10
    assert returned > 2 * n_pages


RESIDENT = """
import torch
from pipeline.core.memory import keep_freed_memory, return_freed_memory
keep_freed_memory()
block = torch.ones(64 * 2**20)
del block
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
before = resident()
return_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps the blocks")
def test_freed_memory_is_given_back() -> None:
    n_pages = 256 * 2**20 // resource.getpagesize()
    assert int(run_fresh(RESIDENT)) > 0.9 * n_pages


def test_garbage_is_collected_as_soon_as_a_command_is_loaded() -> None:
    state = run_fresh(
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
    state = run_fresh(
        "import gc\nfrom pipeline.core.memory import loaded\nloaded()\nprint(gc.get_freeze_count())"
    )
    assert state == "0"
