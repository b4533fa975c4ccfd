"""Frames out of a video file or a stream, upright and with their times."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

USUAL_RATE = 25.0
FINE_TIME_BASE = Fraction(1, 90_000)
"""Seconds; whole for all usual frame rates."""
_MAX_RATE = 1000.0
_SECONDS_TO_WAIT = 10.0
_LOST = 0.01  # headers may announce a few frames more than there are
_LOST_FRAMES, _LOST_SECONDS = 2, 2.0
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
        source: a video file, or the URL of a stream.

    Raises:
        VideoError: it does not exist or cannot be opened.
    """

    name: str
    """What messages call it; without the password that a URL may have."""
    stem: str
    """A name for files that are made of it."""
    path: Path | None
    """Of the file; None for a stream."""
    live: bool
    """Frames come at their own pace, and for as long as they like."""
    rate: float
    """Frames a second on average."""
    time_base: Fraction
    """Seconds: all times are multiples of it."""
    num_frames: int | None
    """How many there should be; None where the header does not say."""
    num_read: int
    """How many have been decoded so far."""

    def __init__(self, source: str | Path) -> None:
        url = is_url(source)
        self.path = None if url else Path(source).expanduser()
        if self.path is None:
            self.name, self.stem = _without_password(str(source)), _stream_stem(str(source))
        else:
            self.name, self.stem = str(source), self.path.stem
            _check_file(self.path)
        try:
            self._container = av.open(
                str(source if self.path is None else self.path.absolute()),  # a:b.mp4 would be a protocol
                options={"rtsp_transport": "tcp"} if str(source).lower().startswith("rtsp") else {},
                metadata_errors="ignore",
                timeout=_SECONDS_TO_WAIT if url else None,
            )
        except (FFmpegError, OSError, ValueError) as error:
            raise VideoError(_why_closed(self.name, url)) from error
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(f"{self.name} has no pictures, only sound or data: give another file or source")
        self._stream = self._container.streams.video[0]
        self._announced = self._stream.frames
        self._seconds = _duration(self._container, self._stream)
        self.rate = _rate(self._stream)
        self.live = url and self._seconds is None
        own = None if self.live else self._stream.time_base
        self.time_base = own or FINE_TIME_BASE
        if not self.live:
            self._stream.thread_type = "AUTO"
        self.num_frames = self._announced or (
            None if self._seconds is None else max(1, round(self._seconds * self.rate))
        )
        self.num_read = 0
        self._time = 0.0

    def __iter__(self) -> Iterator[Frame]:
        """The frames; with none at all, a VideoError."""
        start = None
        try:
            for frame in self._decoded():
                now = self._now(frame)
                start = now if start is None else start
                self._time = max(self._time, now - start)
                self.num_read += 1
                yield Frame(self.num_read - 1, self._time, upright(frame))
        finally:
            self.close()
        if self.num_read == 0:
            raise VideoError(f"{self.name} has no frame that can be decoded: give another file or source")

    def close(self) -> None:
        """Let the source go; to be called by the thread that iterates."""
        self._container.close()

    def shortfall(self) -> str | None:
        """After the iteration: where it ended, if the header announces more; None if nothing is missing."""
        if self.live:
            return None
        if self._announced:
            few = self.num_read < self._announced - max(_LOST_FRAMES, _LOST * self._announced)
            return f"after {self.num_read} of {self._announced} frames" if few else None
        if self._seconds is None or self._time > self._seconds * (1 - _LOST) - _LOST_SECONDS:
            return None
        return f"after {self._time:.1f} of {self._seconds:.1f} seconds"

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Frames in the order of showing; packets that are damaged are passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:  # a file that is cut here, a stream that broke off
                packet = None
            try:
                frames = self._stream.decode(packet)
            except FFmpegError:
                frames = []
            yield from frames
            if packet is None:
                return

    def _now(self, frame: av.VideoFrame) -> float:
        """Seconds, counted from anywhere."""
        if self.live:
            return time.monotonic()
        return self.num_read / self.rate if frame.time is None else frame.time


def is_url(source: object) -> bool:
    """Whether it is the address of a stream."""
    return _URL.match(str(source)) is not None


def upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """A decoded frame as [H, W, 3] RGB, turned by whole quarters as its header asks."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _rate(stream: av.VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _MAX_RATE:
            return float(rate)
    return USUAL_RATE


def _duration(container: InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds that the pictures last, as far as the header says."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


_EXPECTED = "expected a video file, a camera index or the URL of a stream"


def _check_file(path: Path) -> None:
    if not path.exists():
        raise VideoError(f"{path} does not exist: {_EXPECTED}")
    if not path.is_file():
        raise VideoError(f"{path} is not a file: {_EXPECTED}")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty: give another video file")


def _why_closed(name: str, url: bool) -> str:
    if url:
        return f"{name} cannot be opened: check the address, and that it can be reached from here"
    return f"{name} cannot be read as a video: it is damaged, cut off, or of a format unknown to FFmpeg"


def _without_password(url: str) -> str:
    """The address without user, password and query, which may hold a key."""
    return re.sub(r"(?<=://)[^/@]*@", "", url).split("?", 1)[0]


def _stream_stem(url: str) -> str:
    """Letters, digits and dashes of the address."""
    address = _without_password(url).split("://", 1)[1]
    return re.sub(r"[^A-Za-z0-9]+", "-", address).strip("-") or "stream"
