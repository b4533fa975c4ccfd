"""Progress bars of tasks."""

from typing import Any

from tqdm import tqdm

from yolact_pl.callbacks.progress import is_terminal

QUIET_SECONDS = 30.0


def progress_bar(total: int | None, unit: str) -> "tqdm[Any]":
    """A bar that counts up to `total`; where the output is no terminal, a line every half minute."""
    terminal = is_terminal()
    return tqdm(
        total=total,
        unit=unit,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else QUIET_SECONDS,
        maxinterval=10 if terminal else QUIET_SECONDS,
        delay=0 if terminal else QUIET_SECONDS,
    )
