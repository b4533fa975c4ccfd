"""Averages of the loss's terms, in one process and in two."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from yolact_pl.evaluation.loss_average import LossAverage

STEPS = [{"box": 1.0, "total": 3.0}, {"box": 2.0, "total": 5.0}, {"box": 6.0, "total": 7.0}]


def test_mean_over_the_steps_since_the_last_reset() -> None:
    average = LossAverage()
    average.update({"box": torch.tensor(100.0)})
    average.reset()
    average.update({"box": torch.tensor(1.0)})
    average.update({"box": torch.tensor(2.0)})
    assert average.compute() == {"box": pytest.approx(1.5)}
    assert not average.compute()["box"].requires_grad


def test_two_processes_have_the_mean_of_both(tmp_path: Path) -> None:
    mp.spawn(_share, (str(tmp_path),), nprocs=2)
    # (1 + 2 + 6) / 3 and (10 + 20 + 60) / 3 are 3 and 30; (3 + 5 + 7) / 3 and its tenfold 5 and 50.
    expected = {"box": pytest.approx(16.5), "total": pytest.approx(27.5)}
    for rank in range(2):
        together, alone = torch.load(tmp_path / f"{rank}.pt")
        assert together == expected
        assert alone == {"box": pytest.approx(3.0 * 10**rank), "total": pytest.approx(5.0 * 10**rank)}


def _share(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    average = LossAverage()
    for losses in STEPS:
        average.update({name: torch.tensor(10**rank * loss) for name, loss in losses.items()})
    together = {name: value.item() for name, value in average.compute().items()}
    alone = {name: getattr(average, f"total_{name}").item() / 3 for name in together}
    torch.save((together, alone), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
