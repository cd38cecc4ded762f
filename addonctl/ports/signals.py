"""What is counted while something changes."""

from datetime import datetime
from typing import Protocol

from addonctl.model import Sample
from addonctl.model.plan import Step


class Signals(Protocol):
    """The SLIs of one cluster's add-ons, as probes and metrics count them."""

    def counted(self, step: Step, since: datetime) -> tuple[Sample, ...]:
        """What was counted after `since`, for each objective of the step that anything was counted for.

        Instances of the step's old version are the control, also before anything is changed. Raises nothing of the
        network's: what could not be counted is left out, and so becomes unknown.
        """
        ...
