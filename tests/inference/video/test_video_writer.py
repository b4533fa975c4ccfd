"""Written clips read again with OpenCV alone."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from yolact_pl.inference.video.reader import VideoError
from yolact_pl.inference.video.writer import CODECS, VideoWriter


def gray(level: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def read(path: Path) -> list[np.ndarray]:
    """BGR pictures as stored."""
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (picture := capture.read()[1]) is not None:
        pictures.append(picture)
    return pictures


def times_of(path: Path) -> list[float]:
    """Seconds of each frame after the first."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return [time - times[0] for time in times]


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
    assert writer.num_written == 8


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


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_frames_keep_their_own_times(suffix: str, tmp_path: Path) -> None:
    times = [0, 0.1, 0.4, 0.433, 0.5, 7.25]
    with VideoWriter(tmp_path / f"clip{suffix}", 10) as writer:
        for number, time in enumerate(times):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / f"clip{suffix}") == list(range(6))
    assert times_of(tmp_path / f"clip{suffix}") == pytest.approx(times, abs=6e-4)


def test_times_are_exact_in_the_unit_of_the_source(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 30000 / 1001, time_base=Fraction(1, 30000)) as writer:
        for number in range(40):
            writer.write(gray(5 * number), number * 1001 / 30000)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(30000, 1001)
        pts = [frame.pts for frame in container.decode(stream)]
        assert pts == [1001 * number for number in range(40)]


def test_an_avi_has_one_rate_and_all_frames(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.avi", 10) as writer:
        for number, time in enumerate((0, 0.1, 0.11, 0.12, 0.4)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.avi") == list(range(5))
    assert times_of(tmp_path / "clip.avi") == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)


def test_frames_of_one_time_follow_each_other(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number, time in enumerate((0, 0.1, 0.1, 0.05, 0.2)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.mp4") == list(range(5))


def test_a_clock_that_jumps_makes_no_long_pause(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number, time in enumerate((0, 0.1, 1e6, 1e6 + 0.1, 1e6 + 0.3)):
            writer.write(gray(20 * number), time)
    assert levels(tmp_path / "clip.mp4") == list(range(5))
    assert times_of(tmp_path / "clip.mp4") == pytest.approx([0, 0.1, 0.1, 0.2, 0.4], abs=1e-3)


def test_where_ffmpeg_has_no_h264_mpeg4_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with VideoWriter(tmp_path / "clip.mp4", 30000 / 1001) as writer:
        for number in range(8):
            writer.write(gray(20 * number), number * 1001 / 30000)
    monkeypatch.undo()
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    assert levels(tmp_path / "clip.mp4") == list(range(8))
    expected = [number * 1001 / 30000 for number in range(8)]
    assert times_of(tmp_path / "clip.mp4") == pytest.approx(expected, abs=1e-4)


def test_colors_survive_and_are_named(tmp_path: Path) -> None:
    """Players take large pictures for BT.709 and small ones for BT.601 where a file says nothing."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (200, 30, 20), (10, 180, 60)
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number in range(3):
            writer.write(picture, number / 10)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (1, 1)
    # By the definition of BT.709: luma from Kr = 0.2126 and Kb = 0.0722, in 16..235.
    luma = frame.to_ndarray()[:64]
    for column, (red, green, blue) in ((8, (200, 30, 20)), (56, (10, 180, 60))):
        expected = 16 + 219 / 255 * (0.2126 * red + 0.7152 * green + 0.0722 * blue)
        assert luma[8:56, column].mean() == pytest.approx(expected, abs=2)


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
        pytest.raises(VideoError, match=r"clip\.mp4 cannot be written: Is a directory"),
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

    with pytest.raises(VideoError, match=r"clip\.mp4 (could not be completed|cannot be written): No space"):
        write()
