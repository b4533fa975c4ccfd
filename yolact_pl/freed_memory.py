"""Memory of large arrays on the CPU."""

import ctypes
import functools
import os
import sys

KEPT = 256 << 20
LARGEST_ARRAY = 32 << 20  # more is not allowed
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@functools.cache
def keep_freed_memory() -> bool:
    """Have this process keep up to 256 MiB of memory that it no longer uses, for what comes next.

    By itself glibc gives memory at the end of its heap back to the system soon after an array is freed, and
    gets it page by page for the next one: 5 to 10 % of the time of a network at 550 px, more of a training
    sample's.

    Returns:
        Whether it does so now. Not with another C library, nor if the environment has settings of its own.
    """
    if sys.platform != "linux" or any(name in os.environ for name in SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    # To keep memory ends glibc's own adjustment, by which large arrays are not asked for one by one.
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_ARRAY) and mallopt(M_TRIM_THRESHOLD, KEPT))
