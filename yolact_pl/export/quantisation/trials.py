"""Choices of layers in float, tried until AP is as high as it has to be."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

KEPT = (0, 2, 6, 14, 30)
"""Layers in float in each trial."""

AveragePrecision = Mapping[str, float]
"""Box and mask AP, 0..1."""


class Trial(NamedTuple):
    """One choice of layers, and what it reaches."""

    float_layers: tuple[str, ...]
    """The costliest first."""
    ap: AveragePrecision
    """Box and mask AP, 0..1."""
    lost: float
    """The larger of both losses; below 0 is a gain."""

    def __str__(self) -> str:
        reached = ", ".join(f"{kind} AP {100 * value:.2f}" for kind, value in self.ap.items())
        kept = f" but {', '.join(self.float_layers)} in float" if self.float_layers else ""
        return f"all in int8{kept}: {reached}, {100 * max(self.lost, 0):.2f} lost"


def find_float_layers(
    measure: Callable[[Sequence[str]], AveragePrecision],
    costliest: Callable[[], Sequence[str]],
    *,
    expected: AveragePrecision,
    max_ap_drop: float,
    say: Callable[[str], object],
) -> list[Trial]:
    """Try int8, with more and more layers in float, until not more AP is lost than allowed.

    Args:
        measure: AP of the network with these layers in float.
        costliest: all layers, the costliest first; asked once, and only if all in int8 loses too much.
        expected: AP in float.
        max_ap_drop: that may be lost, of boxes and of masks (0..1).
        say: told of each trial in a line.

    Returns:
        All trials. The last one is accepted if its loss is allowed; else even the last has failed.
    """
    trials: list[Trial] = []
    order: Sequence[str] = ()
    for count in KEPT:
        if count and not order:
            order = costliest()
        layers = tuple(order[:count])
        if trials and layers == trials[-1].float_layers:
            break  # there are no more
        ap = measure(layers)
        trials.append(Trial(layers, ap, max(expected[kind] - ap[kind] for kind in expected)))
        say(str(trials[-1]))
        if trials[-1].lost <= max_ap_drop:
            break
    return trials
