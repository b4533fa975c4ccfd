"""What a resumed run takes from its checkpoint, and what it must have in common with it."""

import json
import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_method

from tests.csv_log import logged
from tests.tiny_run import TINY, compose_config
from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.cli.typed_overrides import typed_overrides
from yolact_pl.tasks.train import _resume_command

Run = Callable[..., Any]
TWO_STEPS = ["schedule.max_steps=2", "trainer.limit_val_batches=0"]
FOUR_STEPS = ["schedule.max_steps=4", "trainer.limit_val_batches=0"]


def last(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def test_state_that_belongs_to_the_checkpoint(
    run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`model.freeze_bn=auto` freezes a run of small batches that has `init`; its continuation, too."""
    run_task(tmp_path / "first", *TWO_STEPS)
    run_task(tmp_path / "tuned", *TWO_STEPS, f"init={last(tmp_path / 'first')}")
    resume = f"resume={last(tmp_path / 'tuned')}"
    with caplog.at_level(logging.INFO):
        run_task(tmp_path / "more", *FOUR_STEPS, resume)
        assert "batch norm frozen" in caplog.text
        assert sorted(logged(tmp_path / "more")) == [2, 3]
        run_task(tmp_path / "done", *FOUR_STEPS, f"resume={last(tmp_path / 'more')}")
        assert "the run is finished: step 4 of 4; to train it further" in caplog.text
    for override, words in (
        ("optimizer=sgd", r"trained with torch\.optim\.AdamW, optimizer is torch\.optim\.SGD here"),
        ("model.freeze_bn=false", r"the run trained \d+ weights in 1 parameter groups, this one \d+ in 1"),
    ):
        with pytest.raises(CheckpointError, match=words):
            run_task(tmp_path / "refused", *FOUR_STEPS, resume, override)


@pytest.mark.parametrize("setting", ["auto", "pretrained"])
def test_a_frozen_backbone_of_the_modern_model_stays_frozen(
    setting: str, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The norms of its pyramid and head are trained, before and after."""
    modern = ["model=yolact_modern", "~model.network.anchors", f"model.freeze_bn={setting}"]
    run_task(tmp_path / "first", *TWO_STEPS, *modern)
    run_task(tmp_path / "tuned", *TWO_STEPS, *modern, f"init={last(tmp_path / 'first')}")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run_task(tmp_path / "more", *FOUR_STEPS, *modern, f"resume={last(tmp_path / 'tuned')}")
    assert "batch norm frozen" in caplog.text
    states = [torch.load(last(tmp_path / run), weights_only=True)["state_dict"] for run in ("tuned", "more")]
    moved = {name for name, value in states[0].items() if not torch.equal(value, states[1][name])}
    assert not any(name.startswith("network.backbone.bn") for name in moved)
    assert any(name.startswith("network.head.") and name.endswith("running_mean") for name in moved)


def test_parameter_groups_keep_their_ratio(run_task: Run, tmp_path: Path) -> None:
    """The offsets of YOLACT++ learn at a tenth of the rate, also with another total batch after a resume."""
    plus = ["model=yolact_plus", "schedule.offset_lr_factor=0.1", "schedule.max_steps=3"]
    quick = ["trainer.limit_val_batches=0", "schedule.warmup_steps=0", "model.freeze_bn=true"]
    run_task(tmp_path / "first", *plus, *quick)
    more = ["schedule.max_steps=8", "dataset.batch_size=4", f"resume={last(tmp_path / 'first')}"]
    run_task(tmp_path / "more", *plus, *quick, *more)
    for folder, rate in ((tmp_path / "first", 1e-3), (tmp_path / "more", 2e-3)):
        rates, of_offsets = (logged(folder, f"lr-AdamW/pg{group}") for group in (1, 2))
        assert list(rates.values()) == pytest.approx([rate] * len(rates))
        assert list(of_offsets.values()) == pytest.approx([rate / 10] * len(rates))
    (state,) = torch.load(last(tmp_path / "more"), weights_only=True)["optimizer_states"]
    assert [group["initial_lr"] for group in state["param_groups"]] == pytest.approx([2e-3, 2e-4])


def test_classes_in_another_order(run_task: Run, data_dir: Path, tmp_path: Path) -> None:
    """The ids of a renumbered set sort its classes the other way round: the losses stay what they are."""
    run_task(tmp_path / "first", *TWO_STEPS)
    resume = f"resume={last(tmp_path / 'first')}"
    shapes = data_dir / "shapes"
    files = {split: tmp_path / f"{split}.json" for split in ("train", "val")}
    for split, file in files.items():
        content = json.loads((shapes / "annotations" / f"instances_{split}.json").read_text())
        highest = 1 + len(content["categories"])
        for category in content["categories"]:
            category["id"] = highest - category["id"]
        for annotation in content["annotations"]:
            annotation["category_id"] = highest - annotation["category_id"]
        file.write_text(json.dumps(content))

    def run_renumbered(name: str, *overrides: str) -> None:
        own = [o for o in TINY if not o.startswith(("dataset.num_t", "dataset.num_v", "dataset.pict"))]
        sets = [f"dataset.{split}_json={file}" for split, file in files.items()]
        sets += [f"dataset.{split}_images={shapes / split}" for split in files]
        cfg = compose_config([*own, "dataset=coco_custom", *sets, *overrides], tmp_path / name)
        get_method(cfg.task.run)(cfg)

    run_task(tmp_path / "same", *FOUR_STEPS, resume)
    run_renumbered("renumbered", *FOUR_STEPS, resume)
    assert logged(tmp_path / "renumbered") == pytest.approx(logged(tmp_path / "same"), rel=1e-6)
    content = torch.load(last(tmp_path / "renumbered"), weights_only=True)["yolact_pl"]
    assert content["category_ids"] == [*range(len(content["category_ids"]), 0, -1)]
    run_task(tmp_path / "eval", "task=eval", f"checkpoint={last(tmp_path / 'first')}")
    run_renumbered("eval_renumbered", "task=eval", f"checkpoint={last(tmp_path / 'first')}")
    a, b = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("eval", "eval_renumbered")
    )
    assert a["mask"] == pytest.approx(b["mask"], nan_ok=True)


def test_printed_command_is_valid_for_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["dataset.root=${data_dir}/data", "name=a{b}", "resume=auto", "hydra.run.dir=old"]
    monkeypatch.setattr("sys.argv", ["run.py", *typed])
    words = shlex.split(_resume_command("a (1)=b", Path("a (1)=b/{x}.ckpt")))
    overrides = OverridesParser.create().parse_overrides(typed_overrides(words[2:]))
    assert {override.key_or_group: override.value() for override in overrides} == {
        "dataset.root": "${data_dir}/data",
        "name": "a{b}",
        "hydra.run.dir": "a (1)=b",
        "resume": "a (1)=b/{x}.ckpt",
    }


def test_nothing_to_resume(run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_task(tmp_path / "run", "schedule.max_steps=1", "trainer.limit_val_batches=0", "resume=auto")
    assert f"nothing to resume in {tmp_path}: starting" in caplog.text
