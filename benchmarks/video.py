"""A clip in throughput mode beside the network alone: how much of the other work is hidden behind it.

    python benchmarks/video.py [CLIP...] [--frames 16] [--detections 10] [--batch 1] [--threads 2]

The network is yolact_resnet50 at 550 px with random weights; the class scores are replaced by fixed ones, so
that each frame has the given number of detections, with masks that are made, drawn and encoded. "network" has
its inputs ready. "video" reads, prepares, detects, draws and writes an MP4 as `task=predict` does. "one by
one" does the same without threads. The three are taken in turn. Without a clip one is made.
"""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from alternating import Row, compare, print_rows
from pictures import WIDTH, photo_like
from sure_network import sure_predictor

from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.video.prediction import SeenFrame, predict_video
from yolact_pl.inference.video.reader import VideoReader
from yolact_pl.inference.video.writer import VideoWriter


def network_alone(predictor: Predictor, inputs: list[Any], batch: int) -> None:
    for start in range(0, len(inputs), batch):
        predictor.forward(inputs[start : start + batch])


def one_by_one(predictor: Predictor, clip: Path, frames: int, path: Path) -> None:
    reader = VideoReader(clip)
    with VideoWriter(path, reader.rate) as writer:
        for frame in itertools.islice(reader, frames):
            found = predictor([frame.image])[0]
            writer.write(draw_detections(frame.image, found, predictor.class_names), frame.time)


def as_video(predictor: Predictor, clip: Path, frames: int, batch: int, path: Path) -> None:
    reader = VideoReader(clip)
    with VideoWriter(path, reader.rate) as writer:

        def deliver(seen: SeenFrame) -> None:
            assert seen.picture is not None
            writer.write(seen.picture, seen.frame.time)

        predict_video(itertools.islice(reader, frames), predictor, deliver, batch_size=batch)


def write_clip(path: Path, frames: int) -> Path:
    """A picture of 640 x 480 that moves sideways."""
    picture = photo_like(np.random.default_rng(0), width=WIDTH + 4 * frames)
    with VideoWriter(path, 25) as writer:
        for n in range(frames):
            writer.write(np.ascontiguousarray(picture[:, 4 * n : 4 * n + WIDTH]), n / 25)
    return path


def measure(predictor: Predictor, clip: Path, args: argparse.Namespace, folder: Path) -> list[Row]:
    """The three ways, in turn."""
    frames = [frame.image for frame in itertools.islice(VideoReader(clip), args.frames)]
    inputs = [predictor.prepare([image]) for image in frames]
    path = folder / f"{clip.stem}_drawn.mp4"
    height, width = frames[0].shape[:2]
    return compare(
        f"{clip.stem}, {width} x {height}, {args.detections} objects",
        {
            "network": lambda: network_alone(predictor, inputs, args.batch),
            "video": lambda: as_video(predictor, clip, args.frames, args.batch, path),
            "one by one": lambda: one_by_one(predictor, clip, args.frames, path),
        },
        repeats=args.repeats,
        warmup=1,
        per=len(frames),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--detections", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1)  # as the task does on a CPU
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="a folder for the clips, to look at them")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    predictor = sure_predictor(args.detections)
    with tempfile.TemporaryDirectory() as temporary:
        clips = args.clips or [write_clip(Path(temporary) / "clip.mp4", args.frames)]
        rows = [
            row for clip in clips for row in measure(predictor, clip, args, args.output or Path(temporary))
        ]
    print(f"{args.frames} frames, batches of {args.batch}, ms a frame\n")
    print_rows(rows)


if __name__ == "__main__":
    main()
