"""`task=predict` on images: which are taken, and what is written of each."""

import json
import logging
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from tests.inference.test_predictor import NAMES, random_images, small_network, small_predictor
from yolact_pl.cli import predictor as built
from yolact_pl.images.image_file import read_image
from yolact_pl.inference import image_reader
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.writing.outputs import write_picture
from yolact_pl.postprocess import Postprocess
from yolact_pl.tasks import predict

OPTIONS = Path(__file__).parents[2] / "conf" / "task" / "predict.yaml"
SHOWN = 3


def config(source: object, output: Path, **options: Any) -> DictConfig:
    own = {"source": source, "output": str(output), "top_k": SHOWN}
    cfg = OmegaConf.merge(OmegaConf.load(OPTIONS), own, options)
    assert isinstance(cfg, DictConfig)
    return cfg


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Predict with an untrained network that finds its most in every image: `run(source, **options)`."""

    def call(source: object, **options: Any) -> Path:
        cfg = config(source, tmp_path / "out", **options)
        predictor = small_predictor().with_options(top_k=cfg.top_k)
        monkeypatch.setattr(predict, "configured_predictor", lambda cfg: (predictor, [1]))
        predict.run(cfg)
        return tmp_path / "out"

    return call


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.png, b.jpg, and inner/a.png, inner/deeper/c.png, each of a size of its own."""
    folder = tmp_path / "photos"
    (folder / "inner" / "deeper").mkdir(parents=True)
    names = ("a.png", "b.jpg", "inner/a.png", "inner/deeper/c.png")
    for name, pixels in zip(names, random_images((40, 50), (30, 60), (64, 64), (50, 31)), strict=True):
        cv2.imwrite(str(folder / name), pixels)
    (folder / "notes.txt").write_text("no picture")
    return folder


def tree(folder: Path) -> set[str]:
    """All files but the record of them."""
    return {str(path.relative_to(folder)) for path in folder.rglob("[!.]*") if path.is_file()}


def sizes(output: Path) -> dict[str, list[int]]:
    """(height, width) by the name of the file, of all that are in the json."""
    entries = json.loads((output / "predictions.json").read_text())
    return {"/".join(Path(e["file"]).parts[-2:]): e["size"] for e in entries}


def test_a_folder_gives_its_own_images(run: Any, photos: Path) -> None:
    output = run(str(photos))
    assert tree(output) == {"a.jpg", "b.jpg", "gallery.jpg", "predictions.json"}
    assert sizes(output) == {"photos/a.png": [40, 50], "photos/b.jpg": [30, 60]}


def test_a_second_run_leaves_nothing_of_the_first(run: Any, photos: Path) -> None:
    run(str(photos), save=["overlay", "json", "masks", "cutouts"])
    output = run(str(photos / "b.jpg"), save=["json", "masks"])
    assert tree(output) == {"masks/b.png", "predictions.json"}
    assert sizes(output) == {"photos/b.jpg": [30, 60]}


