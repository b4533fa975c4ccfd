"""A clip with numbered frames through the pipeline of `predict_video`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from yolact_pl.inference.video.prediction import SeenFrame, predict_video
from yolact_pl.inference.video.reader import VideoError, VideoReader
from yolact_pl.inference.video.writer import VideoWriter
from yolact_pl.results.detections import Detections

SIZE, FRAMES, RATE = (48, 64), 17, 12.5


def number_of(image: np.ndarray) -> int:
    """The number that `write_clip` has put into a frame, a bit in each of 8 columns."""
    bits = image.reshape(SIZE[0], 8, 8, 3).mean(axis=(0, 2, 3)) > 128
    return int(np.packbits(bits)[0])


def write_clip(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE[::-1])
    for number in range(FRAMES):
        bits = np.unpackbits(np.array([number], np.uint8)).repeat(8)
        writer.write(np.broadcast_to(bits[None, :, None] * np.uint8(255), (*SIZE, 3)).copy())
    writer.release()
    return path


class OneBox:
    """Stands in for a predictor: says of every image that its number is the score."""

    class_names = ("thing",)
    batches: list[int]

    def __init__(self) -> None:
        self.batches = []

    def prepare(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.tensor([number_of(image) for image in images])

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        self.batches.append(len(inputs))
        return torch.cat(list(inputs))

    def detect(self, predictions: torch.Tensor, index: int, size: tuple[int, int]) -> Detections:
        return Detections.from_masks(
            boxes=[[4.0, 4, 40, 30]],
            scores=predictions[index : index + 1] / 100,
            labels=[0],
            masks=np.zeros((1, *size), dtype=np.bool_),
        )


def test_every_frame_once_in_order_at_the_same_rate(tmp_path: Path) -> None:
    predictor: Any = OneBox()
    reader = VideoReader(str(write_clip(tmp_path / "in.mp4")))
    seen: list[int] = []
    with VideoWriter(tmp_path / "out.mp4", reader.rate) as writer:

        def deliver(frame: SeenFrame) -> None:
            assert round(100 * float(frame.detections.scores[0])) == number_of(frame.frame.image)
            seen.append(number_of(frame.frame.image))
            writer.write(frame.frame.image, frame.frame.time)

        predict_video(reader, predictor, deliver, batch_size=4, draw=False)
    assert seen == list(range(FRAMES))
    assert max(predictor.batches) <= 4
    again = VideoReader(str(tmp_path / "out.mp4"))
    assert again.rate == pytest.approx(RATE)
    assert [number_of(frame.image) for frame in again] == list(range(FRAMES))


@pytest.mark.parametrize("part", ["prepare", "forward", "detect", "deliver"])
def test_a_failure_anywhere_ends_all_and_is_told(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("planted")

    predictor: Any = OneBox()
    if part != "deliver":
        monkeypatch.setattr(predictor, part, fail)
    reader = VideoReader(str(write_clip(tmp_path / "in.mp4")))
    with pytest.raises(ValueError, match="planted"):
        predict_video(reader, predictor, fail if part == "deliver" else lambda frame: None, draw=False)


@pytest.mark.parametrize("content", [None, b"", b"no video at all" * 50])
def test_what_is_no_video_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=r"clip\.mp4 (does not exist|is empty|cannot be read)"):
        VideoReader(str(path))
