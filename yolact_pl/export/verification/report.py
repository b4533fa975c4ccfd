"""What a check found, as a table, as JSON and as one sentence."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.export.quantisation.trials import Trial
from yolact_pl.export.verification.comparison import Difference, Rows
from yolact_pl.inference.exported.metadata import ExportMetadata
from yolact_pl.text_table import text_table

AP_LIMITS = {"float32": 0.002, "float16": 0.01}
"""How much lower box and mask AP (0..1) may be, by precision."""


class Sample(NamedTuple):
    """One input with the detections of both."""

    pixels: NDArray[np.uint8]
    """[H, W, 3]."""
    expected: Rows
    """Torch's."""
    found: Rows
    """The file's."""


@dataclass
class Report:
    """A check of an exported file against torch."""

    metadata: ExportMetadata
    """Of the file."""
    num_images: int
    origin: str
    """Of the images."""
    differences: Mapping[int, list[Difference]]
    """By batch size, in the order of computation."""
    samples: list[Sample] = field(default_factory=list)
    """Some of the images; none of raw outputs."""
    ap: Mapping[str, Mapping[str, float]] | None = None
    """See `ExportMetadata.ap`."""
    max_ap_drop: float | None = None
    """How much lower box and mask AP (0..1) may be; None: see `AP_LIMITS`."""
    trials: Sequence[Trial] = ()
    """Of int8; the last one is written."""

    @property
    def failure(self) -> str | None:
        """The first output outside of the tolerance, with its numbers; None if all are within."""
        for size, rows in self.differences.items():
            for row in rows:
                if not row.passes:
                    return f"{row.output} differs first, by {_number(row)} at batch size {size}"
        return self._ap_failure()

    def _ap_failure(self) -> str | None:
        limit = AP_LIMITS.get(self.metadata.precision) if self.max_ap_drop is None else self.max_ap_drop
        if self.ap is None or limit is None:
            return None
        for kind, value in self.ap["torch"].items():
            lost = value - self.ap["exported"][kind]
            if lost > limit:
                return f"{kind} AP is {100 * lost:.2f} lower than torch's, {100 * limit:.1f} are allowed"
        return None

    def to_text(self) -> str:
        """Tables to read."""
        about = self.metadata
        lines = [
            f"{about.checkpoint['name']}, {about.precision}, layout {about.layout}, {about.nms} NMS",
            f"compared with torch on {self.num_images} images: {self.origin}",
            "",
        ]
        table = [["output", "batch", "difference", "allowed", "unit", ""]]
        for size, rows in self.differences.items():
            for row in rows:
                value = "-" if math.isnan(row.value) else f"{row.value:.2g}"
                limit = "-" if math.isinf(row.limit) else f"{row.limit:g}"
                verdict = "ok" if row.passes else "FAILED"
                table.append([row.output, str(size), value, limit, row.unit, verdict])
        lines.append(text_table(table))
        if self.ap is not None:
            kinds = list(self.ap["torch"])
            rows_of_ap = [[name, *(f"{100 * self.ap[name][kind]:.2f}" for kind in kinds)] for name in self.ap]
            lines.append(text_table([["AP", *kinds], *rows_of_ap]))
            lines += [f"int8 in {len(self.trials)} trials:"] * (len(self.trials) > 1)
            lines += map(str, self.trials)
        lines.append(f"FAILED: {self.failure}" if self.failure else "all within the tolerance")
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """The same for programs; null for what could not be compared, or has no limit."""
        rows = [
            {
                "output": row.output,
                "batch": size,
                "difference": _finite(row.value),
                "allowed": _finite(row.limit),
                "unit": row.unit,
                "passes": row.passes,
            }
            for size, rows in self.differences.items()
            for row in rows
        ]
        content = {
            "passes": self.failure is None,
            "failure": self.failure,
            "images": self.num_images,
            "origin": self.origin,
            "differences": rows,
            "ap": self.ap,
            "int8_trials": [{"float_layers": one.float_layers, "ap": one.ap} for one in self.trials],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _number(row: Difference) -> str:
    return f"{row.value:.2g} {row.unit}".strip() + f" where {row.limit:g} is allowed"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
