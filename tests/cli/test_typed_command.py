import shlex
from pathlib import Path

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
    ("argv", "activated", "start"),
    [
        ("env/bin/yolact", True, "yolact "),
        ("env/bin/yolact", False, "env/bin/yolact "),
        ("run.py", True, "python run.py "),
        ("run.py", False, "env/bin/python run.py "),
        ("/else where/run.py", True, "python '/else where/run.py' "),
        ("pytest", True, "python run.py "),
    ],
)
def test_command_works_as_printed(
    argv: str, activated: bool, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the current folder, and also where the environment of the program is not activated."""
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "yolact"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin" if activated else "/bin")
    monkeypatch.setattr("sys.executable", str(programs / "python"))
    monkeypatch.setattr("sys.argv", [argv, "dataset=coco2017"])
    assert typed_command({"task": "download"}) == f"{start}task=download"
