"""Two processes with unequal shares of the images measure what one process does with all of them."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.evaluation.reading import read_content
from tests.evaluation.test_confusion_matrix import annotated, detected
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.confusion_matrix import confusion_matrix
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.metrics import CocoMetrics

pytestmark = pytest.mark.slow
SHARES = {"unequal": ([11, 13], [12]), "repeated": ([11, 13], [12, 11]), "empty": ([11, 12, 13], [])}
SQUARES = [(0, 2, 2, 8, 8, False), (1, 12, 12, 10, 10, False)]


def measure(image_ids: list[int]) -> tuple[CocoMetrics, torch.Tensor, list[int]]:
    """Of three images with two objects each; what is found gets worse from image to image."""
    content = annotated([])
    content["images"] = [{"id": image_id, "height": 24, "width": 24} for image_id in (11, 12, 13)]
    for image_id in (11, 12, 13):
        content["annotations"] += [
            entry | {"image_id": image_id} for entry in annotated(SQUARES)["annotations"]
        ]
    known = read_content(content)
    found = {
        11: detected(SQUARES, [0.9, 0.8]),
        12: detected([(1, 2, 2, 8, 8, False)], [0.7]),
        13: detected([(0, 3, 3, 8, 8, False)], [0.95]),
    }
    ap, matches = CocoAveragePrecision(known, sync_on_compute=False), DetectionMatches(known)
    for image_id in image_ids:
        ap.update([image_id], [found[image_id]])
        matches.update(ap.rows[-1:])
    ap.sync()
    rows = [row.image_id for row in ap.rows]
    return ap.compute(), torch.from_numpy(confusion_matrix(matches.compute())), rows


def run_process(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/start", rank=rank, world_size=2)
    torch.save({name: measure(shares[rank]) for name, shares in SHARES.items()}, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_unequal_shares_and_repeated_images(tmp_path: Path) -> None:
    mp.spawn(run_process, args=(tmp_path,), nprocs=2)  # type: ignore[attr-defined]
    metrics, confusion, rows = measure([11, 12, 13])
    assert 0 < metrics.mask.all < 1
    assert rows == [11, 12, 13]
    for rank in (0, 1):
        for name, got in torch.load(tmp_path / f"{rank}.pt", weights_only=False).items():
            assert repr(got[0]) == repr(metrics), (rank, name)
            assert torch.equal(got[1], confusion), (rank, name)
            assert got[2] == (rows if rank == 0 else []), (rank, name)
