"""Keys of the config under their former names."""

from collections.abc import Mapping

RENAMED_KEYS = {
    "backbone.pretrained": "backbone.weights",
    "schedule.optimizer": "optimizer",
}
"""Former dotted key to present one; a key stands for all that is below it."""


def present_key(key: str, renamed: Mapping[str, str] = RENAMED_KEYS) -> str:
    """The present name of a dotted key, which is the key itself where it was never renamed."""
    for former, present in renamed.items():
        if key == former or key.startswith(f"{former}."):
            return present + key.removeprefix(former)
    return key
