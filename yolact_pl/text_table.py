"""A table as text."""

import io


def text_table(rows: list[list[str]]) -> str:
    """Columns of one width each: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    out = io.StringIO()
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        out.write(" | ".join(cells).rstrip() + "\n")
        if number == 0:
            out.write("-+-".join("-" * width for width in widths) + "\n")
    return out.getvalue()
