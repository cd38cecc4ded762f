"""What is kept of runs: their entries, what others ask of them, and the audit record of what they did."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from addonctl.model.run import Approved, Cancelled, Paused, Phase, Resumed

Asked = Approved | Cancelled | Paused | Resumed
"""What people may ask of a run while a worker drives it."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something asked of a run, by its number in the order of asking."""

    number: int
    asked: Asked


class What(StrEnum):
    """What a line of the audit record tells."""

    BEGUN = "begun"
    WANTED = "wanted"  # a command is about to be carried out
    DONE = "done"
    WAITS = "waits"  # what a command is for is not so yet; it is asked for again
    FAILED = "failed"
    ASKED = "asked"  # by a person
    PHASE = "phase"  # the run is in another one
    TAKEN = "taken"  # by a worker, from one that died


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the audit record: who did what, when, for which run. Holds no configuration and no Secret.

    `command` is the id that owners and the API server were given with it; `do` and `detail` say what it was, and what
    came of it. `by` is a person where a person asked, else the worker.
    """

    at: datetime
    what: What
    by: str
    command: str = ""
    do: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """What a list of runs shows. `worker` holds it; `alive`: it has renewed its hold in time."""

    id: str
    cluster: str
    goal: str
    phase: Phase
    begun: datetime
    changed: datetime
    by: str
    worker: str = ""
    alive: bool = False
