"""Groups and keys that the command line names, as plain data."""

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override


def typed_overrides_of_task() -> list[Override]:
    """The command line of the running task, parsed; Hydra's own overrides are left out."""
    return OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))


def typed_keys() -> list[str]:
    """The groups and dotted keys of the running task's command line, in order."""
    return [override.key_or_group for override in typed_overrides_of_task()]


def chosen_groups() -> dict[str, str]:
    """Each config group with its choice."""
    return {str(group): str(choice) for group, choice in HydraConfig.get().runtime.choices.items()}
