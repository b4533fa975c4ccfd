"""From an image to its masks, with weights under their published names, against recorded numbers."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from yolact_pl.checkpoints.released import load_released
from yolact_pl.inference.engines.torch_engine import torch_predictor
from yolact_pl.postprocess import Postprocess

PARITY = Path(__file__).parents[1] / "parity"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity_recipe", PARITY / "weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_image_to_masks(recipe: ModuleType, tmp_path: Path) -> None:
    with np.load(PARITY / "e2e_yolact_resnet50.npz", allow_pickle=False) as file:
        recorded = dict(file)
    with np.load(PARITY / "net_yolact_resnet50.npz", allow_pickle=False) as file:
        keys = json.loads(str(file["state_keys"]))
    weights = tmp_path / "yolact_resnet50_54_800000.pth"
    torch.save({key: torch.from_numpy(recipe.fill(key, shape)) for key, shape in keys}, weights)
    network = load_released(weights)
    weights.unlink()
    height, width = recorded["image_hw"].tolist()
    image = recipe.image(int(recorded["image_seed"]), height, width)[..., ::-1]  # recorded as BGR

    names = [f"class {index}" for index in range(80)]
    predictor = torch_predictor(
        network, Postprocess(), class_names=names, image_size=(550, 550), device="cpu"
    )
    (detections,) = predictor([image])
    np.testing.assert_allclose(detections.scores, recorded["raw_scores"], atol=1e-4)

    (detections,) = predictor.with_options(min_score=float(recorded["score_threshold"]))([image])

    assert detections.labels.tolist() == recorded["classes"].tolist()
    np.testing.assert_allclose(detections.scores, recorded["scores"], atol=1e-4)
    np.testing.assert_allclose(detections.boxes, recorded["boxes"], atol=1)
    areas = detections.masks.sum(axis=(1, 2))
    np.testing.assert_array_less(np.abs(areas - recorded["mask_areas"]), 0.005 * recorded["mask_areas"] + 5)
    shape = tuple(recorded["masks_shape"])
    masks = np.unpackbits(recorded["masks_packed"])[: np.prod(shape)].reshape(shape).astype(bool)
    assert np.mean(detections.masks != masks) < 1e-4
