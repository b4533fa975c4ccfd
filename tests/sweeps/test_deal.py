"""Devices for jobs."""

import pytest
import torch

from yolact_pl.sweeps.devices import deal, visible_devices

SIX = ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("devices", "devices_per_job", "parallel_jobs", "places"),
    [
        (SIX, 2, None, ["0,1", "2,3", "4,5"]),
        (SIX, 4, None, ["0,1,2,3"]),
        (SIX, 1, 2, ["0", "1"]),
        (SIX, 2, 9, ["0,1", "2,3", "4,5"]),
        (SIX, None, None, [None]),
        (SIX, None, 3, [None] * 3),
        ([], 2, None, [None]),
        ([], 2, 3, [None] * 3),
        (["GPU-a", "GPU-b"], 1, None, ["GPU-a", "GPU-b"]),
    ],
)
def test_deal(
    devices: list[str], devices_per_job: int | None, parallel_jobs: int | None, places: list[str | None]
) -> None:
    assert deal(devices, devices_per_job=devices_per_job, parallel_jobs=parallel_jobs) == places


@pytest.mark.parametrize(
    ("devices_per_job", "parallel_jobs", "told"),
    [(8, None, "shows 6 GPUs"), (0, None, "devices_per_job=0"), (None, 0, "parallel_jobs=0")],
)
def test_impossible_numbers(devices_per_job: int | None, parallel_jobs: int | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        deal(SIX, devices_per_job=devices_per_job, parallel_jobs=parallel_jobs)


@pytest.mark.parametrize(
    ("listed", "count", "devices"),
    [
        (None, 3, ["0", "1", "2"]),
        ("4, 6", 2, ["4", "6"]),
        ("GPU-a,GPU-b", 2, ["GPU-a", "GPU-b"]),
        ("", 0, []),
    ],
)
def test_devices_keep_the_names_that_were_given_to_this_process(
    monkeypatch: pytest.MonkeyPatch, listed: str | None, count: int, devices: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert visible_devices() == devices
