"""Entry point: composes the config and calls the task that it names.

Nothing heavy is imported before a task runs, so that help and config printing answer at once.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import InstantiationException
from hydra.utils import get_method
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from yolact_pl.cli.run_name import with_name_of_checkpoint
from yolact_pl.cli.typed_overrides import typed_overrides
from yolact_pl.config.anchors_file import insert_anchors_of_file

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).resolve().parents[1]
_MAX_SEED = 2**32 - 1


def config_folder() -> Path:
    """conf/ inside an installed wheel, or else beside the package, as in the repository."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


def main() -> None:
    """Run `cfg.task.run`. A mistake of the user ends in one sentence and exit code 1, Ctrl+C in 130."""
    started = False
    sys.argv[1:] = with_name_of_checkpoint(typed_overrides(sys.argv[1:]))

    @hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    def run(cfg: DictConfig) -> Any:
        nonlocal started
        started = True
        try:
            _check_keys(cfg)
            insert_anchors_of_file(cfg)
            return get_method(cfg.task.run)(cfg)
        except (ValueError, OmegaConfBaseException, InstantiationException) as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            _log.error("error: %s", _sentence(error))
            raise SystemExit(1) from None

    try:
        run()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        raise SystemExit(128 + signal.SIGINT) from None
    except SystemExit as stop:
        if stop.code == 1 and not started:
            from yolact_pl.cli.suggest import suggestions

            for line in suggestions(sys.argv[1:], config_folder()):
                sys.stderr.write(f"{line}\n")
        raise


def _check_keys(cfg: DictConfig) -> None:
    """Raises:
    ValueError: a seed out of range, or a key that was added and that no task reads.
    """
    if isinstance(cfg.seed, bool) or not isinstance(cfg.seed, int) or not 0 <= cfg.seed <= _MAX_SEED:
        raise ValueError(f"seed={cfg.seed}: expected a whole number from 0 to {_MAX_SEED}")
    added = [argument for argument in sys.argv[1:] if argument.startswith("+")]
    if added:
        from yolact_pl.cli.suggest import unknown_additions

        for line in unknown_additions(sys.argv[1:], config_folder()):
            raise ValueError(line)


def _sentence(error: Exception) -> str:
    """What is wrong, in one line with its key: Hydra and omegaconf spread it over several."""
    if not isinstance(error, OmegaConfBaseException | InstantiationException):
        return str(error)
    first, *others = str(error).splitlines()
    keys = [line.split(":")[1].strip() for line in others if line.strip().startswith("full_key:")]
    if isinstance(error, MissingMandatoryValue):
        return f"{keys[0]} is not set; give {keys[0]}=<value>" if keys else first
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        first = " ".join(str(error.__cause__).splitlines())
    return f"{keys[0]}: {first}" if keys else first
