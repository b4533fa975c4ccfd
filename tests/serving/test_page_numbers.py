"""Masks, suppression and corrections of the page beside Python's, on the same data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pycocotools.mask
import pytest
import torch

from tests.serving.browser import opened
from tests.serving.running import Client
from yolact_pl.geometry.nms import cross_class_nms
from yolact_pl.images.placement import Resize
from yolact_pl.images.resize import PADDING, resize_as_torch
from yolact_pl.results.input_detections import InputDetections
from yolact_pl.serving.analysis import analysis

K, MAP, STRIDE = 8, (28, 36), 4
INPUT = (MAP[0] * STRIDE, MAP[1] * STRIDE)
mask_api: Any = pycocotools.mask


@pytest.fixture(scope="module")
def page(browser: Any, server: Client) -> Iterator[Any]:
    with opened(browser, server.url) as shown:
        yield shown


def smooth(random: np.random.Generator, count: int, size: tuple[int, int]) -> np.ndarray:
    noise = torch.from_numpy(random.normal(size=(1, count, 6, 7)).astype(np.float32))
    return torch.nn.functional.interpolate(noise, size, mode="bicubic")[0].numpy()


def found_and_given(
    seed: int, resize: str, size: tuple[int, int]
) -> tuple[Any, dict[str, Any], InputDetections]:
    """Detections made in Python of prototypes in 8 bits, and what the page gets of them."""
    random = np.random.default_rng(seed)
    prototypes = smooth(random, K, MAP)
    low, high = (f(prototypes, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    prototypes = low + np.rint((prototypes - low) / (high - low) * 255) / 255 * (high - low)
    coefficients = (2 * random.normal(size=(12, K))).round(5).astype(np.float32)
    corners = np.sort(random.uniform(-10, [INPUT[1] + 10, INPUT[0] + 10], (12, 2, 2)), axis=1)
    logits = np.tensordot(coefficients, prototypes, 1)
    on_input = InputDetections(
        boxes=corners.reshape(12, 4).astype(np.float32),
        scores=np.sort(random.uniform(0.1, 1, 12))[::-1].astype(np.float32),
        mask_scores=np.ones(12, dtype=np.float32),
        labels=random.integers(0, 3, 12),
        masks=(1 / (1 + np.exp(-logits))).astype(np.float32),
        input_size=INPUT,
        prototypes=prototypes.astype(np.float32),
        coefficients=coefficients,
    )
    placement = Resize(resize, INPUT).place(size)
    found = on_input.in_image(size, placement)
    names = ["a", "b", "c"]
    given = analysis(found, input_size=INPUT, class_names=names, category_ids=[1, 2, 3], iou_threshold=1.0)
    return found, given, on_input


@pytest.mark.parametrize(
    ("resize", "size"), [("stretch", (90, 170)), ("letterbox", (170, 90)), ("letterbox", (60, 300))]
)
def test_masks_and_their_run_lengths(page: Any, resize: str, size: tuple[int, int]) -> None:
    found, given, _ = found_and_given(0, resize, size)
    rows = page.evaluate(
        """async (given) => {
          const { Result } = await import("/page/result.js");
          const { maskRuns, compress } = await import("/page/coco.js");
          const result = Result.fromAnalysis(given);
          return result.candidates.map((item) => {
            const { counts, area, box } = maskRuns(result, item);
            return { code: compress(counts), area, box };
          });
        }""",
        given,
    )
    assert sum(mask.any() for mask in found.masks) >= 8
    for row, mask in zip(rows, found.masks, strict=True):
        code = {"size": list(size), "counts": row["code"].encode()}
        assert (mask_api.decode(code) != mask).mean() <= 1e-4
        assert row["area"] == mask_api.area(code)
        assert row["box"] == mask_api.toBbox(code).tolist()


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.9])
def test_suppression(page: Any, threshold: float) -> None:
    random = np.random.default_rng(1)
    corners = np.sort(random.uniform(0, 40, (60, 2, 2)), axis=1).reshape(-1, 4)
    kept = page.evaluate(
        """async ([boxes, threshold]) => (await import("/page/nms.js")).fastNms(boxes, threshold)""",
        [corners.tolist(), threshold],
    )
    scores = torch.linspace(1, 0.1, 60)[:, None]
    expected, _, _ = cross_class_nms(torch.from_numpy(corners), scores, iou_threshold=threshold)
    assert kept == expected.tolist()


def solved(
    prototypes: np.ndarray, prior: np.ndarray, window: list[int], clicks: list[dict[str, Any]]
) -> np.ndarray:
    """The least squares of `solveClicks` by stacking its rows, with all pixels around the clicks active."""
    x1, y1, x2, y2 = window
    part = prototypes[:, y1:y2, x1:x2].reshape(K, -1).astype(np.float64)
    s = 1 / (1 + np.exp(-(prior @ part)))
    weights = np.maximum(s * (1 - s), 0.02)
    weights /= weights.sum()
    mean_square = (weights * part**2).sum() / K
    rows = [np.sqrt(weights)[:, None] * part.T, np.eye(K) * np.sqrt(1e-3 * mean_square + 1e-9)]
    targets = [np.zeros(part.shape[1]), np.zeros(K)]
    down, across = np.mgrid[: prototypes.shape[1], : prototypes.shape[2]]
    for click in clicks:
        disc = (across - int(click["x"])) ** 2 + (down - int(click["y"])) ** 2 <= 4
        at = prototypes[:, disc].astype(np.float64)
        rows.append(np.sqrt(1000 / disc.sum()) * at.T)
        targets.append(np.sqrt(1000 / disc.sum()) * ((1 if click["adds"] else -1) - prior @ at))
    change, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=None)
    return prior + change


def test_clicks_are_obeyed_with_the_least_change(page: Any) -> None:
    _, given, on_input = found_and_given(2, "stretch", INPUT)
    prior, prototypes = on_input.coefficients[0], on_input.prototypes  # type: ignore[index]
    assert prototypes is not None
    logits = np.tensordot(prior, prototypes, 1)
    window = [3, 4, 30, 24]
    inner = logits[4:24, 3:30]
    (y, x), (v, u) = (np.unravel_index(f(inner), inner.shape) for f in (np.argmax, np.argmin))
    # The surest pixel is to go and the least sure to come; neither is obeyed beforehand.
    clicks = [
        {"x": float(x) + 3.5, "y": float(y) + 4.5, "adds": False},
        {"x": float(u) + 3.5, "y": float(v) + 4.5, "adds": True},
    ]
    answer = page.evaluate(
        """async ([given, window, clicks]) => {
          const { Result } = await import("/page/result.js");
          const { solveClicks } = await import("/page/solve.js");
          const result = Result.fromAnalysis(given);
          const prior = result.candidates[0].coefficients;
          return [...solveClicks(result.prototypes, prior, window, clicks)];
        }""",
        [given, window, clicks],
    )
    np.testing.assert_allclose(answer, solved(prototypes, prior, window, clicks), rtol=1e-3, atol=1e-3)
    changed = np.tensordot(answer, prototypes, 1)
    assert changed[y + 4, x + 3] < 0 < changed[v + 4, u + 3]


def test_clicks_that_are_obeyed_change_nothing(page: Any) -> None:
    _, given, on_input = found_and_given(2, "stretch", INPUT)
    prior = on_input.coefficients[0]  # type: ignore[index]
    logits = np.tensordot(prior, on_input.prototypes, 1)
    y, x = np.unravel_index(np.argmax(logits), logits.shape)
    answer = page.evaluate(
        """async ([given, clicks]) => {
          const { Result } = await import("/page/result.js");
          const { solveClicks } = await import("/page/solve.js");
          const { prototypes, candidates } = Result.fromAnalysis(given);
          return [...solveClicks(prototypes, candidates[0].coefficients, [0, 0, 36, 28], clicks)];
        }""",
        [given, [{"x": float(x), "y": float(y), "adds": True}]],
    )
    np.testing.assert_allclose(answer, prior, rtol=1e-6)


def test_contributions_add_up_to_the_mean_logit(page: Any) -> None:
    """Of the mask's pixels."""
    found, given, on_input = found_and_given(3, "stretch", INPUT)
    rows = page.evaluate(
        """async (given) => {
          const { Result } = await import("/page/result.js");
          const { contributions } = await import("/page/explain.js");
          const result = Result.fromAnalysis(given);
          return contributions(result, result.candidates[0]);
        }""",
        given,
    )
    parts = found.parts
    assert parts is not None
    window = found.small_masks.patches[0].shape  # type: ignore[attr-defined]
    left, top = found.small_masks.corners[0].tolist()  # type: ignore[attr-defined]
    logits = np.tensordot(on_input.coefficients[0], on_input.prototypes, 1)  # type: ignore[index]
    inner = logits[top : top + window[0], left : left + window[1]]
    assert sum(row["contribution"] for row in rows) == pytest.approx(inner[inner > 0].mean(), rel=1e-3)
    values = [row["contribution"] for row in rows]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("mode", "size", "input_size"),
    [
        ("stretch", (50, 90), (64, 64)),
        ("stretch", (96, 128), (48, 64)),  # every second sum ends in a half
        ("letterbox", (50, 90), (64, 96)),
        ("letterbox", (90, 33), (64, 64)),
        ("shortest_edge", (50, 90), (64, 64)),
        ("shortest_edge", (200, 40), (64, 96)),
    ],
)
def test_the_network_s_input(
    page: Any, mode: str, size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    """As it is computed where the model runs in the browser."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    where = Resize(mode, input_size).place(size)
    expected = np.empty((*where.canvas, 3), dtype=np.uint8)
    expected[:] = PADDING
    pixels = np.rint(resize_as_torch(image, (where.height, where.width)))
    expected[where.top : where.top + where.height, where.left : where.left + where.width] = pixels
    data = np.dstack((image, np.full(size, 255, dtype=np.uint8)))
    given = page.evaluate(
        """async ([data, size, mode, inputSize]) => {
          const { place, networkInput } = await import("/page/network_input.js");
          const where = place(size, mode, inputSize);
          const [height, width] = size;
          return [where, [...networkInput({ data, width, height }, where, Uint8Array)]];
        }""",
        [data.ravel().tolist(), list(size), mode, list(input_size)],
    )
    assert given[0] == {**where._asdict(), "canvas": list(where.canvas)}
    assert given[1] == expected.ravel().tolist()
