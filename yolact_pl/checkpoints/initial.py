"""Initial weights from another checkpoint, whose classes may differ."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    describes_itself,
    network_weights,
    read_checkpoint,
)
from yolact_pl.checkpoints.published import local_file
from yolact_pl.checkpoints.released import rename_table
from yolact_pl.checkpoints.released_classes import released_classes
from yolact_pl.models.head import ClassRows
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import named_tensors, rename_key

_SHOWN = 4
"""Names in a line of the table."""


class _Source(NamedTuple):
    weights: dict[str, Tensor]
    """By our names."""
    without_place: list[str]
    """Names in the file for which there is none of ours."""
    class_names: list[str]
    named: bool
    """Whether the file says which classes it knows."""


class InitialWeights(NamedTuple):
    """What became of the weights; names are the network's, or the file's where the network has none such."""

    loaded: tuple[str, ...]
    """Complete, or with the rows of `reused_classes`."""
    reinitialised: tuple[str, ...]
    """Left as the network was built."""
    unused: tuple[str, ...]
    reused_classes: tuple[str, ...]
    new_classes: tuple[str, ...]
    """Without rows in the file, so that their rows start from random."""

    def table(self) -> str:
        """The counts for each part of the network, and the classes and weights that start anew."""
        columns = (self.loaded, self.reinitialised, self.unused)
        parts = list(dict.fromkeys(_part(name) for names in columns for name in names))
        lines = [f"{'initial weights':<16}{'loaded':>10}{'re-initialised':>16}{'unused':>10}"]
        for part in [*parts, None]:
            counts = [sum(part in (None, _part(name)) for name in names) for names in columns]
            lines.append(f"{part or 'total':<16}{counts[0]:>10}{counts[1]:>16}{counts[2]:>10}")
        for title, names in (
            ("classes re-used", self.reused_classes),
            ("classes new", self.new_classes),
            ("re-initialised", self.reinitialised),
            ("unused", self.unused),
        ):
            if names:
                lines.append(f"{title:<16}{len(names):>10}  {_first(names)}")
        return "\n".join(lines)


def load_initial_weights(
    network: YolactNetwork, source: str | Path, class_names: Sequence[str]
) -> InitialWeights:
    """Load what fits of a checkpoint, ours or a released one; the rest of the network stays as it was built.

    Of the weights that have rows for classes, the background's and those of the classes whose names are in
    the checkpoint too are taken. If a file does not name its classes, and has as many as the network, they
    count as the same.

    Args:
        network: to be trained.
        source: a file, or a name of `checkpoints.download.PUBLISHED_FILES`.
        class_names: of the network, in order.

    Raises:
        CheckpointError: the file cannot be fetched or read, or nothing in it fits.
    """
    weights, without_place, old_names, named = _read(local_file(source))
    if not named and len(old_names) == len(class_names):
        old_names = list(class_names)
    own = network.state_dict()
    rows = _class_rows(network)
    fitting = {}
    for name, value in weights.items():
        if name in rows and name in own:
            merged = _merge(own[name], value, rows[name], class_names, old_names)
            fitting |= {} if merged is None else {name: merged}
        elif name in own and value.shape == own[name].shape:
            fitting[name] = value
    if not any(value.is_floating_point() for value in fitting.values()):
        theirs = [*without_place, *weights]
        raise CheckpointError(
            f"init={source}: none of its {len(theirs)} weights fits this network (first: "
            f"{next(iter(theirs), None)}); give a checkpoint of a YOLACT network; the weights of a backbone "
            "alone belong to backbone.weights"
        )
    network.load_state_dict({**own, **fitting})
    reused = [n for n in class_names if n in old_names] if rows.keys() & fitting.keys() else []
    report = InitialWeights(
        loaded=_listed(name for name in own if name in fitting),
        reinitialised=_listed(name for name in own if name not in fitting),
        unused=_listed((*without_place, *(name for name in weights if name not in fitting))),
        reused_classes=tuple(reused),
        new_classes=tuple(name for name in class_names if name not in reused),
    )
    # `pretrained` promises batch norm statistics that are worth keeping.
    statistics = ("running_mean", "running_var")
    network.backbone.pretrained = not any(
        name.startswith("backbone.") and name.endswith(statistics) for name in report.reinitialised
    )
    return report


def _read(path: Path) -> _Source:
    content = read_checkpoint(path)
    if describes_itself(content):
        return _Source(network_weights(content), [], content[ENTRY]["class_names"], named=True)
    state = named_tensors(content, source=path)
    table = rename_table(state)
    renamed = {key: rename_key(key, table) for key in state}
    without_place = [key for key, name in renamed.items() if name is None]
    weights = {name: state[key] for key, name in renamed.items() if name is not None}
    logits, deltas = weights.get("head.class_logits.bias"), weights.get("head.box_deltas.bias")
    if logits is None or deltas is None or deltas.numel() < 4:
        return _Source(weights, without_place, [], named=False)
    classes = released_classes(logits.numel() // (deltas.numel() // 4) - 1, path)
    return _Source(weights, without_place, list(classes.names), classes.known)


def _class_rows(network: YolactNetwork) -> dict[str, ClassRows]:
    layers = {
        "head.class_logits": network.head.class_rows,
        "semantic": ClassRows(1, background=0),
        "mask_iou.ious": ClassRows(1, background=0),
    }
    return {f"{layer}.{leaf}": rows for layer, rows in layers.items() for leaf in ("weight", "bias")}


def _merge(
    own: Tensor, old: Tensor, rows: ClassRows, names: Sequence[str], old_names: Sequence[str]
) -> Tensor | None:
    """`own` with the rows of `old` for the background and for the classes that both have; None if none."""
    blocks, background = rows
    common = [(i, old_names.index(name)) for i, name in enumerate(names) if name in old_names]
    pairs = [(0, 0)] * background + [(i + background, j + background) for i, j in common]
    if old.shape != (blocks * (background + len(old_names)), *own.shape[1:]) or not pairs:
        return None
    to, of = (torch.tensor(indices) for indices in zip(*pairs, strict=True))
    merged = own.clone().unflatten(0, (blocks, -1))
    merged[:, to] = old.to(own).unflatten(0, (blocks, -1))[:, of]
    return merged.flatten(0, 1)


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    """Batch norm's counters are left out: nothing reads them."""
    return tuple(name for name in names if not name.endswith("num_batches_tracked"))


def _part(name: str) -> str:
    return name.split(".")[0]


def _first(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ..."
