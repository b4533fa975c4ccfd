"""Decoding, validation and encoding of COCO run-length codes."""

from typing import Any

import numpy as np
import pycocotools.mask

_mask_api: Any = pycocotools.mask  # its own annotations leave out codes that are not compressed


def read_run_lengths(code: bytes) -> np.ndarray:
    """The run lengths [R] int64 of a compressed code, background first.

    Each number is written in groups of 5 bits, low bits first, as characters from "0" on; bit 5 says that
    more groups follow, bit 4 of the last group is the sign. From the fourth number on, the difference to the
    second-last one is stored.

    Raises:
        ValueError: characters outside of the code, or the last number is cut off.
    """
    groups = np.frombuffer(code, np.uint8).astype(np.int64) - 48
    if len(groups) == 0 or groups.min() < 0 or groups.max() > 63 or groups[-1] & 32:
        raise ValueError("the run-length code is damaged")
    last = np.flatnonzero((groups & 32) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(len(groups)) - np.repeat(first, last - first + 1)
    if place.max() > 10:  # more than 55 bits: no run is that long
        raise ValueError("the run-length code is damaged")
    lengths = np.add.reduceat((groups & 31) << (5 * place), first)
    negative = (groups[last] & 16) != 0
    lengths[negative] -= np.int64(1) << (5 * (place[last][negative] + 1))
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])  # the third number is the first that the fifth refers to
    return lengths


def read_counts(counts: Any) -> np.ndarray:
    """The run lengths [R] int64 in the "counts" of a json's RLE object: text, or a list of whole numbers.

    Raises:
        ValueError: they are of another type, or damaged.
    """
    if type(counts) is str:
        return read_run_lengths(counts.encode("ascii"))
    if type(counts) is not list or not set(map(type, counts)) <= {int}:
        raise ValueError("the counts of a run-length code must be text or whole numbers")
    try:
        return np.array(counts, np.int64)
    except OverflowError:
        raise ValueError("the run-length code is damaged") from None


def compress(lengths: list[int], size: tuple[int, int]) -> bytes:
    """Run lengths, background first and adding up to height x width, as a compressed code."""
    return _mask_api.frPyObjects({"size": list(size), "counts": lengths}, *size)["counts"]
