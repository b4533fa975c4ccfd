"""From an image file to detections with masks, and which part each stage has.

    python benchmarks/end_to_end.py [--detections 20] [--threads 2] [--device cpu] [--picture FILE]

yolact_resnet50 at 550 px with random weights as `task=predict` uses it; the class scores are replaced by
fixed ones, so that so many detections are kept. The picture is a made-up photo of 640 x 480 as JPEG.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from alternating import Row, compare, print_rows
from pictures import photo_like, write_jpeg
from sure_network import sure_predictor

from yolact_pl.images.image_file import read_image
from yolact_pl.inference.engines.torch_engine import TorchEngine
from yolact_pl.inference.predictor import Predictor


def stages(predictor: Predictor, path: Path, repeats: int, device: str) -> list[Row]:
    """Each stage beside the network, and all of them together."""
    image = read_image(path)
    size = image.shape[:2]
    inputs = predictor.prepare([image])
    predictions = predictor.forward([inputs])
    engine = predictor.engine
    assert isinstance(engine, TorchEngine)
    count = len(predictor.detect(predictions, 0, size))

    def detect() -> object:
        return predictor.detect(predictions, 0, size).masks

    return compare(
        f"{size[1]} x {size[0]} image file to {count} detections with masks",
        {
            "network": lambda: predictor.forward([inputs]),
            "read the file": lambda: read_image(path),
            "resize to the input": lambda: predictor.prepare([image]),
            "choose detections": lambda: engine.choose(predictions, 0, None, predictor.request),
            "detections": lambda: predictor.detect(predictions, 0, size),
            "detections and masks": detect,
            "all": lambda: predictor([read_image(path)])[0].masks,
        },
        repeats=repeats,
        device=device,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--detections", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--picture", type=Path, help="instead of a made-up one")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    predictor = sure_predictor(args.detections, args.device)
    with tempfile.TemporaryDirectory() as folder:
        path = args.picture
        if path is None:
            path = Path(folder) / "photo.jpg"
            write_jpeg(path, photo_like(np.random.default_rng(0)))
        rows = stages(predictor, path, args.repeats, args.device)
    print(f"{args.device}, {args.threads} threads\n")
    print_rows(rows)


if __name__ == "__main__":
    main()
