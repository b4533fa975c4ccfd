"""GPUs of each job of a sweep."""

import os


def visible_devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES would have to say for each GPU that this process may use; none on a CPU."""
    import torch  # seconds, needed only where devices are dealt

    count = torch.cuda.device_count()
    listed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (listed or [str(index) for index in range(count)])[:count]


def deal(devices: list[str], *, devices_per_job: int | None, parallel_jobs: int | None) -> list[str | None]:
    """A place for each job that may run at the same time: the value of its CUDA_VISIBLE_DEVICES.

    Args:
        devices: all there are.
        devices_per_job: None: no dealing, every job sees all of them.
        parallel_jobs: places at most; None: as many as the devices allow, and one where none are dealt.

    Returns:
        None for a place whose job sees what this process sees.

    Raises:
        ValueError: a number below 1, or more devices for a job than there are.
    """
    for name, number in (("devices_per_job", devices_per_job), ("parallel_jobs", parallel_jobs)):
        if number is not None and number < 1:
            raise ValueError(f"hydra.launcher.{name}={number}: expected 1 or more, or null")
    if devices_per_job is None or not devices:
        return [None] * (parallel_jobs or 1)
    places = len(devices) // devices_per_job
    if places == 0:
        raise ValueError(
            f"hydra.launcher.devices_per_job={devices_per_job}: this machine shows {len(devices)} GPUs; "
            f"give at most {len(devices)}"
        )
    starts = range(0, min(places, parallel_jobs or places) * devices_per_job, devices_per_job)
    return [",".join(devices[start : start + devices_per_job]) for start in starts]
