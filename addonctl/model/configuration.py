"""What a step changes of an add-on's configuration, as a plan may say it: keys, and of values only what is no secret.

The configuration itself may be secret. It is kept like a checkpoint, and a plan holds the id of that alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key as `--set` writes it, with what it is and will be: a number, `true`, `null`; of others only their form."""

    key: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChange:
    """From one configuration to another; `was` and `goal` are the ids under which ports.Ports keeps them."""

    changes: tuple[KeyChange, ...]
    was: str
    goal: str
