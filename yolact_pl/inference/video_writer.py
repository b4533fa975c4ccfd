"""Pictures into a video file."""

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.video_reader import VideoError

CODECS = {
    ".mp4": ("avc1", "mp4v"),
    ".mov": ("avc1", "mp4v"),
    ".mkv": ("avc1", "mp4v"),
    ".avi": ("MJPG",),
    ".webm": ("VP80",),
}
"""For each kind of file the codecs to try: H.264 where OpenCV was built with it."""

_MIN_SIDE = 16  # some encoders overrun their buffers below
_MAX_HOLD_SECONDS = 60.0


class VideoWriter:
    """Writes frames at a constant rate; the file is complete and can be played after `close`.

    Frames with times of their own keep them: the one before is repeated until its successor is due. Width
    and height are made even, as most codecs need it, by repeating the last column and row. The file is
    created with the first frame. Use it as a context manager.

    Args:
        path: .mp4, .mov, .mkv, .avi or .webm; its folder is created.
        rate: frames a second.

    Raises:
        VideoError: another suffix.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path = Path(path)
        self.rate = rate
        self.num_written = 0
        self.num_repeated = 0
        self._writer: cv2.VideoWriter | None = None
        self._last: NDArray[np.uint8] | None = None
        self._size = (0, 0)
        self._skipped = 0
        if self.path.suffix.lower() not in CODECS:
            raise VideoError(f"video file {path} must end in one of {' '.join(CODECS)}")

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append a picture.

        Args:
            image: [H, W, 3] RGB; one of another size than the first is fitted to it.
            time: seconds after the first one at which it is due; its predecessor stays until then.

        Raises:
            VideoError: the file cannot be created.
        """
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._open(_encodable(image, self._size))
        missing = round(time * self.rate) - self._skipped - self.num_written
        if missing > _MAX_HOLD_SECONDS * self.rate:  # a clock that jumped, not a picture that stood still
            self._skipped += missing
            missing = 0
        if self._last is not None:
            for _ in range(missing):
                self._append(self._last)
                self.num_repeated += 1
        self._last = _encodable(image, self._size)
        self._append(self._last)

    def close(self) -> None:
        """Complete the file.

        Raises:
            VideoError: what was written is no video, for example for want of space.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        written = cv2.VideoCapture(str(self.path))
        complete = written.isOpened()
        written.release()
        if not complete:
            raise VideoError(f"video {self.path} could not be completed: check the free space of the disk")

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except VideoError:
            if error is None:  # what went wrong first says more
                raise

    def _append(self, picture: NDArray[np.uint8]) -> None:
        assert self._writer is not None
        self._writer.write(picture)
        self.num_written += 1

    def _open(self, picture: NDArray[np.uint8]) -> cv2.VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        height, width = picture.shape[:2]
        for codec in CODECS[self.path.suffix.lower()]:
            four = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, four, self.rate, (width, height))
            if writer.isOpened():
                return writer
        raise VideoError(
            f"video {self.path} of {width}x{height} pixels cannot be written: check that the folder can be "
            f"written to, or take another format ({' '.join(CODECS)})"
        )


def _encodable(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """BGR, of that (width, height) made even and large enough for all encoders."""
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if (image.shape[1], image.shape[0]) != size:
        picture = cv2.resize(picture, size)
    right = max(_MIN_SIDE, size[0] + size[0] % 2) - size[0]
    below = max(_MIN_SIDE, size[1] + size[1] % 2) - size[1]
    if right or below:
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(picture, dtype=np.uint8)
