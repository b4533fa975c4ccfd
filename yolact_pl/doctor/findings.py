"""Findings and their wording."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from yolact_pl.data.annotations.coco_json import json_type
from yolact_pl.doctor.kinds import Kind, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake and its place; rows are positions in the lists of images, annotations, categories."""

    kind: Kind
    split: str
    """"train" or "val"."""
    detail: str = ""
    """What exactly, in a few words with the values."""
    image: int | None = None
    annotation: int | None = None
    category: int | None = None
    part: int | None = None
    """Which polygon of the annotation."""
    file_name: str | None = None
    """What the image's file is really called."""


def count_kinds(findings: Iterable[Finding]) -> dict[Kind, dict[str, int]]:
    """How many of each kind there are in each split, by severity, then by kind."""
    counted = Counter((finding.kind, finding.split) for finding in findings)
    splits = sorted({split for _, split in counted}, key=["train", "val"].index)
    found = {kind for kind, _ in counted}
    kinds = [kind for severity in Severity for kind in Kind if kind in found and kind.severity is severity]
    return {kind: {split: counted[kind, split] for split in splits} for kind in kinds}


def shown(value: Any, length: int = 60) -> str:
    """A value of a json file in a report: short and in one line; text is quoted."""
    if isinstance(value, dict | list):
        text = str(value) if len(value) <= 6 and not any(map(_is_nested, value)) else f"a {json_type(value)}"
    else:
        text = repr(value)
    return _cut(text, length)


def shown_name(name: str, length: int = 200) -> str:
    """A name in a report without quotes, in one line and short."""
    return _cut("".join(one if one.isprintable() else repr(one)[1:-1] for one in name), length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _is_nested(value: Any) -> bool:
    return not isinstance(value, int | float | str | None)
