"""Files of each image of a run."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.draw import ColorBy, draw_detections
from yolact_pl.inference.drawing.prototypes import prototypes_picture
from yolact_pl.inference.writing.outputs import (
    write_cutouts,
    write_index_mask,
    write_instance_masks,
    write_json,
    write_picture,
)
from yolact_pl.inference.writing.results_file import plain_result
from yolact_pl.results.detections import Detections


class Found(NamedTuple):
    """An image with its detections, to be written."""

    file: Path
    stem: str
    """Of the names of what is written."""
    image: NDArray[np.uint8]
    detections: Detections
    """With their parts, where `prototypes` are saved."""


class Written(NamedTuple):
    """What is kept of an image that has been written."""

    result: dict[str, Any]
    """See `plain_result`."""
    picture: NDArray[np.uint8] | None
    """The drawn picture; None if it was not asked for."""


class ImageWriter:
    """Writes into one folder, from any thread: different images never share a file.

    Args:
        folder: `overlay` goes to `<stem>.jpg`, `masks` to `masks/<stem>.png`, `cutouts` to
            `cutouts/<stem>/<rank>_<class>.png`, `instance_masks` likewise, `polygons` to
            `polygons/<stem>.json`, `prototypes` to `prototypes/<stem>.png`.
        save: which of these.
        class_names: one for each label.
        color_by: see `draw_detections`.
        labels: whether class and score are written on the drawn picture.
        keep_picture: whether the drawn picture is given back, also if it is not saved.
        on_file: called with each file that was written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        save: Collection[str],
        class_names: Sequence[str],
        color_by: ColorBy = "class",
        labels: bool = True,
        keep_picture: bool = False,
        on_file: Callable[[Path], object] = lambda path: None,
    ) -> None:
        self.folder = folder
        self.save = frozenset(save)
        self.class_names = class_names
        self.color_by: ColorBy = color_by
        self.labels = labels
        self.keep_picture = keep_picture
        self.on_file = on_file

    def targets(self, stems: Sequence[str]) -> list[Path]:
        """The files, and for cutouts the folders, to which a run over images with these stems may write."""
        names = {
            "overlay": ("{}.jpg", "{}.png", "gallery.jpg"),
            "masks": ("masks/{}.png",),
            "prototypes": ("prototypes/{}.png",),
            "polygons": ("polygons/{}.json",),
            "cutouts": ("cutouts/{}",),
            "instance_masks": ("instance_masks/{}",),
        }
        asked = [name for kind in names if kind in self.save for name in names[kind]]
        return [self.folder / name.format(stem) for stem in stems for name in asked]

    def __call__(self, found: Found) -> Written:
        """Write all that is to be saved of an image."""
        stem, image, detections = found.stem, found.image, found.detections
        picture = None
        if "overlay" in self.save or self.keep_picture:
            picture = draw_detections(
                image, detections, self.class_names, color_by=self.color_by, labels=self.labels
            )
            if "overlay" in self.save:
                self.on_file(write_picture(self.folder / f"{stem}.jpg", picture))
        if "masks" in self.save:
            self.on_file(write_index_mask(self.folder / "masks" / f"{stem}.png", detections))
        if "instance_masks" in self.save:
            folder = self.folder / "instance_masks" / stem
            for file in write_instance_masks(folder, detections, self.class_names):
                self.on_file(file)
        if "polygons" in self.save:
            outlined = plain_result(str(found.file), detections, self.class_names, polygons=True)
            self.on_file(write_json(self.folder / "polygons" / f"{stem}.json", outlined))
        if "prototypes" in self.save:
            sheet = prototypes_picture(image, detections, self.class_names)
            self.on_file(write_picture(self.folder / "prototypes" / f"{stem}.png", sheet))
        if "cutouts" in self.save:
            folder = self.folder / "cutouts" / stem
            for file in write_cutouts(folder, image, detections, self.class_names):
                self.on_file(file)
        return Written(plain_result(str(found.file), detections, self.class_names), picture)
