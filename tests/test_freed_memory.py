"""Run in processes of their own: what is set holds for the whole process."""

import os
import platform
import subprocess
import sys
from textwrap import dedent

import pytest

COUNT = dedent(
    """
    import resource, sys
    import torch
    from yolact_pl.freed_memory import keep_freed_memory
    if sys.argv[1] == "keep":
        print(keep_freed_memory(), keep_freed_memory())
    def maps():
        last = None
        for mib in (19, 5, 19, 10, 25, 2, 30, 28):
            last = torch.empty(mib << 20, dtype=torch.uint8).fill_(1), last and last[0]
    for _ in range(5):
        maps()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        maps()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
)


def run(argument: str, **environment: str) -> list[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    result = subprocess.run(
        [sys.executable, "-c", COUNT, argument],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_same_memory_serves_the_next_maps() -> None:
    """138 MiB of maps are 35,328 pages."""
    first, second, faults = run("keep")
    assert first == second == "True"
    assert int(faults) < 1000
    (by_default,) = run("")
    if int(by_default) < 10_000:
        pytest.skip("here freed memory is kept without being told (layout of the heap, large pages)")


def test_settings_of_the_environment_stay() -> None:
    assert run("keep", MALLOC_TRIM_THRESHOLD_="1000000")[:2] == ["False", "False"]
