"""A camera, with OpenCV's replaced by one that has a few pictures."""

import itertools
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from yolact_pl.inference.video.camera import Camera, open_video
from yolact_pl.inference.video.reader import VideoError, VideoReader
from yolact_pl.inference.video.writer import VideoWriter


class FakeCapture:
    """Gives so many gray pictures, each lighter than the one before, one every 20 ms."""

    pictures = 5
    rate = 50.0
    released = False

    def __init__(self, index: int) -> None:
        assert index == 3
        self.count = 0

    def isOpened(self) -> bool:
        return True

    def get(self, kind: int) -> float:
        return self.rate if kind == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.count == self.pictures:
            return False, None
        time.sleep(0.02)
        self.count += 1
        picture = np.full((48, 64, 3), 40 * self.count, np.uint8)
        picture[..., 0] = 7  # blue: OpenCV has BGR
        return True, picture

    def release(self) -> None:
        type(self).released = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Capture(FakeCapture):
        pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    return Capture


@pytest.mark.parametrize("source", [3, "3"])
def test_pictures_as_they_come(source: int | str, fake: Any) -> None:
    camera = open_video(source)
    assert isinstance(camera, Camera)
    assert (camera.name, camera.stem, camera.live, camera.path) == ("camera 3", "camera3", True, None)
    assert (camera.rate, camera.num_frames) == (50, None)
    frames = list(camera)
    assert [frame.index for frame in frames] == list(range(5))
    assert [frame.image[0, 0].tolist() for frame in frames] == [[40 * n, 40 * n, 7] for n in range(1, 6)]
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert all(after - before >= 0.02 for before, after in itertools.pairwise(times))
    assert fake.released
    assert camera.shortfall() is None


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e5])
def test_a_camera_that_does_not_know_its_rate(rate: float, fake: Any) -> None:
    fake.rate = rate
    assert Camera(3).rate == 25


def test_a_camera_without_a_picture(fake: Any) -> None:
    fake.pictures = 0
    with pytest.raises(VideoError, match="camera 3 gives no picture"):
        list(Camera(3))
    assert fake.released


def test_a_file_of_a_camera_keeps_its_pace(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Camera(3)
    with VideoWriter(tmp_path / "clip.mp4", camera.rate, time_base=camera.time_base) as writer:
        seen = []
        for frame in camera:
            writer.write(frame.image, frame.time)
            seen.append(frame.time)
    monkeypatch.undo()
    written = [frame.time for frame in VideoReader(tmp_path / "clip.mp4")]
    assert written == pytest.approx(seen, abs=1e-4)
