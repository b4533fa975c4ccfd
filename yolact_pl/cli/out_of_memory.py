"""Exhausted memory of a GPU or of the machine, in one sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_OF_GPU = re.compile(r"(CUDA|MPS|HIP|XPU).*out of memory", re.IGNORECASE | re.DOTALL)
_OF_CPU = re.compile(r"can't allocate memory|not enough memory|Cannot allocate memory")


class OutOfMemoryError(ValueError):
    """The memory does not suffice."""


@contextmanager
def memory_in_words(remedy: str) -> Iterator[None]:
    """Turns what torch and Python say of exhausted memory into one sentence.

    Args:
        remedy: what to lower, in the words of the command line.

    Raises:
        OutOfMemoryError: memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error)
        if isinstance(error, torch.cuda.OutOfMemoryError) or _OF_GPU.search(said):
            raise OutOfMemoryError(f"the memory of the GPU is not enough: {remedy}") from error
        if isinstance(error, MemoryError) or _OF_CPU.search(said):
            raise OutOfMemoryError(f"the memory of this machine is not enough: {remedy}") from error
        raise
