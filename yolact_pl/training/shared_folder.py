"""One folder for all processes of a run that were started by torchrun."""

import os
from datetime import timedelta

from omegaconf import DictConfig
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

_KEY = "yolact_pl/output"
_SECONDS = 300


def share_output_folder(cfg: DictConfig) -> None:
    """Make the first process's folder that of all: named after the time, theirs may differ by a second.

    Processes that Lightning or a scheduler starts have a fixed folder already; torchrun brings a store, in
    which the first process leaves the name.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return
    rank, address = int(os.environ["RANK"]), os.environ["MASTER_ADDR"]
    store = TCPStore(
        address, int(os.environ["MASTER_PORT"]), is_master=False, timeout=timedelta(seconds=_SECONDS)
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun may start all of them again
    if rank == 0:
        store.set(f"{_KEY}/{attempt}", cfg.output)
    else:
        cfg.output = store.get(f"{_KEY}/{attempt}").decode()
