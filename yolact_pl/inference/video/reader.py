"""Frames of a video file or stream, upright and with their times."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from yolact_pl.inference.video.address import is_url, stream_stem, without_password
from yolact_pl.inference.video.upright import upright

USUAL_RATE = 25.0
FINE_TIME_BASE = Fraction(1, 90_000)
"""Seconds; whole for all usual frame rates."""
_USUAL_MAX_RATE = 120.0
"""Frames a second above which a header is checked: browsers announce their clock's rate instead."""
_PACKETS_TO_CHECK = 64
_SECONDS_TO_WAIT = 10.0
_LOST = 0.01  # share of the duration by which headers may be wrong
_LOST_FRAMES, _LOST_SECONDS = 2, 2.0


class VideoError(ValueError):
    """A video that cannot be used; the message is one sentence that names it."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video."""

    index: int
    """Number of frames before it."""
    time: float
    """Seconds since the first frame."""
    image: NDArray[np.uint8]
    """[H, W, 3] RGB."""


class VideoReader:
    """The frames of a video, each once and in order, as a player displays them: upright, with square pixels.

    Iterate once; the source is closed at the end of the iteration, or by `close`.

    Args:
        source: a video file, or the URL of a stream.

    Raises:
        VideoError: it does not exist or cannot be opened.
    """

    name: str
    """For messages; without the password that a URL may have."""
    stem: str
    """For the names of output files."""
    path: Path | None
    """Of the file; None for a stream."""
    live: bool
    """Frames arrive in real time, and without a known end."""
    rate: float
    """Average number of frames a second."""
    time_base: Fraction
    """In seconds; all times are multiples of it."""
    num_frames: int | None
    """Expected number of frames; None where the header does not tell."""
    num_read: int
    """Number of frames decoded so far."""

    def __init__(self, source: str | Path) -> None:
        url = is_url(source)
        self.path = None if url else Path(source).expanduser()
        if self.path is None:
            self.name, self.stem = without_password(str(source)), stream_stem(str(source))
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
        streams = (self._stream, *self._container.streams.audio)
        self._packets = self._container.demux(streams)
        self._first_packets: list[Packet] = []
        self._announced = self._stream.frames
        self._pixel_aspect = self._stream.sample_aspect_ratio
        self._own = self._announced > 0 and self._stream.duration is not None
        self._origin, self._seconds = self._extent()
        self._end = self._origin
        self.live = url and self._seconds is None
        own = None if self.live else self._stream.time_base
        self.time_base = own or FINE_TIME_BASE
        if not self.live:
            self._stream.thread_type = "AUTO"
        self.rate = self._find_rate()
        self.num_frames = self._expected_frames()
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
                yield Frame(self.num_read - 1, self._time, upright(frame, self._pixel_aspect))
        finally:
            self.close()
        if self.num_read == 0:
            raise VideoError(f"{self.name} has no frame that can be decoded: give another file or source")

    def close(self) -> None:
        """Close the source; to be called by the thread that iterates."""
        self._container.close()

    def shortfall(self) -> str | None:
        """After the iteration: where it ended if the header announces more; None if nothing is missing."""
        if self.live or self._seconds is None:
            return None
        reached = self._end - self._origin
        slack = _LOST_FRAMES / self.rate if self._announced else _LOST_SECONDS
        if reached >= self._seconds * (1 - _LOST) - slack:
            return None
        if self._announced:
            return f"after {self.num_read} of {self._announced} frames"
        return f"after {reached:.1f} of {self._seconds:.1f} seconds"

    def _extent(self) -> tuple[float, float | None]:
        """Start and duration in seconds: of the frames where they are counted, else of frames and sound."""
        if self._own and self._stream.duration is not None and self._stream.time_base is not None:
            start = (self._stream.start_time or 0) * self._stream.time_base
            duration = self._stream.duration * self._stream.time_base
            if self._container.format.name == "avi" and self._stream.average_rate:
                duration = self._announced / self._stream.average_rate  # FFmpeg fits the other to cut files
            return float(start), float(duration)
        # Matroska counts the duration from time 0, all others from the first frame or sound.
        absolute = "matroska" in self._container.format.name
        start = 0 if absolute else self._container.start_time or 0
        duration = self._container.duration
        return start / av.time_base, None if duration is None else duration / av.time_base

    def _find_rate(self) -> float:
        """The header's frame rate if it is plausible, else that of the first packets."""
        announced = [rate for rate in (self._stream.average_rate, self._stream.guessed_rate) if rate]
        rate = float(announced[0]) if announced else USUAL_RATE
        if rate <= _USUAL_MAX_RATE or self.live:
            return rate if 0 < rate <= _USUAL_MAX_RATE else USUAL_RATE
        for packet in self._demuxed():
            self._first_packets.append(packet)
            if len(self._first_packets) == _PACKETS_TO_CHECK:
                break
        found = [_seconds_of(p) for p in self._first_packets if p.stream.index == self._stream.index]
        times = sorted(time for time in found if time is not None)
        return (
            (len(times) - 1) / (times[-1] - times[0])
            if len(times) > 1 and times[-1] > times[0]
            else USUAL_RATE
        )

    def _expected_frames(self) -> int | None:
        """As announced, or as many as fit the duration, which edit lists make shorter."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            seconds = float(self._stream.duration * self._stream.time_base)
        elif self._seconds is not None:
            seconds = self._seconds + self._origin - (self._container.start_time or 0) / av.time_base
        else:
            return self._announced or None
        fitting = max(1, round(seconds * self.rate))
        return self._announced if 0 < self._announced * 0.9 <= fitting else fitting

    def _demuxed(self) -> Iterator[Packet]:
        """All packets up to the end, or to where the file is cut or the stream broke off."""
        while True:
            try:
                yield next(self._packets)
            except (FFmpegError, StopIteration):
                return

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Frames in display order; damaged packets are skipped."""
        for packet in itertools.chain(self._first_packets, self._demuxed(), [None]):
            if packet is not None:
                is_frame = packet.stream.index == self._stream.index
                if is_frame or not self._own:
                    self._end = max(self._end, _seconds_of(packet, end=True) or 0.0)
                if not is_frame:
                    continue
            try:
                yield from self._stream.decode(packet)
            except FFmpegError:
                continue

    def _now(self, frame: av.VideoFrame) -> float:
        """Seconds, counted from anywhere."""
        if self.live:
            return time.monotonic()
        return self.num_read / self.rate if frame.time is None else frame.time


def has_pictures(path: Path) -> bool:
    """Whether a file is a video: neither sound with a cover picture nor text, which FFmpeg would draw."""
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as container:
            videos = container.streams.video
            return container.format.name != "tty" and any(
                not stream.disposition & Disposition.attached_pic for stream in videos
            )
    except (FFmpegError, OSError, ValueError):
        return False


def _seconds_of(packet: Packet, *, end: bool = False) -> float | None:
    """Time at which a packet is due, or ends; None for one without time."""
    ticks = packet.dts if packet.pts is None else packet.pts
    if ticks is None or packet.time_base is None:
        return None
    return float((ticks + (packet.duration or 0 if end else 0)) * packet.time_base)


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
