"""Figures of a benchmark, as plain data and as text."""

import statistics
from typing import TypedDict

from yolact_pl.inference.measuring.benchmark import BatchTimes
from yolact_pl.text_table import text_table


class BatchNumbers(TypedDict):
    """One batch size; None: it did not fit into the device's memory, or the system does not tell."""

    batch_size: int
    network_ms: dict[str, float] | None
    """Of one batch: `median` and `p90`."""
    network_images_per_second: float | None
    complete_ms: dict[str, float] | None
    """From pixels to masks."""
    complete_images_per_second: float | None
    peak_memory_mib: float | None


class BenchmarkReport(TypedDict):
    """What `benchmark.json` holds; times in milliseconds."""

    name: str
    checkpoint: str | None
    """None: random weights."""
    image_size: list[int]
    """[height, width] of the network's input."""
    num_classes: int
    score_threshold: float
    engine: str
    precision: str
    compiled: bool | str
    """Or the mode of torch.compile."""
    images: str
    detections: list[int]
    """Of each image."""
    stages: dict[str, dict[str, float]]
    """`median` and `p90` of each."""
    end_to_end: dict[str, float]
    frames_per_second: float
    batches: list[BatchNumbers]
    machine: dict[str, str | int | None]


def batch_numbers(times: BatchTimes) -> BatchNumbers:
    """With throughput, by the median time."""
    network, complete = times.network, times.complete
    return BatchNumbers(
        batch_size=times.batch_size,
        network_ms=None if network is None else network._asdict(),
        network_images_per_second=None if network is None else 1000 * times.batch_size / network.median,
        complete_ms=None if complete is None else complete._asdict(),
        complete_images_per_second=None if complete is None else 1000 * times.batch_size / complete.median,
        peak_memory_mib=times.peak_memory,
    )


def benchmark_text(report: BenchmarkReport) -> str:
    """What is measured, on what, and two tables."""
    return "\n".join([_subject(report), _images(report), "", _stages(report), _batches(report)])


def _subject(report: BenchmarkReport) -> str:
    height, width = report["image_size"]
    machine = report["machine"]
    words = [
        f"{report['name']} at {height}x{width}, {report['num_classes']} classes, "
        f"{report['checkpoint'] or 'untrained'}",
        f"{report['precision']}{_compiled(report['compiled'])}",
        f"{machine['device']}: {machine['gpu'] or machine['cpu']}",
        f"{machine['threads']} CPU threads, {report['engine']} {machine.get(report['engine'], '')}",
    ]
    return "\n".join(words)


def _compiled(setting: bool | str) -> str:
    if not setting:
        return ""
    return ", compiled" if setting is True else f", compiled ({setting})"


def _images(report: BenchmarkReport) -> str:
    found = report["detections"]
    line = (
        f"{report['images']}; detections above {report['score_threshold']:g}: "
        f"{statistics.median(found):g} in the median, {min(found)} to {max(found)}"
    )
    if report["checkpoint"] is None:
        line += "\nwithout training it is chance what is found, and with it how long NMS and masks take"
    return line


def _stages(report: BenchmarkReport) -> str:
    total = sum(times["median"] for times in report["stages"].values())
    rows = [
        [name, f"{times['median']:.2f}", f"{times['p90']:.2f}", f"{100 * times['median'] / total:.1f}"]
        for name, times in report["stages"].items()
    ]
    whole = report["end_to_end"]
    rows.append(["end to end", f"{whole['median']:.2f}", f"{whole['p90']:.2f}", ""])
    table = text_table([["one image at a time", "median ms", "90% ms", "% of sum"], *rows])
    return f"{table}{report['frames_per_second']:.1f} frames/s\n"


def _batches(report: BenchmarkReport) -> str:
    rows = []
    for batch in report["batches"]:
        numbers = (
            batch["network_images_per_second"],
            batch["complete_images_per_second"],
            batch["peak_memory_mib"],
        )
        rows.append([str(batch["batch_size"]), *("-" if x is None else f"{x:.1f}" for x in numbers)])
    on_gpu = report["machine"]["gpu"] is not None
    memory = "peak MiB, tensors" if on_gpu else "peak MiB, process"
    return text_table([["batch size", "network images/s", "pixels to masks images/s", memory], *rows])
