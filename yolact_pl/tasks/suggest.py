"""The nearest valid name for a mistyped override."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf


def suggestions(arguments: list[str], config_folder: Path) -> list[str]:
    """A line `did you mean ...?` for each override of the command line whose group, choice or key does not exist."""
    groups = _groups(config_folder)
    overrides = _parse(argument for argument in arguments if "=" in argument and not argument.startswith("-"))
    known = [o for o in overrides if o.key_or_group in groups and str(o.value()) in groups[o.key_or_group]]
    keys = _keys(config_folder, [o.input_line or "" for o in known])
    lines = []
    for override in overrides:
        name = override.key_or_group
        if override.is_add() or name.startswith("hydra"):
            continue
        if name in groups:
            _suggest(lines, str(override.value()), groups[name], f"{name}={{}}")
        elif name not in keys:
            _suggest(lines, name, [*keys, *groups], "{}=...")
    return lines


def _suggest(lines: list[str], wrong: str, valid: list[str], form: str) -> None:
    if wrong in valid or wrong == "None":
        return
    nearest = difflib.get_close_matches(wrong, valid, n=1, cutoff=0.4)
    if nearest:
        lines.append(f"{form.format(wrong)}: did you mean {form.format(nearest[0])} ?")


def _parse(arguments: Iterable[str]) -> list[Override]:
    parser = OverridesParser.create()
    parsed = []
    for argument in arguments:
        try:
            parsed += parser.parse_overrides([argument])
        except HydraException:
            continue
    return parsed


def _groups(config_folder: Path) -> dict[str, list[str]]:
    """Each config group with its choices."""
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in config_folder.iterdir()
        if folder.is_dir()
    }


def _keys(config_folder: Path, overrides: list[str]) -> list[str]:
    """Every dotted key of the composed config."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder), version_base="1.3"):
            cfg = compose("config", overrides=overrides)
    except HydraException:
        return []
    found: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            found.append(f"{prefix}{key}")
            if not OmegaConf.is_interpolation(node, key) and isinstance(node._get_node(key), DictConfig):
                child = node[key]
                if child is not None:
                    walk(child, f"{prefix}{key}.")

    walk(cfg, "")
    return found
