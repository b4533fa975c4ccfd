"""Files of weights: fetching, reading, renaming their keys and loading them with nothing left over."""

import pickle
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from yolact_pl.models.cached_file import fetch_file

INSTEAD_OF_FETCHING = "set backbone.weights=<path>, or backbone.weights=null to start from random weights"

RenameTable = Sequence[tuple[str, str]]
"""Pairs of patterns (from, to); `{}` stands for the rest of the key and is carried over."""

_OTHER_NETWORK = "; is the file cut short, or of another architecture or class count?"


class CheckpointError(ValueError):
    """Weights that can't be used, and why."""


def cached_download(url: str) -> Path:
    """A backbone's weights behind a URL, from the cache folder, fetched first if they are not there.

    Raises:
        ValueError: they are not cached and cannot be fetched.
    """
    return fetch_file(url, otherwise=INSTEAD_OF_FETCHING)


def read_content(path: str | Path) -> Mapping[Any, Any]:
    """All that `torch.save` wrote to a file, on the CPU; nothing in the file is executed.

    Raises:
        CheckpointError: the file is missing, damaged, empty, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist or is not a file; expected a file of weights")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise CheckpointError(f"{path} may not be read ({error.strerror})") from error
    except pickle.UnpicklingError as error:
        if re.search("GLOBAL|Can only|unrecognized function", str(error)):
            raise CheckpointError(
                f"{path} holds Python objects that could run code when loaded, so it was not read; expected "
                "a file of tensors and plain values only"
            ) from error
        raise CheckpointError(_damaged(path)) from error
    except Exception as error:  # a damaged pickle or archive can raise anything at all
        raise CheckpointError(_damaged(path)) from error
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path} holds a {type(content).__name__}; expected a file of named tensors")
    return content


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The named tensors of a `.pth` file, on the CPU; nothing in the file is executed.

    Raises:
        CheckpointError: the file is missing, damaged, or holds anything but named tensors.
    """
    return named_tensors(read_content(path), source=path)


def named_tensors(content: Mapping[Any, Any], *, source: str | Path) -> dict[str, Tensor]:
    """What a file holds, if it is nothing but named tensors, or those beside other things as `state_dict`.

    Names that all start with `module.` or `_orig_mod.`, from torch's wrappers, lose it.

    Raises:
        CheckpointError: something else is in it.
    """
    inner = content.get("state_dict")
    if isinstance(inner, Mapping) and inner:
        content = inner
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{source} has {key!r}, a {type(value).__name__}; expected named tensors only"
            )
    tensors = {str(key): value for key, value in content.items()}
    for wrapper in ("module.", "_orig_mod."):
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def _damaged(path: Path) -> str:
    return f"{path} is damaged or not a PyTorch file ({path.stat().st_size} bytes); fetch it again"


def rename_keys(
    state: Mapping[str, Tensor], table: RenameTable, *, dropped: Iterable[str] = (), source: str | Path
) -> dict[str, Tensor]:
    """The same tensors under other names.

    Args:
        state: named tensors.
        table: every key must match one of its left sides.
        dropped: patterns of keys to leave out, looked at first.
        source: the file, for the error.

    Raises:
        CheckpointError: keys without a place.
    """
    kept = [key for key in state if not any(_matches(key, pattern) for pattern in dropped)]
    renamed = {key: rename_key(key, table) for key in kept}
    unknown = [key for key, new in renamed.items() if new is None]
    if unknown:
        raise CheckpointError(f"{source}: no place in this network for {_listed(unknown)}{_OTHER_NETWORK}")
    return {new: state[key] for key, new in renamed.items() if new is not None}


def rename_key(key: str, table: RenameTable) -> str | None:
    """The new name of a key, None where the table has none."""
    for old, new in table:
        match = _matches(key, old)
        if match:
            return new.format(*match.groups())
    return None


def inverse(table: RenameTable) -> RenameTable:
    """The table that renames back."""
    return [(new, old) for old, new in table]


def load_exactly(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str | Path,
    table: RenameTable = (),
    optional: Collection[str] = (),
) -> None:
    """Load weights; every one of the module must be there in the right shape.

    Args:
        module: what to fill.
        state: tensors under the module's names.
        source: the file, for errors.
        table: how the file's names became the module's, so that errors can name what the file should have.
        optional: names of the module that the file may lack; batch norm's counters always may.

    Raises:
        CheckpointError: weights are missing, without a place or of another shape; names the first few.
    """
    own = module.state_dict()

    def in_file(key: str) -> str:
        return rename_key(key, inverse(table)) or key

    required = [key for key in own if key not in optional and not key.endswith("num_batches_tracked")]
    missing = [in_file(key) for key in required if key not in state]
    if missing:
        raise CheckpointError(f"{source}: the file has no value for {_listed(missing)}{_OTHER_NETWORK}")
    unknown = [in_file(key) for key in state if key not in own]
    if unknown:
        raise CheckpointError(f"{source}: no place in this network for {_listed(unknown)}{_OTHER_NETWORK}")
    wrong = [key for key, value in state.items() if value.shape != own[key].shape]
    if wrong:
        shapes = f"{list(state[wrong[0]].shape)} in the file, expected {list(own[wrong[0]].shape)}"
        wrong = _listed([in_file(key) for key in wrong])
        raise CheckpointError(f"{source}: wrong shape of {wrong} ({shapes}){_OTHER_NETWORK}")
    module.load_state_dict({**{key: own[key] for key in own if key not in state}, **state})


def _matches(key: str, pattern: str) -> re.Match[str] | None:
    return re.fullmatch(re.escape(pattern).replace(r"\{\}", "(.+)"), key)


def _listed(keys: Sequence[str]) -> str:
    first = ", ".join(keys[:3])
    return first if len(keys) <= 3 else f"{len(keys)} weights, first {first}"
