"""contracts.runtime.memory: within, freed blocks stay; afterwards they go back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from contracts.runtime.memory import freed_memory_kept

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def touched():
    before = faults()
    for _ in range(10):
        np.empty(48 << 20, np.uint8).fill(1)
    return faults() - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

outside, small = touched(), resident()
with freed_memory_kept():
    np.empty(48 << 20, np.uint8).fill(1)
    within, held = touched(), resident() - small
after, left = touched(), resident() - small
pages = (48 << 20) / resource.getpagesize()
print(outside / pages, within / pages, after / pages, held / pages, left / pages)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_pages_are_fetched_once() -> None:
    """Pages fetched by ten blocks: all where memory goes back (huge ones: fewer), none where it stays."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    outside, within, after, held, left = map(float, run.stdout.split())
    assert within < 0.1 * outside
    assert after > 0.5 * outside
    assert held > 0.9
    assert left < 0.1