@pytest.mark.parametrize(
    ("options", "nms", "iou_threshold"),
    [({}, "cross_class", 0.5), ({"nms": "fast", "iou_threshold": 0.7}, "fast", 0.7)],
)
def test_an_object_gets_one_label_unless_asked_otherwise(
    options: dict[str, Any], nms: str, iou_threshold: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the checkpoint is measured with."""
    network, cfg = small_network(), OmegaConf.create({"model": {"postprocess": {}}, "dataset": {}})
    trained = SimpleNamespace(
        network=network, cfg=cfg, class_names=NAMES, category_ids=[1, 2, 3], class_thresholds=None
    )
    monkeypatch.setattr(built, "load_exported", lambda cfg, **_: None)
    monkeypatch.setattr(built, "load_trained", lambda cfg, **_: trained)
    monkeypatch.setattr(built, "build", lambda cfg: Postprocess(iou_threshold=0.65))
    monkeypatch.setattr(built, "image_size", lambda cfg: (64, 96))
    monkeypatch.setattr(built, "resize_mode", lambda cfg: "stretch")
    request = built.configured_predictor(config("x", tmp_path, **options))[0].request
    assert (request.nms, request.iou_threshold) == (nms, iou_threshold)


def test_recursive_takes_the_folders_inside_and_names_do_not_collide(run: Any, photos: Path) -> None:
    output = run(str(photos), recursive=True)
    assert sizes(output) == {
        "photos/a.png": [40, 50],
        "photos/b.jpg": [30, 60],
        "inner/a.png": [64, 64],
        "deeper/c.png": [50, 31],
    }
    assert tree(output) == {
        "photos_a_png.jpg",
        "inner_a_png.jpg",
        "b.jpg",
        "c.jpg",
        "gallery.jpg",
        "predictions.json",
    }
    assert read_image(output / "inner_a_png.jpg").shape[:2] == (64, 64)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", {"photos/a.png"}),
        ("**/*.png", {"photos/a.png", "inner/a.png", "deeper/c.png"}),
        ("*/a.*", {"inner/a.png"}),
        ("[ab].*", {"photos/a.png", "photos/b.jpg"}),
    ],
)
def test_a_glob(pattern: str, expected: set[str], run: Any, photos: Path) -> None:
    assert set(sizes(run(str(photos / pattern)))) == expected


def test_a_list_of_sources_keeps_its_order(run: Any, photos: Path) -> None:
    output = run([str(photos / "b.jpg"), str(photos / "inner"), str(photos / "*.png")])
    assert list(sizes(output)) == ["photos/b.jpg", "inner/a.png", "photos/a.png"]


SAVED = {
    "overlay": {"a.jpg", "gallery.jpg"},
    "json": {"predictions.json"},
    "masks": {"masks/a.png"},
    "polygons": {"polygons/a.json"},
    "prototypes": {"prototypes/a.png"},
}


@pytest.mark.parametrize("kind", SAVED)
def test_only_what_is_asked_for_is_written(kind: str, run: Any, photos: Path) -> None:
    assert tree(run(str(photos / "a.png"), save=[kind])) == SAVED[kind]


def test_masks_and_cutouts_are_those_of_the_json(run: Any, photos: Path) -> None:
    from pycocotools import mask as coco_mask

    output = run(str(photos / "a.png"), save=["json", "masks", "cutouts", "instance_masks", "polygons"])
    (entry,) = json.loads((output / "predictions.json").read_text())
    masks = [coco_mask.decode(found["segmentation"]).astype(bool) for found in entry["detections"]]
    assert len(masks) == SHOWN
    expected = np.zeros((40, 50), dtype=np.uint8)
    for rank in reversed(range(SHOWN)):
        expected[masks[rank]] = rank + 1
    with Image.open(output / "masks" / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), expected)

    outlined = json.loads((output / "polygons" / "a.json").read_text())
    names = [f"{rank:02}_{found['name']}.png" for rank, found in enumerate(entry["detections"], start=1)]
    assert tree(output / "instance_masks" / "a") == set(names)
    for name, found, mask in zip(names, outlined["detections"], masks, strict=True):
        with Image.open(output / "instance_masks" / "a" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), mask * np.uint8(255))
        filled = np.zeros((40, 50), dtype=np.uint8)
        if mask.any():
            runs = [np.asarray(part, float).ravel().tolist() for part in found["polygons"]]
            filled = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(runs, 40, 50)))
        assert (filled >= mask).all()  # holes are filled
    for found in (*entry["detections"], *outlined["detections"]):
        found.pop("segmentation", found.pop("polygons", None))
    assert outlined == entry

    pixels = read_image(photos / "a.png")
    assert tree(output / "cutouts" / "a") == {
        f"{rank:02}_{found['name']}.png"
        for rank, (found, mask) in enumerate(zip(entry["detections"], masks, strict=True), start=1)
        if mask.any()
    }
    for rank, (found, mask) in enumerate(zip(entry["detections"], masks, strict=True), start=1):
        if mask.any():
            name = f"{rank:02}_{found['name']}.png"
            with Image.open(output / "cutouts" / "a" / name) as image:
                cutout = np.asarray(image)
            assert (cutout[..., 3] > 0).sum() == mask.sum()
            np.testing.assert_array_equal(cutout[cutout[..., 3] > 0][:, :3], pixels[mask])


def test_prototypes_of_a_batch_are_of_their_own_image(run: Any, photos: Path) -> None:
    """Together in one batch or each by itself: the same sheets, but for rounding."""
    sheets = {}
    for batch_size in (4, 1):
        output = run(str(photos), recursive=True, save=["prototypes"], batch_size=batch_size)
        files = sorted((output / "prototypes").iterdir())
        sheets[batch_size] = [read_image(file) for file in files]
        assert [file.stem for file in files] == ["b", "c", "inner_a_png", "photos_a_png"]
    for together, alone in zip(sheets[4], sheets[1], strict=True):
        assert together.shape == alone.shape
        assert (np.abs(together.astype(int) - alone).max(axis=2) > 8).mean() < 0.01


def test_large_images_go_through_alone(run: Any, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40x50 = 2000, 30x60, 64x64 = 4096 and 50x31 pixels, where 2500 count as one image more."""
    monkeypatch.setattr(image_reader, "USUAL_PIXELS", 2500)
    batches: list[int] = []
    original = predict._detect

    def detect(*arguments: Any) -> predict.Detect:
        inner = original(*arguments)

        def counted(images: Any) -> Any:
            batches.append(len(images))
            return inner(images)

        return counted

    monkeypatch.setattr(predict, "_detect", detect)
    run(str(photos), recursive=True, batch_size=2)
    assert batches == [2, 1, 1]  # a and b; inner/a, which counts for two; c


def test_colors_by_instance_change_the_pictures_and_nothing_else(run: Any, photos: Path) -> None:
    by_class = read_image(run(str(photos / "a.png"), color_by="class") / "a.jpg")
    results = sizes(run(str(photos / "a.png"), color_by="instance"))
    by_instance = read_image(run(str(photos / "a.png"), color_by="instance") / "a.jpg")
    assert results == {"photos/a.png": [40, 50]}
    assert (by_class != by_instance).any()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("overlay", "b.jpg"),
        ("overlay", "gallery.jpg"),
        ("masks", "masks/x.png"),
        ("prototypes", "prototypes/x.png"),
        ("cutouts", "cutouts/01_star/01_star.png"),
        ("instance_masks", "instance_masks/01_star/01_star.png"),
    ],
)
def test_nobodys_photo_is_replaced(
    kind: str, name: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / name).parent.mkdir(parents=True, exist_ok=True)
    content = (photos / "b.jpg").read_bytes()
    (photos / name).write_bytes(content)
    monkeypatch.setattr(predict, "configured_predictor", lambda cfg: (small_predictor(), [1]))
    with pytest.raises(ValueError, match="is a source and would be written over"):
        predict.run(config(str(photos / name), photos, save=[kind]))
    assert (photos / name).read_bytes() == content


