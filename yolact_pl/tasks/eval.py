"""task=eval"""

import logging
from pathlib import Path

from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from yolact_pl.callbacks.coco_evaluation import CocoEvaluation
from yolact_pl.config.build import build, describe
from yolact_pl.config.missing_data import check_data
from yolact_pl.config.trained import load_trained
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.module import YolactModule
from yolact_pl.training.trainer import build_callbacks, build_trainer

_log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> float | None:
    """Measure a checkpoint on the validation set; gives its mask AP (0..1), None without truth.

    Writes `metrics.json`, `per_class.csv`, `bbox_detections.json` and `mask_detections.json` to the output.

    Raises:
        ValueError: checkpoint or data that can't be used.
    """
    trained = load_trained(cfg)
    data: CocoDataModule = build(trained.cfg.dataset)
    check_data(data, trained.cfg, "validate")
    trained.check_classes(data.classes)
    module = YolactModule(
        trained.network,
        build(trained.cfg.model.loss),
        build(trained.cfg.model.postprocess),
        build(trained.cfg.schedule),
        description=describe(trained.cfg, data),
        freeze_bn=True,
    )
    wanted = {name: node for name, node in build_callbacks(cfg).items() if name in ("evaluation", "progress")}
    trainer = build_trainer(cfg, list(wanted.values()))
    trainer.validate(module, datamodule=data, verbose=False)
    evaluation = wanted["evaluation"]
    assert isinstance(evaluation, CocoEvaluation)
    rank_zero_only(_log.info)("checkpoint %s\nresults in %s", trained.path, Path(cfg.output))
    return evaluation.mask_ap
