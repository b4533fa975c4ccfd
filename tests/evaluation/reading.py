"""Annotations read from the content of a COCO json."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from yolact_pl.data.annotations.annotations import Annotations, read_annotations


def read_content(content: dict[str, Any]) -> Annotations:
    """As the reader takes them from a file; images and categories without a name get one."""
    content = copy.deepcopy(content)
    for image in content["images"]:
        image.setdefault("file_name", f"{image['id']}.jpg")
    for category in content["categories"]:
        category.setdefault("name", f"class {category['id']}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instances.json"
        path.write_text(json.dumps(content))
        return read_annotations(path)
