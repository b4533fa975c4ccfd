"""Frames out of a video file, a camera or a stream, upright and with their times."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_USUAL_RATE = 25.0
_MAX_RATE = 120.0
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")


class VideoError(ValueError):
    """A video that cannot be used; the message is one sentence that names it."""


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    index: int
    """How many came before it."""
    time: float
    """Seconds since the first one."""
    image: NDArray[np.uint8]
    """[H, W, 3] RGB."""


class VideoReader:
    """The frames of a video, each once and in order; turned upright as its header asks, as phones do.

    Iterate once; the source is let go at the end of the iteration, or by `close`.

    Args:
        source: a video file, a camera index (a number or its digits), or the URL of a stream.

    Raises:
        VideoError: it does not exist or cannot be opened.
    """

    name: str
    """What messages call it; without the password that a URL may have."""
    stem: str
    """A name for files that are made of it."""
    live: bool
    """Frames come at their own pace, and for as long as they like: a camera or a stream."""
    rate: float
    """Frames a second at which they are to be shown."""
    num_frames: int | None
    """How many the header announces; None where it does not say."""
    num_read: int
    """How many have been decoded so far."""

    def __init__(self, source: str | int | Path) -> None:
        text = str(source)
        path = Path(text).expanduser()
        camera = text.isdecimal()
        url = not camera and _URL.match(text) is not None
        if camera:
            self.name, self.stem = f"camera {text}", f"camera{text}"
        elif url:
            self.name, self.stem = _without_password(text), _stream_stem(text)
        else:
            self.name, self.stem = text, path.stem
            _check_file(path)
        place = text if url else str(path)
        self._capture = cv2.VideoCapture(int(text)) if camera else cv2.VideoCapture(place)
        if not self._capture.isOpened():
            raise VideoError(_why_closed(self.name, camera, url))
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.num_frames = count if count > 0 and not camera else None
        self.live = camera or (url and self.num_frames is None)
        self.num_read = 0
        times = [] if camera or url else packet_times(path)
        self.rate, self._constant = _rate(self._capture.get(cv2.CAP_PROP_FPS), times)

    def __iter__(self) -> Iterator[Frame]:
        """The frames; with none at all, a VideoError."""
        start = None
        try:
            while (image := self._next()) is not None:
                now = self._now()
                start = now if start is None else start
                self.num_read += 1
                yield Frame(self.num_read - 1, max(0.0, now - start), image)
        finally:
            self.close()
        if self.num_read == 0:
            raise VideoError(f"{self.name} has no frame that can be decoded: give another file or source")

    def close(self) -> None:
        """Let the file or the camera go; to be called by the thread that iterates."""
        self._capture.release()

    def _now(self) -> float:
        """Seconds, counted from anywhere, of the frame that was read last."""
        if self.live:
            return time.monotonic()
        if self._constant:
            return self.num_read / self.rate
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _next(self) -> NDArray[np.uint8] | None:
        try:
            read, image = self._capture.read()
        except cv2.error:  # damaged data: ends as a file that is cut here
            return None
        if not read or image is None:
            return None
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), dtype=np.uint8)


def packet_times(path: str | Path) -> list[float]:
    """Seconds of all frames that a file holds, in order of showing; read without decoding any.

    Empty where OpenCV's reader cannot tell.
    """
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    times = []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    return sorted(times)


def _rate(announced: float, times: list[float]) -> tuple[float, bool]:
    """Frames a second, and whether all frames keep to it.

    Where they do not, the rate is one at which short intervals are not made longer.
    """
    intervals = np.diff(times)
    if len(intervals) == 0 or not np.median(intervals) > 0:
        return (announced if 0 < announced <= _MAX_RATE else _USUAL_RATE), True
    if announced > 0 and np.abs(intervals * announced - 1).max() < 0.5:
        return announced, True
    return float(min(_MAX_RATE, 1 / max(np.percentile(intervals, 10), 1 / _MAX_RATE))), False


_EXPECTED = "expected a video file, a camera index or the URL of a stream"


def _check_file(path: Path) -> None:
    if not path.exists():
        raise VideoError(f"{path} does not exist: {_EXPECTED}")
    if not path.is_file():
        raise VideoError(f"{path} is not a file: {_EXPECTED}")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty: give another video file")


def _why_closed(name: str, camera: bool, url: bool) -> str:
    if camera:
        return f"{name} cannot be opened: check that it is connected and that no other program uses it"
    if url:
        return f"{name} cannot be opened: check the address, and that it can be reached from here"
    return f"{name} cannot be read as a video: it is damaged, cut off, or of a format unknown to OpenCV"


def _without_password(url: str) -> str:
    """The address without user, password and query, which may hold a key."""
    return re.sub(r"(?<=://)[^/@]*@", "", url).split("?", 1)[0]


def _stream_stem(url: str) -> str:
    """Letters, digits and dashes of the address."""
    address = _without_password(url).split("://", 1)[1]
    return re.sub(r"[^A-Za-z0-9]+", "-", address).strip("-") or "stream"
