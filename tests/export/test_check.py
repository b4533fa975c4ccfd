"""The check finds what is wrong, and passes what is right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.export.networks import NETWORKS, SIZE
from yolact_pl.data.shape_drawing import draw_shapes
from yolact_pl.export.formats.format import Format
from yolact_pl.export.source import Source, describe
from yolact_pl.export.verification.check import check_export
from yolact_pl.export.verification.comparison import (
    TOLERANCES,
    Rows,
    detection_differences,
    match,
    raw_difference,
)
from yolact_pl.export.verification.picture import write_picture
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.postprocess import Postprocess

Arrays = dict[str, NDArray[Any]]
PICTURES = [draw_shapes(80, np.random.default_rng(seed)).pixels for seed in range(3)]


class TorchFormat:
    """Writes nothing: the torch module itself computes, and is spoilt."""

    def __init__(
        self,
        spoil_input: Callable[[NDArray[Any]], NDArray[Any]] = lambda images: images,
        spoil: Callable[[Arrays], object] = lambda outputs: None,
    ) -> None:
        self.model: Any = None
        self.layouts: dict[Path, tuple[Source, str]] = {}
        self.spoil_input, self.spoil = spoil_input, spoil

    def write(self, source: Source, layout: str, folder: Path) -> None:
        self.layouts[folder] = source, layout

    def open(self, folder: Path) -> "TorchFormat":
        opened: Any = TorchFormat(self.spoil_input, self.spoil)
        source, layout = self.layouts[folder]
        opened.model = source.portable()
        opened.model.layout = layout
        return opened

    @torch.inference_mode()
    def run(self, images: NDArray[Any]) -> Arrays:
        pixels = torch.from_numpy(np.ascontiguousarray(self.spoil_input(images)))
        outputs = {name: part.numpy().copy() for name, part in self.model(pixels).items()}
        self.spoil(outputs)
        return outputs


def source_of(name: str, layout: str = "detections", **changes: Any) -> Source:
    network, options = NETWORKS[name]
    postprocess = Postprocess(**options)
    arguments: dict[str, Any] = {
        "input": "uint8",
        "dynamic_size": False,
        "resize": "stretch",
        "precision": "float32",
        **changes,
    }
    metadata = describe(
        network,
        postprocess,
        layout=layout,
        image_size=SIZE,
        image_value_range=None,
        class_names=("a", "b", "c"),
        category_ids=(1, 2, 3),
        class_thresholds=None,
        checkpoint=Path(__file__),
        licence=None,
        **arguments,
    )
    return Source(network, postprocess, metadata)


def check(source: Source, written_by: TorchFormat, folder: Path) -> Any:
    written_by.write(source, source.metadata.layout, folder)
    return check_export(source, cast("Format", written_by), folder, PICTURES, "drawn")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layout", ["detections", "coefficients"])
def test_right_files_pass(name: str, layout: str, tmp_path: Path) -> None:
    report = check(source_of(name, layout, resize="letterbox", input="float32"), TorchFormat(), tmp_path)
    assert report.failure is None, report.to_text()
    assert set(report.differences) == {1, 2}
    outputs = [*OUTPUTS["raw"], "labels", "scores", "boxes", "mask_scores", "masks"]
    assert [row.output for row in report.differences[2]] == outputs
    read = json.loads(report.to_json())
    assert read["passes"]
    assert len(read["differences"]) == 20
    assert all(row["difference"] is not None for row in read["differences"])
    write_picture(report, tmp_path / "check.png")
    picture = cv2.imread(str(tmp_path / "check.png"))
    assert picture is not None
    assert not picture[100:300, -400:-100].any()  # the difference of the first image
    assert picture[100:300, 100:400].any()


def zero_part(name: str) -> Callable[[Arrays], None]:
    def spoil(outputs: Arrays) -> None:
        if name in outputs:
            outputs[name][:] = 0

    return spoil


def lose_every_second(outputs: Arrays) -> None:
    if "scores" in outputs:
        outputs["scores"][:, ::2] = 0


def swap_corners(outputs: Arrays) -> None:
    if "boxes" in outputs:
        outputs["boxes"][:] = outputs["boxes"][..., [1, 0, 3, 2]]


def move_boxes(outputs: Arrays) -> None:
    if "boxes" in outputs:
        outputs["boxes"] += 0.1


def set_nan(outputs: Arrays) -> None:
    if "prototypes" in outputs:
        outputs["prototypes"][0, 0, 0, 0] = np.nan


def spoil_second(images: NDArray[Any]) -> NDArray[Any]:
    """A batch of fixed size that repeats its first image."""
    return images[[0] * len(images)]


@pytest.mark.parametrize(
    ("spoilt", "first"),
    [
        (TorchFormat(lambda images: images[..., ::-1]), "class_logits"),
        (TorchFormat(lambda images: images // 2), "class_logits"),
        (TorchFormat(spoil_second), "class_logits"),
        (TorchFormat(spoil=set_nan), "prototypes"),
        (TorchFormat(spoil=zero_part("anchors")), "anchors"),
        (TorchFormat(spoil=lose_every_second), "labels"),
        (TorchFormat(spoil=swap_corners), "labels"),
        (TorchFormat(spoil=zero_part("labels")), "labels"),
        (TorchFormat(spoil=move_boxes), "boxes"),
        (TorchFormat(spoil=zero_part("mask_scores")), "mask_scores"),
        (TorchFormat(spoil=zero_part("masks")), "masks"),
    ],
)
def test_wrong_files_are_told(spoilt: TorchFormat, first: str, tmp_path: Path) -> None:
    report = check(source_of("yolact"), spoilt, tmp_path)
    assert report.failure is not None
    assert report.failure.startswith(f"{first} differs first")
    assert f"FAILED: {first}" in report.to_text()
    assert json.loads(report.to_json())["failure"] == report.failure


def test_ap_has_a_limit(tmp_path: Path) -> None:
    report = check(source_of("yolact", "raw"), TorchFormat(), tmp_path)
    report.ap = {"torch": {"box": 0.5, "mask": 0.4}, "exported": {"box": 0.499, "mask": 0.39}}
    assert report.failure == "mask AP is 1.00 lower than torch's, 0.2 are allowed"
    assert "40.00" in report.to_text()


def rows(*objects: tuple[float, int, list[float]]) -> Rows:
    scores, labels, boxes = zip(*objects, strict=True) if objects else ((), (), ())
    scores = np.array(scores, np.float32)
    masks = np.ones((len(objects), 4, 4), np.float32)
    return Rows(np.array(boxes, np.float32).reshape(-1, 4), scores, scores, np.array(labels, np.int64), masks)


def test_rows_are_matched_by_class_and_box() -> None:
    one, other, far = [0.0, 0, 10, 10], [1.0, 0, 11, 10], [50.0, 50, 60, 60]
    expected = rows((0.9, 0, one), (0.8, 1, one), (0.7, 0, other), (0.6, 0, far))
    found = rows((0.9, 1, one), (0.85, 0, other), (0.8, 0, one), (0.5, 2, far))
    pairs, lonely = match(expected, found)
    assert pairs == [(0, 2), (1, 0), (2, 1)]
    np.testing.assert_allclose(lonely, [0.6, 0.5])
    assert match(rows(), found)[0] == []


def test_what_rounding_decides_is_not_counted() -> None:
    """The last of a full list, and what is at the threshold."""
    box, far = [0.0, 0, 10, 10], [50.0, 50, 60, 60]
    options: dict[str, Any] = {
        "tolerance": TOLERANCES["float32"],
        "input_size": (64, 64),
        "score_threshold": 0.05,
        "complete": True,
    }
    pair = rows((0.9, 0, box), (0.5, 0, far)), rows((0.9, 0, box), (0.5, 1, far))
    assert detection_differences([pair], max_detections=2, **options)[0].value == 0
    assert detection_differences([pair], max_detections=3, **options)[0].value == pytest.approx(2 / 3)
    pair = rows((0.9, 0, box), (0.0501, 0, far)), rows((0.9, 0, box))
    assert detection_differences([pair], max_detections=3, **options)[0].passes


def test_raw_difference_is_relative_and_sees_shapes() -> None:
    expected = np.array([[1, -200]], np.float32)
    assert raw_difference("x", expected, expected + 1, 0.1).value == pytest.approx(1 / 20000.5**0.5)
    assert not raw_difference("x", expected, expected[0], 0.1).passes
