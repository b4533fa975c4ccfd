import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.parity.weights import image as recipe_image
from yolact_pl.data.resize import resize_images
from yolact_pl.images.resize import resize_as_torch, resize_image

RECORDED = Path(__file__).parents[1] / "parity" / "transforms_a.npz"
RESNET_MEAN = np.array([123.68, 116.78, 103.94], np.float32)  # RGB
RESNET_STD = np.array([58.40, 57.12, 57.38], np.float32)


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(RECORDED, allow_pickle=False) as file:
        return dict(file)


def normalise(pixels: np.ndarray, config: str) -> np.ndarray:
    """The published input of the two families of backbones."""
    if "darknet" in config:
        return pixels / np.float32(255)
    return (pixels - RESNET_MEAN) / RESNET_STD


@pytest.mark.parametrize("entry", [0, 1, 2])
@pytest.mark.parametrize("transform", ["base", "fast"])
def test_resized_images_equal_the_recorded_ones(
    recorded: dict[str, np.ndarray], entry: int, transform: str
) -> None:
    meta = json.loads(str(recorded["meta"]))[entry]
    pixels = np.ascontiguousarray(recipe_image(meta["image_seed"], meta["h"], meta["w"])[:, :, ::-1])
    size = (meta["max_size"], meta["max_size"])

    if transform == "base":
        resized = resize_image(pixels, size)
    else:
        resized = resize_images(torch.from_numpy(pixels).permute(2, 0, 1)[None], size)[0]
        resized = resized.permute(1, 2, 0).numpy()

    assert resized.dtype == np.float32
    network_input = normalise(resized, meta["config"])
    stats = np.stack((network_input.mean((0, 1), np.float64), network_input.std((0, 1), dtype=np.float64)))
    np.testing.assert_allclose(network_input[::20, ::20], recorded[f"{transform}{entry}"], atol=1e-4)
    np.testing.assert_allclose(stats, recorded[f"{transform}{entry}_stats"], atol=1e-4)


def test_resizing_takes_the_nearest_pixels_without_rounding() -> None:
    pixels = np.arange(9, dtype=np.uint8).reshape(3, 3)[:, :, None].repeat(3, axis=2) * 10
    # Centres at 0.75 and 2.25 of 3, 0.25 and 1.75 from the first pixel's: rows 7.5, 52.5, columns 2.5, 17.5.
    expected = np.add.outer([7.5, 52.5], [2.5, 17.5])
    np.testing.assert_allclose(resize_image(pixels, (2, 2))[:, :, 0], expected)


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (97, 33), (1, 5), (1, 1), (55, 40)])
def test_resizing_with_numpy_equals_torch(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = resize_images(torch.from_numpy(pixels).permute(2, 0, 1)[None], (55, 40))[0].permute(1, 2, 0)
    resized = resize_as_torch(pixels, (55, 40))
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, expected.numpy(), atol=1e-3)
