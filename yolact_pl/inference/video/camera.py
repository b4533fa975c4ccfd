"""Frames of a camera connected to this computer."""

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from yolact_pl.inference.video.reader import FINE_TIME_BASE, USUAL_RATE, Frame, VideoError, VideoReader

_MAX_RATE = 240.0


class Camera:
    """Counterpart of `VideoReader` for cameras, through OpenCV, which numbers cameras on all systems.

    Args:
        index: 0 for the first one.

    Raises:
        VideoError: it does not exist, or another program uses it.
    """

    path: Path | None = None
    live = True
    num_frames: int | None = None
    time_base: Fraction = FINE_TIME_BASE

    def __init__(self, index: int) -> None:
        self.name, self.stem = f"camera {index}", f"camera{index}"
        self.num_read = 0
        # OpenCV logs every backend that it tries.
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            raise VideoError(
                f"{self.name} cannot be opened: check that it is connected and that no other program uses it"
            )
        announced = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = announced if 0 < announced <= _MAX_RATE else USUAL_RATE

    def __iter__(self) -> Iterator[Frame]:
        """The frames, until the camera gives none; raises VideoError if there is no frame at all."""
        start = None
        try:
            while True:
                read, image = self._capture.read()
                if not read or image is None:
                    break
                now = time.monotonic()
                start = now if start is None else start
                self.num_read += 1
                pixels = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), dtype=np.uint8)
                yield Frame(self.num_read - 1, now - start, pixels)
        finally:
            self.close()
        if self.num_read == 0:
            raise VideoError(f"{self.name} gives no picture: check that no other program uses it")

    def close(self) -> None:
        """Release the camera; to be called by the thread that iterates."""
        self._capture.release()

    def shortfall(self) -> str | None:
        """None: a camera announces no end."""
        return None


def open_video(source: str | int | Path) -> VideoReader | Camera:
    """The frames of a video file, a stream (its URL) or a camera (its number, also as text).

    Raises:
        VideoError: it does not exist or cannot be opened.
    """
    if str(source).isdecimal():
        return Camera(int(str(source)))
    return VideoReader(str(source))
