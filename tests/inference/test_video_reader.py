"""Clips with numbered frames, and headers changed by hand, against what the reader makes of them."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolact_pl.inference.video_reader import VideoError, VideoReader, packet_times

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def write_clip(path: Path, pictures: list[np.ndarray], rate: float = 30.0, codec: str = "mp4v") -> Path:
    """Pictures [H, W, 3] BGR as OpenCV writes them."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def gray_levels(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(count)]


def numbers_in(reader: VideoReader) -> list[int]:
    return [round(float(frame.image.mean()) / 20) for frame in reader]


def change_header(path: Path, change: Callable[[bytes, bytes], bytes]) -> None:
    """Rewrite the leaves of an MP4's tree of boxes: `change(name, content)` gives the new content."""

    def rewritten(data: bytes) -> bytes:
        out, position = b"", 0
        while position < len(data):
            size, name = struct.unpack_from(">I4s", data, position)
            content = data[position + 8 : position + size]
            content = rewritten(content) if name in CONTAINERS else change(name, content)
            out += struct.pack(">I4s", 8 + len(content), name) + content
            position += size
        return out

    path.write_bytes(rewritten(path.read_bytes()))


def with_intervals(path: Path, ticks: list[int]) -> None:
    """How long each frame is shown, in the 15360ths of a second of OpenCV's 30 frames/s files (512 each)."""
    total = sum(ticks)

    def change(name: bytes, content: bytes) -> bytes:
        if name == b"stts":
            return struct.pack(">II", 0, len(ticks)) + b"".join(struct.pack(">II", 1, tick) for tick in ticks)
        if name == b"mdhd":
            return content[:16] + struct.pack(">I", total) + content[20:]
        if name == b"edts":  # its one entry would cut the clip at the old length
            return content[:16] + struct.pack(">I", 1000 * total // 15360) + content[20:]
        return content

    change_header(path, change)


def test_a_constant_rate_is_kept(tmp_path: Path) -> None:
    reader = VideoReader(write_clip(tmp_path / "clip.mp4", gray_levels(10), rate=29.97))
    assert reader.rate == pytest.approx(29.97, abs=1e-3)
    assert reader.num_frames == 10
    assert not reader.live
    frames = list(reader)
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == pytest.approx([index / 29.97 for index in range(10)], abs=1e-4)
    assert [round(float(frame.image.mean()) / 20) for frame in frames] == list(range(10))


def test_channels_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 255  # BGR
    frame = next(iter(VideoReader(write_clip(tmp_path / "clip.mp4", [red] * 3))))
    assert frame.image.mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=8)


@pytest.mark.parametrize(
    ("turns", "matrix"),
    [
        (1, (0, 1, -1, 0)),  # the transformations of ISO/IEC 14496-12: (a, b, c, d) with x' = ax + cy
        (2, (-1, 0, 0, -1)),
        (3, (0, -1, 1, 0)),
    ],
)
def test_clips_of_a_turned_phone_come_out_upright(
    turns: int, matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    upright = np.zeros((48, 80, 3), np.uint8)
    upright[:16, :20] = 255  # bright at the top left
    stored = np.ascontiguousarray(np.rot90(upright, turns))  # against the clock: the header turns it back
    path = write_clip(tmp_path / "clip.mp4", [stored] * 3)
    a, b, c, d = (value << 16 for value in matrix)

    def change(name: bytes, content: bytes) -> bytes:
        if name != b"tkhd":
            return content
        return content[:40] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + content[76:]

    change_header(path, change)
    image = next(iter(VideoReader(path))).image
    assert image.shape == (48, 80, 3)
    assert np.abs(image.astype(int) - upright).mean() < 5


def test_variable_rates_keep_their_times(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", gray_levels(8))
    with_intervals(path, [512, 512, 512, 5120, 512, 512, 512, 512])
    reader = VideoReader(path)
    assert reader.rate == pytest.approx(30)  # not 8 frames in 17/30 s: that would make the short ones longer
    frames = list(reader)
    expected = [0, 1, 2, 3, 13, 14, 15, 16]
    assert [frame.time for frame in frames] == pytest.approx([tick / 30 for tick in expected], abs=1e-3)
    assert packet_times(path) == pytest.approx([tick / 30 for tick in expected], abs=1e-3)


def test_the_jitter_of_a_phone_is_no_variable_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", gray_levels(8))
    with_intervals(path, [520, 505, 512, 530, 490, 512, 500, 527])
    reader = VideoReader(path)
    assert reader.rate == pytest.approx(30, abs=0.1)
    assert [frame.time for frame in reader] == pytest.approx([i / reader.rate for i in range(8)])


def test_a_file_cut_in_the_middle_gives_what_is_there(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(20)]
    path = write_clip(tmp_path / "clip.avi", noise, codec="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(path)
    count = len(list(reader))
    assert 5 <= count <= 12
    assert reader.num_read == count


def test_a_video_without_frames_is_named(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", gray_levels(3), codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 8])
    with pytest.raises(VideoError, match=r"clip\.avi (has no frame|cannot be read)"):
        list(VideoReader(path))


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="is not a file"):
        VideoReader(tmp_path)


@pytest.mark.parametrize("source", [97, "97"])
def test_a_camera_that_is_not_there_is_named(source: int | str) -> None:
    with pytest.raises(VideoError, match=r"^camera 97 cannot be opened: check that it is connected"):
        VideoReader(source)


def test_the_password_of_a_stream_is_not_told() -> None:
    with pytest.raises(VideoError, match="cannot be opened") as caught:
        VideoReader("http://user:secret@127.0.0.1:9/live.mjpg?token=secret")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:9/live.mjpg" in str(caught.value)
