"""task=predict"""

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig
from tqdm import tqdm

from yolact_pl.data.image_file import ImageError, read_image
from yolact_pl.inference.draw import draw_detections
from yolact_pl.inference.gallery import gallery
from yolact_pl.inference.media import image_files, output_stems
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.results import ResultsFile, plain_result
from yolact_pl.structures import Detections
from yolact_pl.tasks.build import build, image_size
from yolact_pl.tasks.trained import load_trained

_log = logging.getLogger(__name__)
GALLERY_PICTURES = 24


def run(cfg: DictConfig) -> None:
    """Draw what a checkpoint finds in the images of `cfg.source`.

    Writes an annotated picture for each image, `predictions.json` and `gallery.jpg` with the first pictures.

    Raises:
        ValueError: checkpoint or source that can't be used; at the end, images that could not be read.
    """
    if cfg.source is None:
        raise ValueError("task=predict needs source=<an image, a folder, a glob or a list of them>")
    source = list(cfg.source) if isinstance(cfg.source, ListConfig) else cfg.source
    files = image_files(source)
    trained = load_trained(cfg)
    predictor = Predictor(
        trained.network,
        build(trained.cfg.model.postprocess),
        class_names=trained.class_names,
        image_size=image_size(trained.cfg),
        min_score=cfg.task.min_score,
    )
    folder = Path(cfg.output)
    pictures: list[NDArray[np.uint8]] = []
    unreadable: list[str] = []
    with ResultsFile(folder / "predictions.json") as results:
        for file, stem in zip(tqdm(files, unit="image"), output_stems(files), strict=True):
            try:
                image = read_image(file)
            except ImageError as error:
                unreadable.append(str(error))
                continue
            detections = _best(predictor([image])[0], cfg.task.max_shown)
            picture = draw_detections(image, detections, predictor.class_names)
            _write(folder / f"{stem}.jpg", picture)
            results.add(plain_result(str(file), detections, predictor.class_names))
            if len(pictures) < GALLERY_PICTURES:
                pictures.append(picture)
    if pictures:
        _write(folder / "gallery.jpg", gallery(pictures, columns=min(4, len(pictures))))
    _log.info("%d pictures, predictions.json and gallery.jpg in %s", len(files) - len(unreadable), folder)
    if unreadable:
        raise ValueError(f"{len(unreadable)} of {len(files)} images were left out: {'; '.join(unreadable)}")


def _best(detections: Detections, count: int) -> Detections:
    return Detections(
        boxes=detections["boxes"][:count],
        scores=detections["scores"][:count],
        mask_scores=detections["mask_scores"][:count],
        labels=detections["labels"][:count],
        masks=detections["masks"][:count],
    )


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not cv2.imwrite: it can't write to folders with non-ASCII names on every system.
    encoded = cv2.imencode(path.suffix, picture[..., ::-1])[1]
    path.write_bytes(encoded.tobytes())
