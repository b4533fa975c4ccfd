"""A small data set in which nothing is wrong, to plant mistakes in."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycocotools.mask

from yolact_pl.doctor.coco_set import SetPaths

mask_api: Any = pycocotools.mask
CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
HEIGHT, WIDTH = 40, 60


@dataclass
class DataSet:
    """A training and a validation set on disk, the json files not written yet.

    Training has images 1 to 6, `1.png` to `6.png`, of 60 x 40 pixels. Image 6 is 20 x 30, with polygons only.
    Image i has the cat 10 i + 1, a polygon, and the dog 10 i + 2: a run-length code, or a polygon in image 6.
    Image 1 has the crowd region 13. Validation has images 7 to 9.
    """

    root: Path
    train: dict[str, Any]
    val: dict[str, Any]
    texts: dict[str, str] = field(default_factory=dict)
    """What to write instead of the content of "train" or "val"."""
    folders: dict[str, Path] = field(default_factory=dict)
    with_val: bool = False
    """Whether the validation set is looked at."""

    def image(self, number: int) -> dict[str, Any]:
        return next(one for one in self.train["images"] if one["id"] == number)

    def annotation(self, number: int) -> dict[str, Any]:
        return next(one for one in self.train["annotations"] if one["id"] == number)

    def file(self, name: str, split: str = "train") -> Path:
        return self.folders[split] / name

    def sets(self) -> list[SetPaths]:
        """Write the json files."""
        splits = ["train", "val"] if self.with_val else ["train"]
        return [self._write(split) for split in splits]

    def _write(self, split: str) -> SetPaths:
        path = self.root / f"{split}.json"
        text = self.texts.get(split) or json.dumps(getattr(self, split))
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return SetPaths(split, path, self.folders[split])


def write_sound_set(root: Path) -> DataSet:
    """Write the pictures of a set; each call gives the same."""
    rng = np.random.default_rng(0)
    contents = {}
    for split, numbers in (("train", range(1, 7)), ("val", range(7, 10))):
        (root / split).mkdir(parents=True)
        content: dict[str, Any] = {"images": [], "annotations": [], "categories": copy.deepcopy(CATEGORIES)}
        for number in numbers:
            size = (30, 20) if number == 6 else (HEIGHT, WIDTH)
            write_picture(root / split / f"{number}.png", size, rng)
            entry = {"id": number, "file_name": f"{number}.png", "height": size[0], "width": size[1]}
            content["images"].append(entry)
            content["annotations"] += [
                polygon_entry(10 * number + 1, number, 1, (2, 3, 15, 18)),
                polygon_entry(10 * number + 2, number, 2, (4, 8, 12, 26))
                if number == 6
                else code_entry(10 * number + 2, number, 2, (20, 10, 50, 30)),
            ]
        contents[split] = content
    crowd = code_entry(13, 1, 1, (30, 2, 58, 9)) | {"iscrowd": 1}
    mask = mask_api.decode(crowd["segmentation"])
    crowd["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": run_lengths(mask)}
    contents["train"]["annotations"].append(crowd)
    return DataSet(root, **contents, folders={"train": root / "train", "val": root / "val"})


def write_picture(path: Path, size: tuple[int, int], rng: np.random.Generator) -> None:
    cv2.imwrite(str(path), rng.integers(0, 256, (*size, 3), np.uint8))


def ring(corners: tuple[float, float, float, float]) -> list[float]:
    """A rectangle xyxy as a polygon."""
    left, top, right, bottom = corners
    return [left, top, right, top, right, bottom, left, bottom]


def polygon_entry(number: int, image: int, category: int, corners: tuple[float, ...]) -> dict[str, Any]:
    left, top, right, bottom = corners
    return _entry(number, image, category, corners) | {"segmentation": [ring((left, top, right, bottom))]}


def code_entry(number: int, image: int, category: int, corners: tuple[int, ...]) -> dict[str, Any]:
    left, top, right, bottom = corners
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return _entry(number, image, category, corners) | {"segmentation": as_code(mask)}


def as_code(mask: np.ndarray) -> dict[str, Any]:
    """A mask as pycocotools writes it."""
    code = mask_api.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": code["counts"].decode()}


def run_lengths(mask: np.ndarray) -> list[int]:
    """A mask as uncompressed counts, pixel by pixel."""
    counts, current = [0], 0
    for pixel in mask.ravel(order="F").tolist():
        if pixel != current:
            counts.append(0)
            current = pixel
        counts[-1] += 1
    return counts


def _entry(number: int, image: int, category: int, corners: tuple[float, ...]) -> dict[str, Any]:
    left, top, right, bottom = corners
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": 0,
    }
