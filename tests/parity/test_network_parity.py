"""The released architectures, loaded from files with the published names, against recorded numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.weights import fill, image
from yolact_pl.checkpoints.released import load_released
from yolact_pl.geometry.boxes import xyxy_to_cxcywh
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.yolact import Yolact
from yolact_pl.structures import Predictions

FOLDER = Path(__file__).parent
NAMES = ["yolact_resnet50", "yolact_base", "yolact_resnet50_pascal", "yolact_plus_resnet50"]
PYRAMID = ("P3", "P4", "P5", "P6", "P7")


@pytest.fixture(scope="module", params=NAMES)
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    with np.load(FOLDER / f"net_{request.param}.npz", allow_pickle=False) as file:
        return {"name": request.param, **file}


@pytest.fixture(scope="module")
def network(recorded: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Yolact:
    state = {
        key: torch.from_numpy(fill(key, shape)) for key, shape in json.loads(str(recorded["state_keys"]))
    }
    sums = [float(value.double().sum()) for value in state.values()]
    np.testing.assert_allclose(sums, recorded["param_sum"], rtol=1e-6, atol=1e-4)  # the recipe was followed
    path = tmp_path_factory.mktemp("released") / f"{recorded['name']}_54_800000.pth"
    torch.save(state, path)
    network = load_released(path)
    path.unlink()
    freeze_batch_norm(network)
    return network.train()  # semantic logits, with batch norm's recorded statistics


@pytest.fixture(scope="module")
def outputs(network: Yolact, recorded: dict[str, Any]) -> tuple[Predictions, dict[str, Tensor]]:
    size = int(recorded["image_hw"][0])
    bgr = np.stack([image(int(seed), size, size) for seed in recorded["image_seeds"]])
    images = torch.from_numpy(bgr[..., ::-1].copy()).permute(0, 3, 1, 2)
    features: dict[str, Tensor] = {}

    def remember(*names: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            features.update(zip(names, output if len(names) > 1 else (output,), strict=True))

        return hook

    hooks = [
        network.backbone.register_forward_hook(remember("C0", "C1", "C2", "C3")),
        network.fpn.register_forward_hook(remember(*PYRAMID)),
    ]
    with torch.inference_mode():
        predictions = network(images)
    for hook in hooks:
        hook.remove()
    return predictions, features


def assert_close(actual: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-4, rtol=1e-4)


@pytest.mark.slow
def test_intermediate_features(
    outputs: tuple[Predictions, dict[str, Tensor]], recorded: dict[str, Any]
) -> None:
    _, features = outputs
    assert set(features) == {"C0", "C1", "C2", "C3", *PYRAMID}
    for name, feature in features.items():
        assert list(feature.shape) == recorded[f"shape_{name}"].tolist()
        assert_close(feature.reshape(-1)[torch.from_numpy(recorded[f"idx_{name}"])], recorded[name])


@pytest.mark.slow
def test_predictions(outputs: tuple[Predictions, dict[str, Tensor]], recorded: dict[str, Any]) -> None:
    predictions, _ = outputs
    rows = torch.from_numpy(recorded["rows"]).long()
    assert_close(predictions.class_logits[:, rows], recorded["train_conf"])
    assert_close(predictions.box_deltas[:, rows], recorded["train_loc"])
    assert_close(predictions.coefficients[:, rows], recorded["train_mask"])
    # Recorded: prototypes with channels last, every 18th row and column; semantic logits, every 15th.
    assert_close(predictions.prototypes.permute(0, 2, 3, 1)[:, ::18, ::18], recorded["train_proto"])
    assert predictions.semantic_logits is not None
    assert_close(predictions.semantic_logits[:, :, ::15, ::15], recorded["train_segm"])


@pytest.mark.slow
def test_anchors(outputs: tuple[Predictions, dict[str, Tensor]], recorded: dict[str, Any]) -> None:
    anchors = outputs[0].anchors
    size = int(recorded["image_hw"][0])
    assert len(anchors) == int(recorded["num_priors"])
    relative = xyxy_to_cxcywh(anchors)[torch.from_numpy(recorded["prior_rows"])] / size
    np.testing.assert_allclose(relative.numpy(), recorded["priors"], atol=1e-6)


@pytest.mark.slow
def test_mask_iou(network: Yolact, recorded: dict[str, Any]) -> None:
    if "maskiou_out" not in recorded:
        assert network.mask_iou is None
        return
    assert network.mask_iou is not None
    masks = np.stack([image(int(seed), 138, 138)[:, :, 0] for seed in recorded["maskiou_seeds"]])
    with torch.inference_mode():
        ious = network.mask_iou(torch.from_numpy(masks.astype(np.float32) / 255)[:, None])
    assert_close(ious, recorded["maskiou_out"])
