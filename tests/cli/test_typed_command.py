import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from yolact_pl.cli.typed_command import typed_command

VALUES = st.text(st.sampled_from("ab/1.-_ ,=:()[]{}'\"\\$%#~@!?*&|;é"), min_size=1, max_size=12)


@given(value=VALUES)
def test_what_is_typed_is_what_arrives(value: str) -> None:
    words = shlex.split(typed_command({"task": "download", "data_dir": value}))
    assert words[-2] == "task=download"
    (override,) = OverridesParser.create().parse_overrides([words[-1]])
    arrived = OmegaConf.create({"data_dir": override.value()})
    assert str(arrived.data_dir) == value


@pytest.mark.parametrize(
    ("program", "start"),
    [("/x/bin/yolact", "yolact "), ("run.py", "python run.py "), ("pytest", "python run.py ")],
)
def test_program(program: str, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [program, "dataset=coco2017"])
    assert typed_command({"task": "download"}) == f"{start}task=download"
