"""Optimal assignment of tracks to detections.

By hand: SciPy, which has one, is larger than all else that prediction without torch needs together.
"""

import numpy as np
from numpy.typing import NDArray


def assign(similarity: NDArray[np.float64], minimum: float) -> list[tuple[int, int]]:
    """The pairs that exceed a minimal similarity by most in total; each row and column at most once.

    Args:
        similarity: [rows, columns], finite.
        minimum: pairs of at most this similarity are never chosen.

    Returns:
        (row, column) of each pair, by row.
    """
    gain = np.maximum(similarity - minimum, 0.0)
    possible = gain > 0
    # Most tracks have one detection to themselves: what is left to weigh up is small.
    alone = possible & (possible.sum(axis=1, keepdims=True) == 1) & (possible.sum(axis=0) == 1)
    pairs = [(int(row), int(column)) for row, column in np.argwhere(alone)]
    possible &= ~alone
    rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
    gain = gain[np.ix_(rows, columns)]
    if len(rows) <= len(columns):
        chosen = [(row, column) for column, row in enumerate(_row_of_columns(gain).tolist())]
    else:
        chosen = list(enumerate(_row_of_columns(gain.T).tolist()))
    pairs += [(int(rows[r]), int(columns[c])) for r, c in chosen if min(r, c) >= 0 and gain[r, c] > 0]
    return sorted(pairs)


def _row_of_columns(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    """The row that each column gets in the assignment with the largest total gain, -1 for none.

    Shortest augmenting paths with potentials, one row after the other (Jonker and Volgenant 1987, section 2).

    Args:
        gain: [rows, columns], at least as many columns as rows; each row gets a column.
    """
    num_rows, num_columns = gain.shape
    root = num_columns  # a column more, where each path starts
    row_of = np.full(num_columns + 1, -1)
    row_potential, column_potential = np.zeros(num_rows), np.zeros(num_columns + 1)
    for start in range(num_rows):
        column, row_of[root] = root, start
        distance, previous = np.full(num_columns + 1, np.inf), np.full(num_columns + 1, root)
        on_path = np.zeros(num_columns + 1, dtype=np.bool_)
        while (row := int(row_of[column])) >= 0:
            on_path[column] = True
            slack = -gain[row] - row_potential[row] - column_potential[:root]
            nearer = np.flatnonzero((slack < distance[:root]) & ~on_path[:root])
            distance[nearer], previous[nearer] = slack[nearer], column
            column = int(np.where(on_path, np.inf, distance)[:root].argmin())
            step = distance[column]
            row_potential[row_of[on_path]] += step
            column_potential[on_path] -= step
            distance[~on_path] -= step
        while column != root:
            row_of[column] = row_of[previous[column]]
            column = int(previous[column])
    return row_of[:root]
