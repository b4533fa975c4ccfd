import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from yolact_pl.inference.engines.torch_engine import TorchMeter
from yolact_pl.inference.measuring import timing
from yolact_pl.inference.measuring.timing import Meter, Spread, Stopwatch

CPU = TorchMeter(torch.device("cpu"))


def test_spread_by_hand() -> None:
    # 1..11 ms: the 6th is in the middle, the 10th of 11 has nine tenths of the way behind it.
    assert Spread.of([n / 1000 for n in (7, 2, 11, 4, 1, 6, 3, 8, 10, 5, 9)]) == pytest.approx((6, 10))
    assert Spread.of([0.004]) == pytest.approx((4, 4))


def test_a_lap_is_the_time_since_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([1.0, 5.0, 7.5, 8.0])
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(looks)))
    watch = Stopwatch(CPU)
    watch.start()
    assert watch.lap() == 2.5
    assert watch.lap() == 0.5


def test_cuda_is_waited_for_before_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the device has not done when Python is ahead of it counts."""
    now, waited_for = [0.0], []

    def synchronize(device: torch.device) -> None:
        waited_for.append(device)
        now[0] += 3

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    device = torch.device("cuda", 1)
    assert Stopwatch(TorchMeter(device)).lap() == 3
    assert waited_for == [device, device]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says it in another place too")
def test_peak_memory_of_the_process_is_in_mib() -> None:
    CPU.reset_peak_memory()  # nothing to reset
    found = CPU.peak_memory()
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert found == pytest.approx(kib / 1024, rel=0.02)


def test_peak_memory_is_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert CPU.peak_memory() is None


def test_machine() -> None:
    machine = CPU.describe()
    assert machine["device"] == "cpu"
    assert machine["gpu"] is None
    assert machine["cpu"]
    assert machine["threads"] == torch.get_num_threads()
    assert machine["torch"] == torch.__version__
    assert "torch" not in Meter().describe()
