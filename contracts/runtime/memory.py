"""How the C library hands memory back to the system while a network is trained."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""mallopt's names: bytes free at the end of the heap above which they go back; blocks that are mapped one by one."""
USUAL = {TRIM_THRESHOLD: 128 * 1024, MMAP_MAX: 65536}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within: what is freed stays with this process, for the next block of that size.

    Every step of a training frees gradients of dozens of megabytes and asks for as much again. By default glibc gives
    each back and fetches fresh pages, that the system fills with zeros at first touch: without huge pages five times
    what it takes to write them. Of the whole process; where there is no glibc nothing changes. Afterwards all that is
    free goes back.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        for name, value in USUAL.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)
