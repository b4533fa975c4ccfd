"""Where the page's files lie."""

from pathlib import Path

PAGE = Path(__file__).parent / "page"
