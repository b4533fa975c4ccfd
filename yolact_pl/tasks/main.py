"""The entry: composes the config and calls the task that it names.

Nothing heavy is imported before a task runs, so that help and config printing answer at once.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.utils import get_method
from omegaconf import DictConfig

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).resolve().parents[1]


def config_folder() -> Path:
    """conf/ of the repository, or its copy inside an installed wheel."""
    beside = _PACKAGE.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else _PACKAGE / "conf"


def main() -> None:
    """Run `cfg.task.run`. A mistake of the user ends in one sentence and exit code 1."""
    started = False

    @hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    def run(cfg: DictConfig) -> Any:
        nonlocal started
        started = True
        try:
            return get_method(cfg.task.run)(cfg)
        except ValueError as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            _log.error("error: %s", error)
            raise SystemExit(1) from None

    try:
        run()
    except SystemExit as stop:
        if stop.code == 1 and not started:
            from yolact_pl.tasks.suggest import suggestions

            for line in suggestions(sys.argv[1:], config_folder()):
                sys.stderr.write(f"{line}\n")
        raise
