"""task=compare"""

import json
import logging
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from yolact_pl.atomic_file import atomic_file
from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.report.comparison import RESAMPLES, compare, comparison_text
from yolact_pl.report.comparison_page import comparison_page
from yolact_pl.report.numbers import KINDS
from yolact_pl.report.reading import find_report, read_report

_log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> None:
    """Compare the reports of the runs that `cfg.runs` names; writes `compare.html`, `compare.json` and
    `compare.txt`.

    Raises:
        ValueError: fewer than two runs, or one without a usable report.
    """
    names = [str(name) for name in cfg.runs] if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)]
    if len(names) < 2:
        raise ValueError(f"runs={cfg.runs}: give two or more folders of runs or checkpoints, '[A,B]'")
    reports = [read_report(name, find_report(name)) for name in names]
    with progress_bar(len(KINDS) * RESAMPLES, "resample") as bar:
        comparison = compare(reports, resamples=RESAMPLES, on_resample=bar.update)
    text = comparison_text(comparison)
    output = Path(cfg.output)
    output.mkdir(parents=True, exist_ok=True)
    with atomic_file(output / "compare.json") as file:
        json.dump(comparison, file, indent=1, allow_nan=False)
        file.write("\n")
    with atomic_file(output / "compare.txt") as file:
        file.write(text)
    with atomic_file(output / "compare.html") as file:
        file.write(comparison_page(comparison, reports))
    _log.info("%s\nside by side, with pictures: %s", text, output / "compare.html")
