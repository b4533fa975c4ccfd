"""Clips with numbered frames, and headers changed by hand, against what the reader makes of them."""

import functools
import itertools
import re
import struct
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from yolact_pl.inference.video.camera import open_video
from yolact_pl.inference.video.reader import VideoError, VideoReader

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


def noise(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


class Quiet(SimpleHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


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
    "matrix",
    [(s, 0, 0, t) for s in (1, -1) for t in (1, -1)] + [(0, s, t, 0) for s in (1, -1) for t in (1, -1)],
)
def test_turned_and_mirrored_clips_come_out_upright(
    matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    """The transformations of ISO/IEC 14496-12: (a, b, c, d) with x' = ax + cy, y' = bx + dy."""
    a, b, c, d = matrix
    upright = np.zeros((48, 80, 3), np.uint8)
    upright[:16, :20] = 255  # bright at the top left
    upright[:16, 40:] = 90
    stored = np.zeros((48, 80, 3) if a else (80, 48, 3), np.uint8)
    for y, x in np.ndindex(*stored.shape[:2]):
        stored[y, x] = upright[b * x + d * y + min(b + d, 0), a * x + c * y + min(a + c, 0)]
    path = write_clip(tmp_path / "clip.mp4", [stored] * 3)

    def change(name: bytes, content: bytes) -> bytes:
        if name != b"tkhd":
            return content
        numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        return content[:40] + struct.pack(">9i", *numbers) + content[76:]

    change_header(path, change)
    image = next(iter(VideoReader(path))).image
    assert image.shape == (48, 80, 3)
    assert np.abs(image.astype(int) - upright).mean() < 5


def write_timed(
    path: Path,
    *,
    start: float = 0.0,
    sound: float = 0.0,
    codec: str = "mpeg4",
    announced: int = 25,
    aspect: Fraction | None = None,
    count: int = 50,
) -> Path:
    """Noise, 25 frames a second from `start` seconds on, with `sound` seconds of silence from 0 on."""
    random = np.random.default_rng(0)
    time_base = Fraction(1, announced)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=announced)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = time_base
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        audio = container.add_stream("mp2", rate=16000, layout="mono") if sound else None
        frames = []
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(random.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((start + number / 25) / time_base), time_base
            frames.append(frame)
        packets = [packet for frame in [*frames, None] for packet in video.encode(frame)]
        if audio is not None:
            silence = np.zeros((1, round(16000 * sound)), np.int16)
            block = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            block.sample_rate, block.pts = 16000, 0
            packets += [packet for block in (block, None) for packet in audio.encode(block)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "mpeg4"),
        (".mkv", "mpeg4"),
        (".webm", "libvpx"),
        (".ts", "mpeg2video"),
        (".flv", "flv"),
        (".avi", "mpeg4"),
        (".mpg", "mpeg2video"),
    ],
)
@pytest.mark.parametrize("start", [0.0, 100.0])
def test_files_that_start_at_any_time_are_whole(
    suffix: str, codec: str, start: float, tmp_path: Path
) -> None:
    reader = VideoReader(write_timed(tmp_path / f"clip{suffix}", start=start, codec=codec))
    frames = list(reader)
    assert len(frames) == 50
    assert frames[0].time == 0
    if suffix != ".avi":  # which has no other start than 0
        loose = suffix == ".mpg"  # which has times for some of its frames only
        expected = [i / 25 for i in range(50)]
        assert [frame.time for frame in frames] == pytest.approx(expected, abs=0.05 if loose else 0.002)
        assert reader.num_frames == pytest.approx(50, abs=8 if loose else 0)
    assert reader.shortfall() is None


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_sound_that_lasts_longer_than_the_pictures_is_no_loss(
    suffix: str, start: float, tmp_path: Path
) -> None:
    reader = VideoReader(write_timed(tmp_path / f"clip{suffix}", start=start, sound=8.0))
    assert len(list(reader)) == 50
    assert reader.shortfall() is None


@pytest.mark.parametrize("start", [0.0, 100.0])
def test_a_cut_file_is_noticed_wherever_it_starts(start: float, tmp_path: Path) -> None:
    path = write_timed(tmp_path / "clip.mkv", start=start, count=250)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(path)
    assert 80 < len(list(reader)) < 170
    assert (reader.shortfall() or "").startswith("after ")


def test_the_clock_of_a_browser_is_no_frame_rate(tmp_path: Path) -> None:
    reader = VideoReader(write_timed(tmp_path / "clip.webm", codec="libvpx", announced=1000))
    assert reader.rate == pytest.approx(25, rel=0.01)
    assert reader.num_frames == pytest.approx(50, abs=1)
    frames = list(reader)
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(50)], abs=0.002)
    assert reader.shortfall() is None


def test_a_fast_camera_keeps_its_rate(tmp_path: Path) -> None:
    reader = VideoReader(write_clip(tmp_path / "clip.mp4", gray_levels(12), rate=240))
    assert reader.rate == pytest.approx(240, rel=0.01)
    assert numbers_in(reader) == list(range(12))


