import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou, nms

from yolact_pl.geometry import nms as nms_module
from yolact_pl.geometry.boxes import box_iou as box_iou_of_each
from yolact_pl.geometry.nms import cross_class_nms, exact_nms, fast_nms


def crowded(num_boxes: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(num_boxes, 2, generator=generator) * 30
    boxes = torch.cat((corner, corner + 10 + 20 * torch.rand(num_boxes, 2, generator=generator)), dim=1)
    return boxes, torch.rand(num_boxes, num_classes, generator=generator)


def slow_fast_nms(boxes: Tensor, scores: Tensor, candidates: int, detections: int) -> list[tuple[int, int]]:
    """(index, label) of the survivors by the definition, one candidate after another."""
    found = []
    iou = box_iou(boxes, boxes)
    for label in range(scores.shape[1]):
        ranked = scores[:, label].argsort(descending=True)[:candidates].tolist()
        for place, box in enumerate(ranked):
            if all(iou[box, better] <= 0.5 for better in ranked[:place]):
                found.append((scores[box, label].item(), box, label))
    return [(box, label) for _, box, label in sorted(found, reverse=True)[:detections]]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 30), st.integers(1, 60), st.integers(0, 99))
def test_fast_nms_is_its_definition(
    num_boxes: int, num_classes: int, candidates: int, detections: int, seed: int
) -> None:
    boxes, scores = crowded(num_boxes, num_classes, seed)
    index, labels, best = fast_nms(boxes, scores, max_candidates=candidates, max_detections=detections)
    expected = slow_fast_nms(boxes, scores, candidates, detections)
    assert list(zip(index.tolist(), labels.tolist(), strict=True)) == expected
    assert torch.equal(best, scores[index, labels])


def test_fast_nms_does_not_depend_on_how_many_are_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores = crowded(150, 8, seed=1)
    at_once = fast_nms(boxes, scores)
    monkeypatch.setattr(nms_module, "CANDIDATES_AT_ONCE", 7)
    for a, b in zip(at_once, fast_nms(boxes, scores), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("num_boxes", "num_classes", "max_detections"), [(150, 8, 100), (40, 1, 5), (0, 3, 9)]
)
def test_gpus_judge_all_candidates_some_classes_at_a_time(
    num_boxes: int, num_classes: int, max_detections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes, scores = crowded(num_boxes, num_classes, seed=2)
    expected = fast_nms(boxes, scores, max_detections=max_detections)
    monkeypatch.setattr(nms_module, "_search_from_the_best", nms_module._search_all)
    monkeypatch.setattr(nms_module, "CLASSES_AT_ONCE", 3)
    sizes = []
    monkeypatch.setattr(nms_module, "box_iou", lambda a, b: sizes.append(len(a)) or box_iou_of_each(a, b))
    for found, wanted in zip(fast_nms(boxes, scores, max_detections=max_detections), expected, strict=True):
        assert torch.equal(found, wanted)
    assert max(sizes) <= 3


def test_a_dropped_box_suppresses_in_fast_nms_only() -> None:
    # Boxes 10 wide, 3 apart: neighbours overlap by 7/13 > 0.5, the outer two by 4/16.
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [3.0, 0.0, 13.0, 10.0], [6.0, 0.0, 16.0, 10.0]])
    scores = torch.tensor([[0.9], [0.8], [0.7]])
    assert fast_nms(boxes, scores)[0].tolist() == [0]
    assert exact_nms(boxes, scores)[0].tolist() == [0, 2]


def test_cross_class_takes_the_best_class_and_suppresses_across_classes() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [40.0, 0.0, 50.0, 10.0]])
    scores = torch.tensor([[0.6, 0.1], [0.2, 0.7], [0.3, 0.4]])
    index, labels, best = cross_class_nms(boxes, scores)
    assert (index.tolist(), labels.tolist()) == ([1, 2], [1, 1])
    torch.testing.assert_close(best, torch.tensor([0.7, 0.4]))
    assert cross_class_nms(boxes, scores, max_candidates=1)[0].tolist() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_exact_nms_is_torchvisions_in_each_class(seed: int) -> None:
    boxes, scores = crowded(60, 3, seed)
    index, labels, best = exact_nms(boxes, scores, score_threshold=0.3, max_detections=40)
    expected = []
    for label in range(3):
        candidates = (scores[:, label] > 0.3).nonzero()[:, 0]
        for kept in candidates[nms(boxes[candidates], scores[candidates, label], 0.5)].tolist():
            expected.append((scores[kept, label].item(), kept, label))
    expected = sorted(expected, reverse=True)[:40]
    assert list(zip(best.tolist(), index.tolist(), labels.tolist(), strict=True)) == expected


def test_boxes_without_area_do_not_suppress() -> None:
    boxes = torch.tensor([[5.0, 5.0, 5.0, 5.0], [5.0, 5.0, 5.0, 5.0], [0.0, 0.0, 10.0, 10.0]])
    assert len(fast_nms(boxes, torch.tensor([[0.9], [0.8], [0.7]]))[0]) == 3
