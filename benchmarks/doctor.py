"""Time and memory of the data check, images not opened, on a made-up json as large as COCO's training set.

    python benchmarks/doctor.py                            118,000 images, 860,000 annotations
    python benchmarks/doctor.py --json instances_train2017.json
    python benchmarks/doctor.py --write big.json           only write the json

The json has polygons of about 25 points and 10,000 crowd regions as run-length codes; nothing in it is wrong.
Beside it what the quick check adds to the start of a training. Each runs in a process of its own, so that the
memory is its alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask as mask_api
from alternating import print_figures

SIZES = [(480, 640), (427, 640), (640, 480), (640, 427)]
CLASSES = 80
CHECK = """
import json, resource, sys, time
from pathlib import Path
from yolact_pl.doctor.coco_set import SetPaths
from yolact_pl.doctor.examination import examine
from yolact_pl.doctor.findings import count_kinds
start, cpu = time.perf_counter(), time.process_time()
examination = examine([SetPaths("train", Path(sys.argv[1]), None)], opened=None)
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
statistics = examination.sets[0].statistics
found = [f"{sum(counts.values())} {kind.slug}" for kind, counts in count_kinds(examination.findings).items()]
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({
    "whole check": f"{seconds:.0f} s ({cpu:.0f} s of CPU), {memory:.2f} GiB at most",
    "it saw": f"{statistics.images} images, {statistics.instances} objects, {statistics.crowds} crowds",
    "it found": ", ".join(found) or "nothing",
}))
"""
QUICK_CHECK = """
import json, sys, time
from pathlib import Path
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.doctor.quick import quick_check
start = time.process_time()
annotations = read_annotations(sys.argv[1])
read = time.process_time()
quick_check([(annotations, Path())])
seconds = time.process_time() - read
print(json.dumps({"quick check": f"{seconds:.1f} s of CPU, after {read - start:.1f} s for reading"}))
"""


def write_large_json(path: Path, num_images: int, num_annotations: int, num_crowds: int) -> None:
    """A sound COCO file, written image by image."""
    rng = np.random.default_rng(0)
    owners = np.sort(rng.integers(0, num_images, num_annotations))
    crowds = set(rng.choice(num_annotations, num_crowds, replace=False).tolist())
    counts = np.bincount(owners, minlength=num_images)
    categories = [{"id": k + 1, "name": f"class {k + 1}"} for k in range(CLASSES)]
    with path.open("w") as file:
        file.write('{"categories": ' + json.dumps(categories) + ', "images": [')
        for i in range(num_images):
            height, width = SIZES[i % len(SIZES)]
            image = {"id": 7 * i + 1, "file_name": f"{i:012d}.jpg", "height": height, "width": width}
            file.write(
                (", " if i else "") + json.dumps({**image, "license": 1, "date_captured": "2013-11-20"})
            )
        file.write('], "annotations": [')
        number = 0
        for i, count in enumerate(counts.tolist()):
            for ring in rings(rng, count, SIZES[i % len(SIZES)]):
                crowd = number in crowds
                entry = {"id": number + 1, "image_id": 7 * i + 1, "category_id": 1 + number % CLASSES}
                file.write((", " if number else "") + json.dumps(entry | outline(ring, i, crowd)))
                number += 1
        file.write("]}")


def rings(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Bumpy ellipses [points, 2] inside of the image, most of them small."""
    points = rng.integers(12, 40, count)
    scale = np.minimum(rng.lognormal(-2.2, 0.9, count), 0.45)
    found = []
    for k in range(count):
        angles = np.linspace(0, 2 * np.pi, points[k], endpoint=False)
        reach = scale[k] * rng.uniform(0.7, 1, (points[k], 1)) * size[::-1]
        centre = rng.uniform(scale[k], 1 - scale[k], 2) * size[::-1]
        ring = centre + np.maximum(reach, 3) * np.stack((np.cos(angles), np.sin(angles)), 1)
        found.append(ring.clip(0, size[::-1]).round(2))
    return found


def outline(ring: np.ndarray, image: int, crowd: bool) -> dict[str, Any]:
    """Segmentation, box and area of an annotation."""
    height, width = SIZES[image % len(SIZES)]
    if crowd:
        code: Any = mask_api.merge(mask_api.frPyObjects([ring.ravel().tolist()], height, width))
        box, area = mask_api.toBbox(code).tolist(), int(mask_api.area(code))
        segmentation: Any = {"size": [height, width], "counts": code["counts"].decode()}
    else:
        low, high = ring.min(0), ring.max(0)
        box = [*low.tolist(), *(high - low).round(2).tolist()]
        x, y = ring.T
        area = round(float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2), 4)
        segmentation = [ring.ravel().tolist()]
    return {"segmentation": segmentation, "bbox": box, "area": area, "iscrowd": int(crowd)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--annotations", type=int, default=860_000)
    parser.add_argument("--crowds", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = arguments.json or arguments.write or Path(temporary) / "large.json"
        if arguments.json is None:
            start = time.perf_counter()
            write_large_json(path, arguments.images, arguments.annotations, arguments.crowds)
            seconds = time.perf_counter() - start
            print(f"wrote {path.stat().st_size / 1e6:.0f} MB in {seconds:.0f} s\n", flush=True)
        if arguments.write is None:
            figures: dict[str, str] = {}
            for code in (CHECK, QUICK_CHECK):
                command = [sys.executable, "-c", code, str(path)]
                figures |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print_figures(figures)


if __name__ == "__main__":
    main()