@pytest.mark.parametrize(
    ("aspect", "shape"), [(Fraction(2), (48, 128)), (Fraction(3, 4), (64, 64)), (Fraction(100), (48, 64))]
)
def test_pixels_become_square(aspect: Fraction, shape: tuple[int, int], tmp_path: Path) -> None:
    path = write_timed(tmp_path / "clip.mp4", aspect=aspect)
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="rgb24")
    image = next(iter(VideoReader(path))).image
    assert image.shape == (*shape, 3)
    wanted = cv2.resize(stored, shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(image.astype(int) - wanted).mean() < 12


@pytest.mark.parametrize(
    "ticks",
    [
        [512, 512, 512, 5120, 512, 512, 512, 512],  # one is shown for long
        [520, 505, 512, 530, 490, 512, 500, 527],  # the jitter of a phone
    ],
)
def test_frames_keep_their_own_times(ticks: list[int], tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", gray_levels(8))
    with_intervals(path, ticks)
    reader = VideoReader(path)
    assert reader.num_frames == 8
    frames = list(reader)
    expected = [sum(ticks[:number]) / 15360 for number in range(8)]
    assert [frame.time for frame in frames] == pytest.approx(expected, abs=1e-6)
    assert [round(float(frame.image.mean()) / 20) for frame in frames] == list(range(8))
    assert reader.rate == pytest.approx(8 * 15360 / sum(ticks), rel=0.2)


def test_a_file_cut_in_the_middle_gives_what_is_there(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", noise(20), codec="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(path)
    count = len(list(reader))
    assert 5 <= count <= 12
    assert reader.num_read == count
    assert reader.shortfall() == f"after {count} of 20 frames"


def test_a_cut_file_that_announces_only_how_long_it_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", noise(60), rate=10)
    whole = VideoReader(path)
    assert len(list(whole)) == 60
    assert whole.shortfall() is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = VideoReader(path)
    assert 15 < len(list(cut)) < 45
    assert re.fullmatch(r"after [1234]\.\d of 6\.\d seconds", cut.shortfall() or "")


def test_damaged_frames_are_passed_over(tmp_path: Path) -> None:
    """Of an MJPEG, in which each frame stands for itself, the twelfth to fourteenth are overwritten."""
    path = write_clip(tmp_path / "clip.avi", noise(20), codec="MJPG")
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(rb"00dc....\xff\xd8", data, re.DOTALL)]
    assert len(starts) >= 20
    for start, end in itertools.pairwise(starts[11:15]):
        data[start + 8 : end] = bytes(end - start - 8)
    path.write_bytes(data)
    times = [frame.time for frame in VideoReader(path)]
    assert len(times) == 17
    assert times == pytest.approx([i / 30 for i in range(20) if i not in (11, 12, 13)], abs=1e-4)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match=r"song\.mp4 has no pictures, only sound"):
        VideoReader(path)


def test_a_file_behind_an_address(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", gray_levels(10))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        reader = VideoReader(f"http://127.0.0.1:{server.server_port}/clip.mp4?token=secret")
        assert (reader.live, reader.path, reader.num_frames) == (False, None, 10)
        assert reader.stem == f"127-0-0-1-{server.server_port}-clip-mp4"
        assert numbers_in(reader) == list(range(10))
        server.shutdown()


def test_a_video_without_frames_is_named(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", gray_levels(3), codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 8])
    with pytest.raises(VideoError, match=r"clip\.avi (has no frame|cannot be read)"):
        list(VideoReader(path))


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="is not a file"):
        VideoReader(tmp_path)


class LiveStream(Quiet):
    """Twelve pictures, one every 30 ms, as cameras in a network send them."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for picture in gray_levels(12):
            data = cv2.imencode(".jpg", picture)[1].tobytes()
            header = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(header.encode() + data + b"\r\n")
            time.sleep(0.03)


def test_a_stream_has_the_times_at_which_its_frames_come() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), LiveStream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        reader = VideoReader(f"http://127.0.0.1:{server.server_port}/live.mjpg")
        assert (reader.live, reader.num_frames, reader.time_base) == (True, None, Fraction(1, 90_000))
        frames = list(reader)
        server.shutdown()
    assert 10 <= len(frames) <= 12  # the last ones may be lost with the connection
    numbers = [round(float(frame.image.mean()) / 20) for frame in frames]
    assert numbers == list(range(len(frames)))
    assert frames[0].time == 0
    assert frames[-1].time > 0.1  # some may have been read ahead together, but not all
    assert reader.shortfall() is None


@pytest.mark.parametrize("source", [97, "97"])
def test_a_camera_that_is_not_there_is_named(source: int | str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VideoError, match=r"^camera 97 cannot be opened: check that it is connected"):
        open_video(source)
    assert capfd.readouterr().err == ""  # OpenCV would name each way that it tried


def test_the_password_of_a_stream_is_not_told() -> None:
    with pytest.raises(VideoError, match="cannot be opened") as caught:
        VideoReader("http://user:secret@127.0.0.1:9/live.mjpg?token=secret")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:9/live.mjpg" in str(caught.value)
