"""What is typed arrives as it was meant."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from yolact_pl.cli.run_name import with_name_of_checkpoint
from yolact_pl.cli.typed_overrides import typed_overrides

NAMES = st.one_of(
    st.text(st.sampled_from("ab/1.-_ ,=:()[]{}'\"\\%#~@!?*&|;é漢\n\t"), min_size=1, max_size=12),
    st.text(st.characters(exclude_characters="\0/$", exclude_categories=["Cs"]), min_size=1, max_size=12),
)
"""File names; `${...}` keeps its meaning, see below."""


def arrives(*arguments: str) -> list[object]:
    """The values that Hydra reads."""
    overrides = [a for a in typed_overrides(arguments) if not a.startswith("-")]
    values = []
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_sweep_override():
            values.append([part.strip("'") for part in override.sweep_string_iterator()])
        else:
            values.append(override.value())
    return values


@given(
    name=NAMES,
    key=st.sampled_from(["source", "checkpoint", "dataset.root", "output", "+logger.csv.save_dir"]),
)
def test_path_is_taken_as_it_stands(name: str, key: str) -> None:
    (value,) = arrives(f"{key}=folder/{name}")
    assert OmegaConf.create({"value": value}).value == f"folder/{name}"


@pytest.mark.parametrize(
    "value",
    [
        *("ü.png", "photo (1).jpg", "a&b.png", "a=b.png", "a,b.png", "{a}.png"),
        *("1.10", "1e3", "true", "C:\\x y\\"),
        "rtsp://admin:pw@10.0.0.1/cam/realmonitor?channel=1&subtype=0",
    ],
)  # fmt: skip
def test_text_of_a_path(value: str) -> None:
    assert arrives(f"source={value}") == [value]


def test_file_that_exists_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("'a'", "[a]", "a,b", "choice(a)", "${x}"):
        Path(name).touch()
        (value,) = arrives(f"source={name}")
        assert OmegaConf.create({"value": value}).value == name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("source=0", 0),
        ("resume=null", None),
        ("checkpoint=auto", "auto"),
        ("source='a (1).png'", "a (1).png"),
        ("source=[a.png,b.png]", ["a.png", "b.png"]),
        ("source=[a (1).png, ü.png]", ["a (1).png", "ü.png"]),
        ("dataset.classes=[Straße,cat]", ["Straße", "cat"]),
        ("dataset.root=${data_dir}/Größe", "${data_dir}/Größe"),
        ("image_size=[320,480]", [320, 480]),
        ("schedule.lr=1e-3", 1e-3),
        ("name=größe", "größe"),
    ],
)
def test_grammar_keeps_its_meaning(typed: str, meant: object) -> None:
    assert arrives(typed) == [meant]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "backbone=r18,r50"],
        ["-m", "schedule.lr=tag(log,interval(1e-4,1e-2))"],
        ["--cfg", "job"],
        ["experiment=quickstart", "~callbacks.ema", "+trainer.detect_anomaly=true"],
    ],
)
def test_nothing_else_is_changed(arguments: list[str]) -> None:
    assert typed_overrides(arguments) == arguments


def test_sweep_over_paths() -> None:
    assert arrives("-m", "init=a.ckpt,b.ckpt") == [["a.ckpt", "b.ckpt"]]
    assert arrives("-m", "init=ä.ckpt,b.ckpt") == [["ä.ckpt", "b.ckpt"]]


def test_former_key_is_told_once_by_its_present_name(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["++schedule.optimizer.weight_decay=1e-3", "schedule.lr=1e-3", "optimizer=adamw"]
    assert typed_overrides(typed) == ["++optimizer.weight_decay=1e-3", *typed[1:]]
    assert capsys.readouterr().err == "schedule.optimizer.weight_decay is now optimizer.weight_decay\n"


def test_run_is_named_after_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def name(*arguments: str) -> str | None:
        added = with_name_of_checkpoint(["task=eval", *arguments])[1 + len(arguments) :]
        return added[0].removeprefix("name=").strip("'") if added else None

    assert name("checkpoint=auto") is None
    file = Path("outputs/mine/2026-01-02_03-04-05_train/checkpoints/last.ckpt")
    file.parent.mkdir(parents=True)
    file.touch()
    assert name("checkpoint=auto") == "mine"
    assert name(f"checkpoint={file}") == "mine"
    assert name("checkpoint='/runs/a b/checkpoints/last.ckpt'") == "a b"
    assert name("checkpoint=weights/yolact_base_54_800000.pth") == "yolact_base_54_800000"
    assert name("checkpoint=yolact_base") == "yolact_base"
    assert name("checkpoint=outputs/mine/2026-01-02_03-04-05_export") == "mine"
    assert name("checkpoint=outputs/mine/2026-01-02_03-04-05_export/model_openvino/model.xml") == "mine"
    for told in (["name=x"], ["experiment=quickstart"], ["-m"], ["task=train"]):
        assert name("checkpoint=auto", *told) is None
    assert name() is None
