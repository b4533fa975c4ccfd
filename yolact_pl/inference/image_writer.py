"""What a run writes for each of its images."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.draw import ColorBy, draw_detections
from yolact_pl.inference.outputs import write_cutouts, write_index_mask, write_picture
from yolact_pl.inference.results import plain_result
from yolact_pl.structures import Detections


class Found(NamedTuple):
    """An image with its detections, on its way to be written."""

    file: Path
    stem: str
    """Of the names of what is written."""
    image: NDArray[np.uint8]
    detections: Detections


class Written(NamedTuple):
    """What is left of an image when all is written."""

    result: dict[str, Any]
    """See `plain_result`."""
    picture: NDArray[np.uint8] | None
    """The drawn picture; None if nobody wants it."""


class ImageWriter:
    """Writes into one folder, from any thread: different images never share a file.

    Args:
        folder: `overlay` goes to `<stem>.jpg`, `masks` to `masks/<stem>.png`, `cutouts` to
            `cutouts/<stem>/<rank>_<class>.png`.
        save: which of these.
        class_names: one for each label.
        color_by: "class" or "instance".
        keep_picture: whether the drawn picture is given back, also if it is not saved.
    """

    def __init__(
        self,
        folder: Path,
        *,
        save: Collection[str],
        class_names: Sequence[str],
        color_by: ColorBy = "class",
        keep_picture: bool = False,
    ) -> None:
        self.folder = folder
        self.save = frozenset(save)
        self.class_names = class_names
        self.color_by: ColorBy = color_by
        self.keep_picture = keep_picture

    def pictures(self, stems: Sequence[str]) -> list[Path]:
        """Where the drawn pictures will be, of images with these stems."""
        if "overlay" not in self.save:
            return []
        return [self.folder / f"{stem}{suffix}" for stem in stems for suffix in (".jpg", ".png")]

    def __call__(self, found: Found) -> Written:
        """Write all that is to be saved of an image."""
        stem, image, detections = found.stem, found.image, found.detections
        picture = None
        if "overlay" in self.save or self.keep_picture:
            picture = draw_detections(image, detections, self.class_names, color_by=self.color_by)
            if "overlay" in self.save:
                write_picture(self.folder / f"{stem}.jpg", picture)
        if "masks" in self.save:
            write_index_mask(self.folder / "masks" / f"{stem}.png", detections["masks"])
        if "cutouts" in self.save:
            write_cutouts(self.folder / "cutouts" / stem, image, detections, self.class_names)
        return Written(plain_result(str(found.file), detections, self.class_names), picture)
