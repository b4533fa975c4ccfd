"""A clip in throughput mode beside the network alone: how much of the other work is hidden behind it.

    python benchmarks/video.py CLIP... [--frames 24] [--detections 10] [--batch 4] [--repeats 3] [--threads 2]

The network is yolact_resnet50 at 550 px with random weights; the class scores are replaced by fixed ones, so
that each frame has the given number of detections, with masks that are made, drawn and encoded. "network" has
its inputs ready. "video" reads, prepares, detects, draws and writes an MP4 as `task=predict` does. "one by
one" does the same without threads. The three are taken in turn.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import torch
from torch import Tensor

from yolact_pl.inference.draw import draw_detections
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.video import SeenFrame, predict_video
from yolact_pl.inference.video_reader import VideoReader
from yolact_pl.inference.video_writer import VideoWriter
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Predictions

SIZE = 550
CLASSES = 80


class SureNetwork(Yolact):
    """A network that is sure of so many anchors, drawn at random, and of nothing else."""

    detections = 0

    def forward(self, images: Tensor) -> Predictions:
        predictions = super().forward(images)
        logits = torch.zeros_like(predictions.class_logits)
        logits[..., 0] = 9
        rows = torch.randperm(logits.shape[1], generator=torch.Generator().manual_seed(0))[: self.detections]
        logits[:, rows, 1 + torch.arange(len(rows)) % CLASSES] = 14
        return predictions._replace(class_logits=logits)


def build_predictor(detections: int) -> Predictor:
    torch.manual_seed(0)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2], square=True, reference_size=SIZE, image_size=SIZE)
    network = SureNetwork(ResNet((3, 4, 6, 3), block="bottleneck"), anchors, num_classes=CLASSES)
    network.detections = detections
    names = [f"class {index}" for index in range(CLASSES)]
    return Predictor(
        network, Postprocess(), class_names=names, image_size=(SIZE, SIZE), device="cpu", min_score=0.3
    )


def network_alone(predictor: Predictor, inputs: list[Tensor], batch: int) -> None:
    for start in range(0, len(inputs), batch):
        predictor.forward(inputs[start : start + batch])


def one_by_one(predictor: Predictor, clip: str, frames: int, path: Path) -> None:
    reader = VideoReader(clip)
    with VideoWriter(path, reader.rate) as writer:
        for frame in itertools.islice(reader, frames):
            found = predictor([frame.image])[0]
            writer.write(draw_detections(frame.image, found, predictor.class_names), frame.time)


def as_video(predictor: Predictor, clip: str, frames: int, batch: int, path: Path) -> None:
    reader = VideoReader(clip)
    with VideoWriter(path, reader.rate) as writer:

        def deliver(seen: SeenFrame) -> None:
            assert seen.picture is not None
            writer.write(seen.picture, seen.frame.time)

        predict_video(itertools.islice(reader, frames), predictor, deliver, batch_size=batch)


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--detections", type=int, default=10)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="a folder for the clips, to look at them")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    predictor = build_predictor(args.detections)

    print(f"{args.frames} frames, {args.detections} detections each, batches of {args.batch}, ms a frame\n")
    print("| clip | network | video | one by one | video / network | one by one / network |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for clip in args.clips:
            frames = [frame.image for frame in itertools.islice(VideoReader(clip), args.frames)]
            inputs = [predictor.prepare([image]) for image in frames]
            path = (args.output or Path(temporary)) / f"{Path(clip).stem}.mp4"
            ways: dict[str, Callable[[], None]] = {
                "network": lambda inputs=inputs: network_alone(predictor, inputs, args.batch),
                "video": lambda c=clip, p=path: as_video(predictor, c, args.frames, args.batch, p),
                "one by one": lambda c=clip, p=path: one_by_one(predictor, c, args.frames, p),
            }
            network_alone(predictor, inputs[: args.batch], args.batch)
            rounds = [{name: seconds(way) for name, way in ways.items()} for _ in range(args.repeats)]
            times = {name: 1000 * statistics.median(r[name] for r in rounds) / len(frames) for name in ways}
            ratios = [statistics.median(r[name] / r["network"] for r in rounds) for name in list(ways)[1:]]
            size = f"{frames[0].shape[1]}x{frames[0].shape[0]}"
            cells = " | ".join(f"{value:.0f}" for value in times.values())
            print(f"| {Path(clip).name}, {size} | {cells} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
