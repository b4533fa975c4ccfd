"""Clips with a tone, and what of it arrives in the clip that is made of them."""

import logging
from pathlib import Path

import av
import numpy as np
import pytest

from yolact_pl.inference.video.reader import VideoReader
from yolact_pl.inference.video.writer import VideoWriter

RATE = 48_000


def write_clip(path: Path, *, seconds: float = 2.0, delay: float = 0.0, codec: str = "aac") -> Path:
    """25 pictures a second with a tone that begins `delay` seconds before them."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=RATE, layout="mono")
        times = np.arange(round((seconds + delay) * RATE)) / RATE
        tone = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        sound.sample_rate, sound.pts = RATE, 0
        container.mux(audio.encode(sound))
        container.mux(audio.encode())
        for number in range(round(25 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts = number + round(25 * delay)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


def copy(clip: Path, target: Path, frames: int | None = None) -> Path:
    reader = VideoReader(clip)
    with VideoWriter(target, reader.rate, time_base=reader.time_base, sound=reader.path) as writer:
        for frame in reader:
            if frame.index == frames:
                break
            writer.write(frame.image, frame.time)
    return target


def packets(path: Path) -> list[tuple[float, bytes]]:
    """Seconds after the first picture, and content, of all packets of sound."""
    with av.open(str(path)) as container:
        pictures = container.streams.video[0]
        start = float(pictures.start_time * pictures.time_base)
        return [
            (float(packet.pts * packet.time_base) - start, bytes(packet))
            for packet in container.demux(audio=0)
            if packet.pts is not None
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_as_it_is_and_in_time(suffix: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    before, after = packets(clip), packets(copy(clip, tmp_path / f"copy{suffix}"))
    sent = {content: time for time, content in before}
    assert (
        len(after) >= len(before) - 2
    )  # what is not heard at the start, and what the pictures do not last for
    assert [sent[content] for _, content in after] == pytest.approx([time for time, _ in after], abs=2e-3)
    assert after[-1][0] > 1.9


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    """As after Ctrl+C: 10 of 50 frames, which last 0.4 seconds."""
    after = packets(copy(write_clip(tmp_path / "clip.mp4"), tmp_path / "copy.mp4", frames=10))
    assert 0.35 < after[-1][0] < 0.4


def test_sound_from_before_the_pictures_is_dropped_and_the_rest_in_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", delay=0.5)
    sent = {content: time for time, content in packets(clip)}
    assert min(sent.values()) < -0.4
    after = packets(copy(clip, tmp_path / "copy.mkv"))
    assert [sent[content] for _, content in after] == pytest.approx([time for time, _ in after], abs=2e-3)
    assert -0.03 < after[0][0] < 0.03


def test_sound_that_the_file_cannot_hold_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        target = copy(write_clip(tmp_path / "clip.mp4"), tmp_path / "copy.webm")
    assert "the sound is left out" in caplog.text
    assert "can't hold aac" in caplog.text
    with av.open(str(target)) as container:
        assert not container.streams.audio
        assert sum(1 for _ in container.decode(video=0)) == 50


def test_names_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "clip.mp4").rename(tmp_path / "http:clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(packets(copy(Path("http:clip.mp4"), Path("file:copy.mp4")).absolute())) > 80


def test_a_clip_without_sound_stays_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    silent = copy(write_clip(tmp_path / "clip.mp4"), tmp_path / "copy.webm")
    caplog.clear()
    with av.open(str(copy(silent, tmp_path / "again.mp4"))) as container:
        assert not container.streams.audio
    assert not caplog.records
