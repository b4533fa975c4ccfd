"""Nearest valid names for mistyped overrides."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

_CUTOFF = 0.6
_MAX_PLACES = 3


def suggestions(arguments: list[str], config_folder: Path) -> list[str]:
    """A line for each override whose group, choice or key does not exist: what was meant, or what it needs.

    Args:
        arguments: the command line without the program's name; options (`-m`, `--cfg`) are skipped.
        config_folder: of the groups.
    """
    groups = _groups(config_folder)
    typed = [argument for argument in arguments if not argument.startswith("-")]
    overrides = [override for argument in typed for override in _parse(argument)]
    chosen = [text for override in overrides if (text := _valid_choice(override, groups))]
    keys = _keys(config_folder, chosen)
    lines: list[str] = []
    for override in overrides:
        if (choice := _choice_that_has(override, groups, keys, chosen, config_folder)) is not None:
            lines.append(f"{override.input_line}: this key comes with {choice}, which is not chosen")
        else:
            lines += _for_override(override, groups, keys)
    for argument in typed:
        if "=" not in argument:
            right = [f"{group}={argument}" for group, choices in groups.items() if argument in choices]
            lines += _line(argument, right)
    return lines


def unknown_additions(arguments: list[str], config_folder: Path) -> Iterator[str]:
    """A sentence for each `+key=value` whose first part is no key of the config, so that no task reads it."""
    groups = _groups(config_folder)
    overrides = [override for argument in arguments for override in _parse(argument)]
    chosen = [text for override in overrides if (text := _valid_choice(override, groups))]
    added = [override for override in overrides if override.is_add() or override.is_force_add()]
    keys = _keys(config_folder, chosen)
    for override in added:
        name, written = override.key_or_group, override.input_line or override.key_or_group
        if keys and name not in groups and name.partition(".")[0] not in {*keys, "hydra"}:
            right = [written.lstrip("+").replace(name, key, 1) for key in _nearest_keys(name, keys, groups)]
            meant = f"; did you mean {' or '.join(right)} ?" if right else ""
            yield f"{written}: no task reads the key {name}{meant}"


def _choice_that_has(
    override: Override, groups: dict[str, list[str]], keys: list[str], chosen: list[str], folder: Path
) -> str | None:
    """`group=choice` of the first choice that brings an unknown key which begins with its group."""
    name = override.key_or_group
    group = name.partition(".")[0]
    if override.is_add() or name in keys or name in groups or group not in groups:
        return None
    others = [text for text in chosen if not text.startswith(f"{group}=")]
    choices = (f"{group}={choice}" for choice in groups[group])
    return next((choice for choice in choices if name in _keys(folder, [*others, choice])), None)


def _for_override(override: Override, groups: dict[str, list[str]], keys: list[str]) -> Iterator[str]:
    name = override.key_or_group
    if override.is_add() or name.startswith("hydra"):
        return
    if name not in groups:
        if name not in keys:
            written = override.input_line or name
            yield from _line(
                written, [written.replace(name, k, 1) for k in _nearest_keys(name, keys, groups)]
            )
        return
    for choice in _choices(override):
        if choice == "None" and name != "experiment":
            yield f"{name}=null: a group needs one of its choices: {', '.join(groups[name])}"
        elif choice not in groups[name] and choice != "None":
            spelled = choice.replace("++", "_plus")  # as files of that name are
            nearest = difflib.get_close_matches(spelled, groups[name], n=1, cutoff=0.4)
            yield from _line(f"{name}={choice}", [f"{name}={right}" for right in nearest])


def _nearest_keys(name: str, keys: list[str], groups: dict[str, list[str]]) -> list[str]:
    """Keys of the same name elsewhere; or else the most similar one in this place; or else anywhere."""
    parent, _, last = name.rpartition(".")
    elsewhere = [key for key in keys if key.rpartition(".")[2] == last]
    if elsewhere:
        return elsewhere[:_MAX_PLACES]
    siblings = [key.rpartition(".")[2] for key in keys if key.rpartition(".")[0] == parent]
    if not parent:
        siblings += groups
    near = difflib.get_close_matches(last, siblings, n=1, cutoff=_CUTOFF)
    if near:
        return [f"{parent}.{near[0]}" if parent else near[0]]
    return [] if siblings else difflib.get_close_matches(name, keys, n=1, cutoff=_CUTOFF)


def _line(wrong: str, right: list[str]) -> list[str]:
    return [f"{wrong}: did you mean {' or '.join(right)} ?"] if right else []


def _parse(argument: str) -> list[Override]:
    if "=" not in argument and not argument.startswith("~"):
        return []
    try:
        return OverridesParser.create().parse_overrides([argument])
    except HydraException:
        return []


def _choices(override: Override) -> list[str]:
    """The value, or the values of a sweep."""
    if override.is_choice_sweep():
        return [str(value) for value in override.sweep_string_iterator()]
    return [str(override.value())]


def _valid_choice(override: Override, groups: dict[str, list[str]]) -> str | None:
    """`group=choice`, if both exist; of a sweep the first."""
    name, choice = override.key_or_group, _choices(override)[0]
    return f"{name}={choice}" if choice in groups.get(name, ()) else None


def _groups(config_folder: Path) -> dict[str, list[str]]:
    """Each config group with its choices."""
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in sorted(config_folder.iterdir())
        if folder.is_dir()
    }


def _keys(config_folder: Path, overrides: list[str]) -> list[str]:
    """Every dotted key of the composed config; what is copied from elsewhere by `${...}` is not entered."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder), version_base="1.3"):
            return list(_dotted(compose("config", overrides=overrides), ""))
    except (HydraException, OmegaConfBaseException):
        return []


def _dotted(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        if OmegaConf.is_interpolation(node, key) or OmegaConf.is_missing(node, key):
            continue
        child = node[key]
        if isinstance(child, DictConfig):
            yield from _dotted(child, f"{prefix}{key}.")
