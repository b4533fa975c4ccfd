"""The csv log of a run, read back."""

import csv
from pathlib import Path


def csv_rows(folder: Path) -> list[dict[str, str]]:
    """Without empty cells, of all parts of a run that was resumed in its folder, in order."""
    rows = []
    for part in sorted((folder / "csv").glob("version_*"), key=lambda path: int(path.name[8:])):
        with (part / "metrics.csv").open(newline="") as file:
            rows += [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    return rows


def logged(folder: Path, name: str = "loss/total") -> dict[int, float]:
    """A metric by step; of a step that was done twice, the later value."""
    return {int(row["step"]): float(row[name]) for row in csv_rows(folder) if name in row}
