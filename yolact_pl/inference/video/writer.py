"""Frames to a video file, with the sound of another one."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from yolact_pl.inference.video.reader import FINE_TIME_BASE, VideoError
from yolact_pl.inference.video.sound import Sound

MAX_DENOMINATOR = 10_000  # of a frame rate: 30000/1001 is meant, not the nearest float
MIN_SIDE = 16  # some encoders overrun their buffers below
MPEG4_TIME_BASE = Fraction(1, 60_000)
"""Seconds; MPEG-4 stores the denominator in 16 bits."""
LONGEST_PAUSE = 3600
"""Seconds between two frames."""
BT709 = 1  # code of the color matrix, primaries and transfer
LIMITED, FULL = 1, 2  # codes of the value ranges 16..235 and 0..255


class Codec(NamedTuple):
    """Encoder settings."""

    name: str
    pixels: str
    """FFmpeg's name of the pixel format."""
    colors: str
    """FFmpeg's name of the conversion matrix from RGB."""
    range: int
    options: dict[str, str]


H264 = Codec("libx264", "yuv420p", "ITU709", LIMITED, {"preset": "veryfast", "crf": "23"})
MPEG4 = Codec("mpeg4", "yuv420p", "ITU601", LIMITED, {"b": "8M"})
VP8_FAST = {"deadline": "realtime", "cpu-used": "16", "crf": "10", "b": "8M"}
VP8 = Codec("libvpx", "yuv420p", "ITU601", LIMITED, VP8_FAST)
MJPEG = Codec("mjpeg", "yuvj420p", "ITU601", FULL, {"qmin": "3", "qmax": "3"})

CODECS = {
    ".mp4": (H264, MPEG4),
    ".mov": (H264, MPEG4),
    ".mkv": (H264, MPEG4),
    ".avi": (MJPEG,),
    ".webm": (VP8,),
}
"""Codecs to try per suffix: H.264 where FFmpeg was built with it."""


class VideoWriter:
    """Writes frames with their time stamps; the file can be played after `close`.

    Odd widths and heights are padded by repeating the last column and row, as most codecs need even ones. The
    file is created with the first frame. Use it as a context manager.

    Args:
        path: .mp4, .mov, .mkv, .avi or .webm; its folder is created.
        rate: average number of frames a second; an .avi has exactly this rate.
        time_base: in seconds; times are rounded to multiples of it.
        sound: a file whose sound is copied without re-encoding, up to the end of the frames.

    Raises:
        VideoError: another suffix.
    """

    def __init__(
        self,
        path: str | Path,
        rate: float,
        *,
        time_base: Fraction = FINE_TIME_BASE,
        sound: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.rate = Fraction(rate).limit_denominator(MAX_DENOMINATOR)
        self.time_base = 1 / self.rate if self.path.suffix.lower() == ".avi" else time_base
        self.num_written = 0
        self._sound_file = sound
        self._sound: Sound | None = None
        self._container: OutputContainer | None = None
        self._size = (0, 0)
        self._ticks, self._skipped = -1, 0
        if self.path.suffix.lower() not in CODECS:
            raise VideoError(f"video file {path} must end in one of {' '.join(CODECS)}")

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append a frame.

        Args:
            image: [H, W, 3] RGB; resized to the size of the first frame if necessary.
            time: seconds after the first frame; a time that is not after the previous one becomes the next
                possible time.

        Raises:
            VideoError: the file cannot be created or written.
        """
        try:
            if self._container is None:
                self._open(image)
            ticks = round(time / self.time_base) - self._skipped
            if ticks - self._ticks > LONGEST_PAUSE / self.time_base:  # a clock that jumped
                self._skipped += ticks - self._ticks - 1
                ticks = self._ticks + 1
            self._ticks = max(self._ticks + 1, ticks)
            picture = av.VideoFrame.from_ndarray(_encodable(image, self._size), format="rgb24")
            frame = picture.reformat(
                format=self._codec.pixels,
                dst_colorspace=self._codec.colors,
                dst_color_range=self._codec.range,
            )
            frame.pts, frame.time_base = self._ticks, self.time_base
            self._mux(frame)
        except (FFmpegError, OSError) as error:
            self._container = None  # completing a file that was not begun crashes the process
            raise VideoError(
                f"video {self.path} cannot be written: {_reason(error)}; check the folder and its free space"
            ) from error
        self.num_written += 1

    def close(self) -> None:
        """Complete the file.

        Raises:
            VideoError: it cannot be completed, for example because the disk is full.
        """
        container, self._container = self._container, None
        if container is None:
            return
        try:
            container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.copy_until(float(self._ticks * self.time_base + 1 / self.rate))
            container.close()
        except (FFmpegError, OSError) as error:
            raise VideoError(
                f"video {self.path} could not be completed: {_reason(error)}; check the disk's free space"
            ) from error
        finally:
            if self._sound is not None:
                self._sound.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except VideoError:
            if error is None:  # the first error is the more informative one
                raise

    def _open(self, image: NDArray[np.uint8]) -> None:
        self._size = (image.shape[1], image.shape[0])
        height, width = _encodable(image, self._size).shape[:2]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(str(self.path.absolute()), "w")  # a:b.mp4 would be a protocol
        codecs = CODECS[self.path.suffix.lower()]
        self._codec = next((codec for codec in codecs if codec.name in av.codecs_available), codecs[-1])
        if self._codec.name == "mpeg4":
            self.time_base = max(self.time_base, MPEG4_TIME_BASE)
        self._stream = container.add_stream(self._codec.name, rate=self.rate, options=self._codec.options)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = self._codec.pixels
        context = self._stream.codec_context
        context.time_base = self.time_base
        if self._codec.colors == "ITU709":
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = self._codec.range
        if self._sound_file is not None:
            self._sound = Sound(self._sound_file, container)
        container.start_encoding()
        self._container = container

    def _mux(self, frame: av.VideoFrame) -> None:
        assert self._container is not None
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.copy_until(float(self._ticks * self.time_base))


def _encodable(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resized to (width, height), then padded to even sides that all encoders support."""
    picture = image
    if (image.shape[1], image.shape[0]) != size:
        picture = np.asarray(cv2.resize(picture, size), dtype=np.uint8)
    right = max(MIN_SIDE, size[0] + size[0] % 2) - size[0]
    below = max(MIN_SIDE, size[1] + size[1] % 2) - size[1]
    if right or below:
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(picture, dtype=np.uint8)


def _reason(error: Exception) -> str:
    """The error text without FFmpeg's number and the file name."""
    return getattr(error, "strerror", None) or str(error)
