"""Content of a corrected copy of an annotation file; what was read stays as it is."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.atomic_file import atomic_file
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import INT64, rows_not_whole
from yolact_pl.doctor.findings import shown

NOUNS = {"images": "image", "annotations": "annotation", "categories": "category"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different in a corrected copy."""

    path: Path
    """The copy."""
    entry: str
    """As "annotation 12"."""
    what: str


class Draft:
    """The three lists of a set's file with changes; rows keep their positions until the file is written.

    Args:
        coco_set: what was read.
        removes: whether entries may be left out that are not repeated elsewhere.
    """

    def __init__(self, coco_set: CocoSet, *, removes: bool = True) -> None:
        self._set = coco_set
        self._removes = removes
        self.edits = 0
        """Number of changes so far."""
        self._rows = {name: list(getattr(coco_set, name)) for name in NOUNS}
        self._removed: dict[str, dict[int, str]] = {name: {} for name in NOUNS}
        self._lost = dict.fromkeys(NOUNS, 0)
        self._notes: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._next_id = {name: _highest_id(rows) + 1 for name, rows in self._rows.items()}

    def row(self, table: str, position: int) -> dict[str, Any]:
        """An entry of a list as it will be written."""
        return self._rows[table][position]

    def removed(self, table: str) -> set[int]:
        """Positions of the entries that will be left out."""
        return set(self._removed[table])

    def put(self, table: str, position: int, key: str, value: Any, how: str | None = None) -> None:
        """Change a value; `how` says it shorter than old and new value do."""
        self.edits += 1
        row = self._rows[table][position]
        self._notes[table, position].append(f"{key} {how or f'{shown(row.get(key))} -> {shown(value)}'}")
        self._rows[table][position] = {**row, key: value}

    def lost(self, table: str) -> int:
        """How many entries will be left out that are not repeated elsewhere."""
        return self._lost[table]

    def remove(self, table: str, position: int, why: str, *, repeated: bool = False) -> None:
        """Leave an entry out; `repeated`: all that it says remains elsewhere."""
        if position in self._removed[table] or not (self._removes or repeated):
            return
        self.edits += 1
        self._removed[table][position] = why
        self._lost[table] += not repeated

    def renumber(self, table: str, position: int, key: str = "", owners: np.ndarray | None = None) -> None:
        """Give an entry the next free id, and put it under `key` of the annotations that it owns.

        Args:
            table: the list.
            position: of the entry.
            key: under which annotations name such an entry.
            owners: [annotations] positions of the entries that they name; None if nothing names them.
        """
        number = self._next_id[table]
        self._next_id[table] += 1
        self.put(table, position, "id", number)
        for annotation in np.flatnonzero(owners == position).tolist() if owners is not None else ():
            self.put("annotations", annotation, key, number)

    def changes(self, path: Path) -> list[Change]:
        """What is different in the copy at a path."""
        changes = []
        for name, noun in NOUNS.items():
            originals = getattr(self._set, name)
            listed = self._set.content.get(name)
            others = len(listed) - len(originals) if isinstance(listed, list) else 0
            if others:
                changes.append(Change(path, f"{others} of the {name}", "removed: not objects"))
            changed = {position for table, position in self._notes if table == name}
            for position in sorted(changed | self._removed[name].keys()):
                why = self._removed[name].get(position)
                what = f"removed: {why}" if why else "; ".join(self._notes[name, position])
                value = originals[position].get("id")
                where = f"at position {position} of the list" if value is None else shown(value)
                changes.append(Change(path, f"{noun} {where}", what))
        return changes

    def write(self, path: Path) -> None:
        """Write the file, entry by entry: as one text it would take as much memory again."""
        with atomic_file(path) as file:
            file.write("{")
            for number, (key, value) in enumerate(self._set.content.items()):
                file.write((",\n" if number else "") + json.dumps(key) + ": ")
                if key in NOUNS and isinstance(value, list):
                    removed = self._removed[key]
                    kept = (row for position, row in enumerate(self._rows[key]) if position not in removed)
                    file.write("[")
                    for position, row in enumerate(kept):
                        file.write((",\n" if position else "") + json.dumps(row, default=list))
                    file.write("]")
                else:
                    file.write(json.dumps(value, default=list))
            file.write("}\n")


def _highest_id(rows: list[dict[str, Any]]) -> int:
    ids: list[Any] = [row.get("id") for row in rows]
    wrong = set(rows_not_whole(ids, *INT64))
    return max(
        (int(value) for row, value in enumerate(ids) if row not in wrong and value is not None), default=0
    )
