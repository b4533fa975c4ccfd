"""How fast one process makes samples, beside the published formulation, and where the time goes.

    python benchmarks/data.py
    python benchmarks/data.py --json instances_train2017.json --images train2017 --size 550

Without arguments it writes pictures of its own to a temporary folder: 640 x 480 JPEGs, 7 objects each. One
core; times are of an image, in batches of 8. The published formulation is `plain_samples.py`; its random
choices are the same, and that both show the same is checked first. It normalises the images too, which here
the network does on its device.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from alternating import Row, alternate, compare, print_rows
from pictures import write_set
from plain_samples import PlainEvaluation, PlainTraining, collate, pixels_of

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.rasterize import prototype_size, rasterize, semantic_size
from yolact_pl.data.augmentation.modern import ModernAugmentation
from yolact_pl.data.augmentation.transforms import SsdAugmentation
from yolact_pl.data.dataset import EvaluationDataset, TrainDataset
from yolact_pl.data.loader import evaluation_batch, training_batch
from yolact_pl.data.resize import to_planes
from yolact_pl.data.sampler import sample_generator
from yolact_pl.freed_memory import keep_freed_memory
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.images.image_file import read_image
from yolact_pl.images.resize import resize_image

BATCH = 8
MODERN: dict[str, dict[str, float]] = {
    "one image": {},
    "copy-paste": {"copy_paste": 1},
    "mosaic": {"mosaic": 1},
    "mosaic and copy-paste": {"mosaic": 1, "copy_paste": 1},
}
PUBLISHED, OURS = "published formulation", "this project"


def check_same(train: TrainDataset, plain: PlainTraining, images: int) -> None:
    """Samples of both ways show the same, but for rounding and the order of recolouring and resizing."""
    for index in range(images):
        (image, target), (plain_image, boxes, masks) = train[(0, index)], plain[(0, index)]
        difference = np.abs(image.permute(1, 2, 0).numpy().astype(int) - pixels_of(plain_image))
        assert difference.mean() < 4, f"the pictures of image {index} differ by {difference.mean():.1f}"
        if len(boxes) != len(target["boxes"]):
            continue  # an object of less than a pixel is left out
        assert np.allclose(boxes, target["boxes"].numpy(), atol=0.05), f"the boxes of image {index} differ"
        small = resize_masks(torch.from_numpy(masks.copy()), tuple(target["masks"].shape[1:]))
        different = (small != target["masks"]).float().mean() if len(boxes) else 0
        assert different < 0.01, f"the masks of image {index} differ by {100 * different:.2f} %"


def batches(
    known: Annotations, folder: Path, size: tuple[int, int]
) -> dict[str, dict[str, Callable[[], object]]]:
    """By stage and variant a function that makes the next batch; all variants make the same ones."""
    images = min(known.num_images, 200)
    train = TrainDataset(known, folder, image_size=size, augment=SsdAugmentation())
    val = EvaluationDataset(known, folder, image_size=size)
    modern = {
        name: TrainDataset(known, folder, image_size=size, augment=ModernAugmentation(**options))
        for name, options in MODERN.items()
    }
    plain_train = PlainTraining(known, folder, size)
    plain_val = PlainEvaluation(known, folder, size)
    check_same(train, plain_train, min(images, 20))

    def variant(make: Callable[[list[tuple[int, int]]], object]) -> Callable[[], object]:
        numbers = count()
        return lambda: make([divmod(next(numbers), images) for _ in range(BATCH)])

    return {
        f"training sample, {size[0]} px": {
            PUBLISHED: variant(lambda keys: collate([plain_train[key] for key in keys])),
            OURS: variant(lambda keys: training_batch([train[key] for key in keys])),
        },
        f"evaluation sample, {size[0]} px": {
            PUBLISHED: variant(lambda keys: torch.stack([plain_val[i] for _, i in keys])),
            OURS: variant(lambda keys: evaluation_batch([val[i] for _, i in keys])),
        },
        f"augment=modern, {size[0]} px": {
            name: variant(partial(lambda made, keys: training_batch([made[key] for key in keys]), samples))
            for name, samples in modern.items()
        },
    }


def parts(known: Annotations, folder: Path, size: tuple[int, int], repeats: int) -> list[Row]:
    """What a training sample consists of, and the resize of an evaluation sample; the whole is the first."""
    images = range(min(known.num_images, 40))
    train = TrainDataset(known, folder, image_size=size, augment=SsdAugmentation())
    augment = SsdAugmentation()
    sizes = [prototype_size(size), semantic_size(size)]
    pictures = [read_image(folder / known.file_name(i), known.size(i)) for i in images]
    windows = [
        augment.window(
            known.size(i),
            known.boxes[known.rows(i)],
            known.iscrowd[known.rows(i)],
            sample_generator(0, 0, i),
        )
        for i in images
    ]
    shown = [window.cut(picture, size)[0] for window, picture in zip(windows, pictures, strict=True)]
    kept = [
        known.rows(i).start + np.flatnonzero(windows[i].contains_centres(known.boxes[known.rows(i)]))
        for i in images
    ]
    pixels = np.zeros((*size, 3), np.uint8)
    work: dict[str, Callable[[int], object]] = {
        "all": lambda i: train[(0, i)],
        "read and decode": lambda i: read_image(folder / known.file_name(i), known.size(i)),
        "cut and resize": lambda i: windows[i].cut(pictures[i], size),
        "recolour": lambda i: (
            augment.recolour(shown[i], sample_generator(0, 0, i)) if shown[i].size else None
        ),
        "draw masks": lambda i: rasterize(known, kept[i], windows[i], sizes),
        "to planes": lambda i: to_planes(pixels),
        "evaluation: resize": lambda i: resize_image(pictures[i], size),
    }

    def over_all(function: Callable[[int], object]) -> None:
        for i in images:
            function(i)

    times = alternate({name: partial(over_all, function) for name, function in work.items()}, repeats=repeats)
    whole = times["all"]
    return [
        Row("part of a training sample", name, time / len(images), whole / time)
        for name, time in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--size", type=int, default=550)
    parser.add_argument("--repeats", type=int, default=40, help="batches of each variant")
    arguments = parser.parse_args()
    cv2.setNumThreads(0)
    keep_freed_memory()  # as data workers do
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images or Path(temporary)
        known = read_annotations(arguments.json or write_set(folder), folder)
        size = (arguments.size, arguments.size)
        objects = known.num_annotations / known.num_images
        print(f"{known.num_images} images, {objects:.1f} objects each\n")
        rows = []
        for stage, variants in batches(known, folder, size).items():
            rows += compare(stage, variants, repeats=arguments.repeats, per=BATCH)
        print_rows(rows)
        print_rows(parts(known, folder, size, max(arguments.repeats // 8, 1)))


if __name__ == "__main__":
    main()
