"""How long a set as large as COCO takes to be read, and whether the memory of a data worker grows.

    python benchmarks/data_memory.py
    python benchmarks/data_memory.py --json instances_train2017.json --images train2017

Without a json it writes one of 118,000 images and 860,000 polygons; the pictures behind are a few, read again
and again. Linux only: it asks /proc. "private" is what belongs to the worker alone: pages of the annotations
that it would copy by writing to them, such as to reference counts of Python objects, would show there.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from alternating import print_figures
from pictures import HEIGHT, WIDTH, photo_like, write_jpeg

from yolact_pl.data.augmentation.transforms import SsdAugmentation
from yolact_pl.data.datamodule import CocoDataModule

PICTURES = 60
BATCH = 8
OBJECTS_PER_IMAGE = 7.3
NUM_CLASSES = 80


def write_json(path: Path, num_images: int) -> Path:
    """So many images with polygons of 12 to 40 points, as many as in COCO."""
    rng = np.random.default_rng(0)
    number = 0
    with path.open("w") as file:
        names = ", ".join(json.dumps({"id": n, "name": f"class {n}"}) for n in range(NUM_CLASSES))
        file.write(f'{{"categories": [{names}],\n"images": [')
        for i in range(num_images):
            image = {"id": i, "file_name": f"{i % PICTURES}.jpg", "height": HEIGHT, "width": WIDTH}
            file.write(("," if i else "") + json.dumps(image))
        file.write('],\n"annotations": [')
        for i in range(num_images):
            for _ in range(rng.poisson(OBJECTS_PER_IMAGE)):
                file.write(("," if number else "") + json.dumps(_annotation(number, i, rng)))
                number += 1
        file.write("]}")
    return path


def _annotation(number: int, image_id: int, rng: np.random.Generator) -> dict[str, object]:
    count = int(rng.integers(12, 40))
    angles = np.arange(count) * (2 * np.pi / count)
    radius = rng.uniform(8, 120)
    ring = np.stack((np.cos(angles), np.sin(angles)), 1) * radius + rng.uniform((120, 120), (520, 360))
    low, high = ring.min(0), ring.max(0)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": number % NUM_CLASSES,
        "iscrowd": 0,
        "area": radius**2,
        "bbox": [*low.round(2), *(high - low).round(2)],
        "segmentation": [ring.ravel().round(2).tolist()],
    }


def memory(pid: int | str) -> dict[str, float]:
    """Resident, shared and private memory of a process in MiB."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    kilobytes = {line[0].rstrip(":"): int(line[1]) for line in lines}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    resident = kilobytes["Rss"]
    return {"resident": resident / 1024, "shared": (resident - private) / 1024, "private": private / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="a COCO file; without one it is generated")
    parser.add_argument("--images", type=Path, help="folder of its images")
    parser.add_argument("--count", type=int, default=118_000, help="images of the generated set")
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=550)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, path = arguments.images, arguments.json
        if path is None:
            folder = Path(temporary)
            rng = np.random.default_rng(0)
            for i in range(PICTURES):
                write_jpeg(folder / f"{i}.jpg", photo_like(rng))
            path = write_json(folder / "instances.json", arguments.count)
        data = CocoDataModule(
            train_json=path,
            train_images=folder,
            image_size=arguments.size,
            batch_size=BATCH,
            augment=SsdAugmentation(),
            num_workers=1,
        )
        start = time.perf_counter()
        data.check("fit")
        seconds = time.perf_counter() - start
        known = data.sources.annotations("train")
        history = watch(data, arguments.samples)
    print(f"{known.num_images:,} images, {known.num_annotations:,} objects\n")
    print("| samples | resident MiB | shared MiB | private MiB of the worker |")
    print("|---:|---:|---:|---:|")
    for samples, now in history.items():
        print(f"| {samples} | {now['resident']:.0f} | {now['shared']:.0f} | {now['private']:.0f} |")
    print()
    private = [now["private"] for now in history.values()]
    print_figures(
        {
            f"a set of {known.num_images:,} images, read and checked": f"{seconds:.0f} s",
            f"growth of a worker over {arguments.samples:,} samples": f"{private[-1] - private[0]:+.1f} MiB",
            "memory of the main process": f"{memory('self')['resident']:.0f} MiB",
        }
    )


def watch(data: CocoDataModule, samples: int) -> dict[int, dict[str, float]]:
    """The worker's memory after each eighth of the samples."""
    loader = data.train_dataloader()
    every = max(samples // BATCH // 8, 1)
    history = {}
    for number, _ in enumerate(loader, start=1):
        if number % every == 0:
            worker = loader._iterator._workers[0].pid
            history[number * BATCH] = memory(worker)
        if number * BATCH >= samples:
            break
    return history


if __name__ == "__main__":
    main()
