import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tests.checkpoints.checkpoint_files import published, small_network
from tests.tiny_run import ROOT, TINY, compose_config
from yolact_pl.checkpoints.description import ENTRY
from yolact_pl.config.anchors_file import insert_anchors_of_file, read_anchors_file
from yolact_pl.config.build import build_network
from yolact_pl.config.trained import load_trained
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.tasks.anchors import objects_of, run
from yolact_pl.tasks.train import run as train

Run = Callable[..., Any]
FEW = ["task=anchors", "task.generations=5"]
SOUND = "scales: [10, 20, 30, 40, 50]\nratios: [1, 0.5, 2]\n"


@pytest.fixture
def anchors_file(tmp_path: Path) -> Path:
    path = tmp_path / "anchors.yaml"
    path.write_text(SOUND + "octaves: 2\nreference_size: 64\n")
    return path


def numbers(log: str) -> list[str]:
    """Mean best IoU and recall of all objects, configured and proposed each."""
    row = next(line for line in log.splitlines() if line.startswith("all "))
    return [cell.strip() for cell in row.split("|")][2:]


def test_measured_proposed_and_used(
    run_task: Run, tmp_path: Path, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_task(tmp_path / "first", *FEW, "dataset.batch_size=auto")
    old_iou, new_iou, old_recall, new_recall = numbers(caplog.text)
    assert float(new_iou) > float(old_iou)
    assert float(new_recall.split()[0]) >= float(old_recall.split()[0])
    assert "P7" in caplog.text
    assert cv2.imread(str(tmp_path / "first" / "anchors.png")) is not None
    path = tmp_path / "first" / "anchors.yaml"
    assert f"model.network.anchors={path}" in caplog.text

    caplog.clear()
    cfg = compose_config(
        [*TINY, f"data_dir={data_dir}", *FEW, f"model.network.anchors={path}"], tmp_path / "2"
    )
    insert_anchors_of_file(cfg)
    run(cfg)
    assert numbers(caplog.text)[::2] == [new_iou, new_recall]


def test_checkpoint_carries_the_anchors_and_needs_the_file_no_more(
    data_dir: Path, tmp_path: Path, anchors_file: Path
) -> None:
    overrides = [*TINY, f"data_dir={data_dir}", f"model.network.anchors={anchors_file}"]
    cfg = compose_config(overrides, tmp_path / "run")
    insert_anchors_of_file(cfg)
    train(cfg)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    described = torch.load(checkpoint, weights_only=True)[ENTRY]
    expected = {
        "_target_": "yolact_pl.models.anchors.Anchors",
        "scales": [10, 20, 30, 40, 50],
        "ratios": [1, 0.5, 2],
        "octaves": 2,
        "square": False,
        "reference_size": 64,
        "image_size": 64,
    }
    assert described["network"]["anchors"] == expected
    assert described["config"]["model"]["network"]["anchors"] == expected
    anchors_file.unlink()
    of_checkpoint = [f"checkpoint={checkpoint}", f"data_dir={data_dir}"]
    trained = load_trained(compose_config(of_checkpoint, tmp_path))
    assert trained.network.anchors.scales[0] == pytest.approx((10, 10 * 2**0.5))
    trained = load_trained(compose_config([*of_checkpoint, "image_size=128"], tmp_path))
    assert trained.network.anchors.scales[0][0] == 20


def test_command_line_takes_a_file(tmp_path: Path) -> None:
    """The whole program is run: a wrong file is one sentence, before anything else happens."""
    (tmp_path / "anchors.yaml").write_text("scales: 3")
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "model.network.anchors=anchors.yaml", "hydra.run.dir=run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 1
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "model.network.anchors=anchors.yaml: scales is 3" in errors[0]


def test_file_scales_with_the_image_size(tmp_path: Path, anchors_file: Path) -> None:
    cfg = compose_config([*TINY, "image_size=[128,32]", f"model.network.anchors={anchors_file}"], tmp_path)
    insert_anchors_of_file(cfg)
    assert [own[0] for own in build_network(cfg, 3).anchors.scales] == [10, 20, 30, 40, 50]
    cfg.image_size = 160
    network = build_network(cfg, 3)
    assert [own[0] for own in network.anchors.scales] == [25, 50, 75, 100, 125]
    assert network.anchors.num_per_cell == 6


def test_other_configs_are_left_alone(tmp_path: Path) -> None:
    cfg = compose_config(TINY, tmp_path)
    before = cfg.copy()
    insert_anchors_of_file(cfg)
    assert cfg == before


@pytest.mark.parametrize("also", [[], ["model=yolact"]])
def test_released_weights_with_a_file_of_anchors(tmp_path: Path, also: list[str]) -> None:
    """Anchors leave no trace in weights: what the file says of them counts, the rest must agree."""
    weights, path = tmp_path / "small_im64_1_1.pth", tmp_path / "anchors.yaml"
    torch.save(published(small_network(80, seed=1)), weights)
    path.write_text(SOUND)
    small = ["channels=8", "num_prototypes=4"]
    overrides = [
        f"checkpoint={weights}",
        f"model.network.anchors={path}",
        *(also + [f"model.network.{key}" for key in small] if also else []),
    ]
    cfg = compose_config(overrides, tmp_path)
    insert_anchors_of_file(cfg)
    assert load_trained(cfg).network.anchors.scales[0] == (10,)


WRONG = {
    "scales: [1, 2, 3, 4, 5]": "ratios is None, expected a list of positive numbers",
    "scales: 24\nratios: [1]": "scales is 24, expected a list",
    "scales: [1, 2, 3, 4]\nratios: [1]": "4 scales, expected 5",
    "scales: [1, 2, 3, 4, 0]\nratios: [1]": "expected a list of positive numbers",
    "scales: [1, 2, 3, 4, big]\nratios: [1]": "expected a list of positive numbers",
    "scales: [1, 2, 3, 4, .inf]\nratios: [1]": "expected a list of positive numbers",
    SOUND + "octaves: 1.5": "octaves is 1.5",
    SOUND + "octaves: 0": "octaves is 0",
    SOUND + "square: 3": "square is 3",
    SOUND + "reference_size: large": "reference_size is 'large'",
    SOUND + "scale: 3": "unknown key 'scale'",
    "- 1\n- 2": "it has no keys",
    "": "scales is None",
    "a: [": "it is not YAML",
    "just words": "unknown key 'just words'",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_file_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    cfg = compose_config([f"model.network.anchors={path}"], tmp_path)
    with pytest.raises(ValueError, match=r"model\.network\.anchors=.*wrong\.yaml: ") as caught:
        insert_anchors_of_file(cfg)
    assert WRONG[text] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["no/such/anchors.yaml", "."])
def test_missing_file_is_told(path: str, tmp_path: Path) -> None:
    cfg = compose_config([f"model.network.anchors={path}"], tmp_path)
    with pytest.raises(ValueError, match="give a file that task=anchors wrote"):
        insert_anchors_of_file(cfg)


words = st.sampled_from(["scales", "ratios", "octaves", "square", "???", "${image_size}", "!!python/name:os"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | words,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words | st.integers(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=40), plain.map(lambda value: json.dumps(value).encode())))
def test_any_file_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        anchors = read_anchors_file(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert len(anchors["scales"]) == 5


def test_no_anchors_of_this_project_are_told(tmp_path: Path) -> None:
    cfg = compose_config([*TINY, *FEW, "model.network.anchors._target_=mine.Anchors"], tmp_path)
    with pytest.raises(ValueError, match=r"_target_=mine\.Anchors: task=anchors knows"):
        run(cfg)


def test_wrong_number_of_generations_is_told(tmp_path: Path) -> None:
    for value in ("-1", "many", "1.5"):
        with pytest.raises(ValueError, match=f"task.generations={value}: expected 0 or more"):
            run(compose_config([*TINY, "task=anchors", f"task.generations={value}"], tmp_path))


# Objects of a set


def write_set(folder: Path, *, only_crowds: bool = False) -> Path:
    """Pictures of two sizes, the second without objects; the last annotation is a crowd."""
    boxes = [(1, [2, 4, 10, 20]), (3, [0, 0, 100, 40]), (3, [50, 20, 30, 5]), (3, [10, 10, 60, 20])]
    annotations = [
        {
            "id": k + 1,
            "image_id": image,
            "category_id": 1,
            "bbox": [x, y, w, h],
            "area": w * h - 1,
            "iscrowd": int(k == 3 or only_crowds),
            "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
        }
        for k, (image, (x, y, w, h)) in enumerate(boxes)
    ]
    sizes = [(40, 30), (30, 40), (50, 100)]
    images = [
        {"id": k + 1, "file_name": f"{k}.png", "height": h, "width": w} for k, (h, w) in enumerate(sizes)
    ]
    for k, (h, w) in enumerate(sizes):
        cv2.imwrite(str(folder / f"{k}.png"), np.zeros((h, w, 3), np.uint8))
    path = folder / "set.json"
    categories = [{"id": 1, "name": "thing"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


PLACES = {  # scale along x and y, and left and top, of the first and the third picture, by hand
    "stretch": [(80 / 30, 60 / 40, 0, 0, 60, 80), (80 / 100, 60 / 50, 0, 0, 60, 80)],
    "letterbox": [(60 / 40, 60 / 40, 17, 0, 60, 80), (0.8, 0.8, 0, 10, 60, 80)],
    "shortest_edge": [(2, 2, 0, 0, 96, 64), (0.8, 0.8, 0, 0, 64, 96)],
}


@pytest.mark.parametrize("resize", PLACES)
def test_objects_are_resized_and_crowds_left_out(resize: str, tmp_path: Path) -> None:
    known = read_annotations(write_set(tmp_path))
    dataset = TrainDataset(known, tmp_path, image_size=(60, 80), augment=NoAugmentation(), resize=resize)
    objects = objects_of(dataset)
    expected = []
    for place, (x, y, w, h) in zip(
        [0, 1, 1], [(2, 4, 10, 20), (0, 0, 100, 40), (50, 20, 30, 5)], strict=True
    ):
        scale_x, scale_y, left, top, *_ = PLACES[resize][place]
        corners = (x * scale_x, y * scale_y, (x + w) * scale_x, (y + h) * scale_y)
        expected.append([corners[0] + left, corners[1] + top, corners[2] + left, corners[3] + top])
    torch.testing.assert_close(objects.boxes, torch.tensor(expected))
    inputs = [tuple(size) for size in objects.inputs.tolist()]
    assert inputs == [PLACES[resize][place][4:] for place in (0, 1, 1)]
    assert objects.area.tolist() == [199, 3999, 149]


def test_only_the_images_of_the_set_count(tmp_path: Path) -> None:
    known = read_annotations(write_set(tmp_path))
    dataset = TrainDataset(known, tmp_path, image_size=(60, 80), augment=NoAugmentation(), max_images=2)
    assert len(objects_of(dataset)) == 1


def test_nothing_but_crowds_is_told(tmp_path: Path) -> None:
    path = write_set(tmp_path, only_crowds=True)
    dataset = TrainDataset(read_annotations(path), tmp_path, image_size=(60, 80), augment=NoAugmentation())
    with pytest.raises(ValueError, match=r"set\.json: no image has an object"):
        objects_of(dataset)


def test_written_file_is_plain_yaml(run_task: Run, tmp_path: Path) -> None:
    run_task(tmp_path, *FEW)
    content = OmegaConf.to_container(OmegaConf.load(tmp_path / "anchors.yaml"))
    assert isinstance(content, dict)
    assert list(content) == ["scales", "ratios", "octaves", "square", "reference_size"]
    assert read_anchors_file(tmp_path / "anchors.yaml") == content
