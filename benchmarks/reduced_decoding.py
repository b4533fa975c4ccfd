"""`dataset.reduced_decoding=true`: what it saves with large JPEGs, and how much the samples differ.

    python benchmarks/reduced_decoding.py [--repeats 5] [--pictures FILE.jpg...]

Without pictures made-up ones. Each fills an input of 550 x 550, or of 160 x 160, without augmentation. The
difference is the mean of all pixels, of 255 levels. A picture that is read whole is resized without
antialiasing, as published; the second difference is that between this and the mean of all pixels under each
of the input's. One core.
"""

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from alternating import Row, compare, print_figures, print_rows
from pictures import photo_like, write_jpeg

from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.images.image_file import read_image

MADE = ((1200, 1600), (3000, 4000))


def sample_sets(path: Path, side: int, folder: Path) -> tuple[TrainDataset, TrainDataset]:
    """Of one picture, read whole and reduced."""
    height, width = read_image(path).shape[:2]
    content = {
        "images": [{"id": 1, "file_name": path.name, "height": height, "width": width}],
        "annotations": [],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "one.json").write_text(json.dumps(content))
    known = read_annotations(folder / "one.json")
    whole, reduced = (
        TrainDataset(
            known, path.parent, image_size=(side, side), augment=NoAugmentation(), reduced_decoding=reduced
        )
        for reduced in (False, True)
    )
    return whole, reduced


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference."""
    return float(np.abs(first.astype(np.float64) - second).mean())


def measure(path: Path, side: int, repeats: int, folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Times and differences of one picture."""
    whole, reduced = sample_sets(path, side, folder)
    image = read_image(path)
    name = f"{image.shape[1]} x {image.shape[0]} to {side} px"
    rows = compare(
        f"{path.stem}, {name}",
        {"decoded whole": lambda: whole[(0, 0)], "decoded reduced": lambda: reduced[(0, 0)]},
        repeats=repeats,
    )
    published, other = (samples[(0, 0)][0].permute(1, 2, 0).numpy() for samples in (whole, reduced))
    means = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return rows, {
        f"{path.stem}, {name}": f"{difference(other, published):.2f} to decoded whole, "
        f"which is {difference(means, published):.2f} from the means"
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    rows: list[Row] = []
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures = args.pictures
        if not pictures:
            rng = np.random.default_rng(0)
            for height, width in MADE:
                pictures.append(folder / f"made{height}.jpg")
                write_jpeg(pictures[-1], photo_like(rng, height, width))
        for path in pictures:
            for side in (550, 160):
                more_rows, more_figures = measure(path, side, args.repeats, folder)
                rows += more_rows
                figures |= more_figures
    print_rows(rows)
    print_figures(figures)


if __name__ == "__main__":
    main()
