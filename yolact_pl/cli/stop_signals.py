"""Ctrl+C and SIGTERM as a wish that a task can fulfil in its own time."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """The signals that asked for an end, as they come; after the first one the next has its usual effect."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = (signal.SIGINT, signal.SIGTERM)

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for again in numbers:
            signal.signal(again, previous[again])
        os.write(2, b"\ncompleting the files; once more to stop at once\n")

    previous = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield received
    finally:
        for number in numbers:
            signal.signal(number, previous[number])
