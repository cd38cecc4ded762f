"""What is counted while something changes."""

from datetime import datetime
from typing import Protocol

from addonctl.model import Answered
from addonctl.model.plan import Step


class Signals(Protocol):
    """The SLIs of one cluster's add-ons, as probes and metrics count them."""

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        """What was counted after `since`, for each objective of the step that anything was counted for.

        Probing begins with the first call for a step. Raises nothing of the network's: what could not be counted is
        left out, and so becomes unknown.
        """
        ...

    def close(self) -> None:
        """Ends probing, within seconds. Closing twice is not an error."""
        ...
