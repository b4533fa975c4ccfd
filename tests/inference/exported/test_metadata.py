import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata


def metadata(**changes: Any) -> ExportMetadata:
    values: dict[str, Any] = {
        "layout": "detections",
        "input": "uint8",
        "image_size": (550, 550),
        "resize": "stretch",
        "class_names": ("cat", "dög"),
        "category_ids": (17, 18),
        "decoder": "anchor",
        "nms": "fast",
        "iou_threshold": 0.5,
        "score_threshold": 0.05,
        "max_candidates": 200,
        "max_detections": 100,
        "whole_pixel_boxes": True,
        "num_prototypes": 32,
        "prototype_size": (138, 138),
        "precision": "float32",
        "checkpoint": {"name": "a.ckpt", "sha256": "0" * 64},
        "versions": {"torch": "2.14"},
    }
    return ExportMetadata(**{**values, **changes})


FULL = metadata(
    image_value_range=(0.0, 4095.0),
    class_thresholds=(0.25, 0.4),
    licence="CC0",
    ap={"torch": {"mask": 0.3}, "exported": {"mask": 0.29}},
)


@pytest.mark.parametrize("one", [metadata(), FULL], ids=["least", "full"])
def test_reads_what_it_writes(one: ExportMetadata) -> None:
    assert ExportMetadata.from_json(one.to_json()) == one
    assert "\n" not in one.to_json()


def test_ignores_what_a_later_writer_adds() -> None:
    values = {**json.loads(FULL.to_json()), "colour_of_the_writer": "red"}
    assert ExportMetadata.from_json(json.dumps(values)) == FULL


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format_version", 2, "export the checkpoint again"),
        ("layout", "boxes", "detections or coefficients or raw"),
        ("input", "float64", "uint8 or float32"),
        ("image_size", [550], r"\(height, width\)"),
        ("image_size", [550, 0], r"\(height, width\)"),
        ("dynamic_size", 1, "true or false"),
        ("resize", "crop", "letterbox"),
        ("class_names", [], "names"),
        ("class_names", "cat", "names"),
        ("category_ids", [17], "1 values for 2 class_names"),
        ("category_ids", [17, 1.5], "whole number"),
        ("class_thresholds", [0.5], "1 values for 2 class_names"),
        ("class_thresholds", [0.5, 2], "from 0 to 1"),
        ("image_value_range", [5, 5], "lower one first"),
        ("iou_threshold", "half", "from 0 to 1"),
        ("max_detections", 0, "at least 1"),
        ("checkpoint", {"name": 1}, "texts"),
        ("ap", {"torch": {}}, "exported"),
        ("licence", 4, "text or null"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: Any, said: str) -> None:
    text = json.dumps({**json.loads(FULL.to_json()), key: value})
    with pytest.raises(ExportError, match=f"model.onnx: {key}.*{said}"):
        ExportMetadata.from_json(text, "model.onnx")


def test_missing_keys_are_named() -> None:
    values = {**json.loads(metadata().to_json())}
    del values["nms"], values["class_names"], values["licence"]
    with pytest.raises(ExportError, match=r"lacks class_names, nms$"):
        ExportMetadata.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", b"\xff", "{}"])
def test_text_of_another_origin(text: str | bytes) -> None:
    with pytest.raises(ExportError, match=r"^model\.onnx: .*(no JSON|not exported by yolact-pl)"):
        ExportMetadata.from_json(text, "model.onnx")


@given(
    key=st.sampled_from([field.name for field in fields(ExportMetadata)]),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_any_other_value_is_accepted_or_refused_in_a_sentence(key: str, value: Any) -> None:
    text = json.dumps({**json.loads(FULL.to_json()), key: value})
    try:
        read = ExportMetadata.from_json(text)
    except ExportError:
        return
    assert replace(read, **{key: getattr(FULL, key)}) == FULL