def test_labels_may_be_left_out(run: Any, photos: Path, tmp_path: Path) -> None:
    labeled = read_image(run(str(photos / "inner" / "a.png")) / "a.jpg")
    drawn = read_image(run(str(photos / "inner" / "a.png"), labels=False) / "a.jpg")
    assert (labeled != drawn).any()
    pixels = read_image(photos / "inner" / "a.png")
    predictor = small_predictor().with_options(top_k=SHOWN)
    plain = draw_detections(pixels, predictor([pixels])[0], predictor.class_names, labels=False)
    np.testing.assert_array_equal(read_image(write_picture(tmp_path / "plain.jpg", plain)), drawn)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_completes_what_was_begun(
    number: signal.Signals, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = tmp_path / "many", tmp_path / "out"
    source.mkdir()
    for name, pixels in enumerate(random_images(*[(30, 40)] * 40)):
        cv2.imwrite(str(source / f"{name:02}.png"), pixels)
    seen: list[int] = []
    original = predict._detect

    def detect(*arguments: Any) -> predict.Detect:
        inner = original(*arguments)

        def interrupted(images: Any) -> Any:
            seen.append(len(images))
            if len(seen) == 2:
                signal.raise_signal(number)
            return inner(images)

        return interrupted

    monkeypatch.setattr(predict, "_detect", detect)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        run(str(source), batch_size=2)
    assert stopped.value.code == 128 + number
    assert seen in ([2, 2], [2, 2, 1])  # one may have been on its way into a batch
    entries = json.loads((output / "predictions.partial.json").read_text())
    pictures = {f"{number:02}.jpg" for number in range(sum(seen))}
    assert tree(output) == {*pictures, "predictions.partial.json"}
    assert len(entries) == sum(seen)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_videos_in_a_folder_are_named(run: Any, photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    (photos / "clip.mp4").write_bytes(b"not looked at")
    with caplog.at_level(logging.WARNING):
        run(str(photos))
    assert any("clip.mp4" in record.getMessage() for record in caplog.records)


def test_tiles_are_looked_through(run: Any, photos: Path) -> None:
    """Six looks at most of 3 objects each, of which the limit of the whole image stays."""
    output = run(str(photos / "inner" / "a.png"), tile=40, overlap=0.25, top_k=10)
    (entry,) = json.loads((output / "predictions.json").read_text())
    assert 3 < len(entry["detections"]) <= 10
    assert max(found["box"][2] for found in entry["detections"]) > 40
