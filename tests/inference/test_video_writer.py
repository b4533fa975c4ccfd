"""Written clips read again with OpenCV alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from yolact_pl.inference.video_reader import VideoError
from yolact_pl.inference.video_writer import CODECS, VideoWriter


def gray(level: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def read(path: Path) -> list[np.ndarray]:
    """BGR pictures as stored."""
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (picture := capture.read()[1]) is not None:
        pictures.append(picture)
    return pictures


def levels(path: Path) -> list[int]:
    return [round(float(picture.mean()) / 20) for picture in read(path)]


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_every_suffix_makes_a_file_with_all_frames(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "a folder" / f"clip{suffix}"
    with VideoWriter(path, 12.5) as writer:
        for number in range(8):
            writer.write(gray(20 * number), number / 12.5)
    assert levels(path) == list(range(8))
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert writer.num_repeated == 0


def test_pictures_are_taken_as_rgb(tmp_path: Path) -> None:
    red = gray(0)
    red[..., 0] = 255
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        writer.write(red, 0)
    assert read(tmp_path / "clip.mp4")[0].mean(axis=(0, 1)) == pytest.approx([0, 0, 255], abs=8)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".webm"])
@pytest.mark.parametrize(
    ("size", "stored"),
    [
        ((47, 63), (48, 64)),
        ((48, 63), (48, 64)),
        ((1, 1), (16, 16)),
        ((4, 4), (16, 16)),
        ((3, 301), (16, 302)),
    ],
)
def test_odd_and_tiny_pictures_lose_nothing(
    suffix: str, size: tuple[int, int], stored: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / f"clip{suffix}"
    with VideoWriter(path, 10) as writer:
        for number in range(5):
            writer.write(gray(20 * number, size), number / 10)
    assert [picture.shape[:2] for picture in read(path)] == [stored] * 5
    assert levels(path) == list(range(5))


def test_a_frame_stays_until_the_next_one_is_due(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number, time in enumerate((0, 0.1, 0.4, 0.5)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.mp4") == [0, 1, 1, 1, 2, 3]
    assert (writer.num_written, writer.num_repeated) == (6, 2)


def test_frames_that_come_too_fast_are_all_written(tmp_path: Path) -> None:
    """Late by up to two frames, then in time again, without a repetition in between."""
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number, time in enumerate((0, 0.03, 0.06, 0.1, 0.4)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.mp4") == [0, 1, 2, 3, 4]


def test_a_clock_that_jumps_does_not_fill_the_disk(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number, time in enumerate((0, 0.1, 1e6, 1e6 + 0.1, 1e6 + 0.3)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.mp4") == [0, 1, 2, 3, 3, 4]


def test_a_size_that_changes_is_fitted_to_the_first(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        writer.write(gray(0), 0)
        writer.write(gray(20, (96, 128)), 0.1)
    assert [picture.shape for picture in read(tmp_path / "clip.mp4")] == [(48, 64, 3)] * 2


def test_without_a_frame_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"older")
    with VideoWriter(path, 10):
        pass
    assert path.read_bytes() == b"older"


def test_an_exception_leaves_a_file_that_plays(tmp_path: Path) -> None:
    def fail_after_two() -> None:
        with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
            writer.write(gray(0), 0)
            writer.write(gray(20), 0.1)
            raise KeyError("planted")

    with pytest.raises(KeyError):
        fail_after_two()
    assert levels(tmp_path / "clip.mp4") == [0, 1]


def test_a_suffix_that_is_no_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"clip\.png must end in one of \.mp4"):
        VideoWriter(tmp_path / "clip.png", 10)


def test_a_file_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    with (
        pytest.raises(VideoError, match=r"clip\.mp4 of 64x48 pixels cannot be written"),
        VideoWriter(tmp_path / "clip.mp4", 10) as writer,
    ):
        writer.write(gray(0), 0)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "clip.mp4").symlink_to("/dev/full")

    def write() -> None:
        with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
            for number in range(30):
                writer.write(gray(number), number / 10)

    with pytest.raises(VideoError, match=r"clip\.mp4 (could not be completed|.* cannot be written)"):
        write()
