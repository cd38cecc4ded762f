"""What is counted and judged while something changes."""

from datetime import datetime
from typing import Protocol

from addonctl.model import Answered, Guard
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


class Assessor(Protocol):
    """The whole cluster, assessed again and again while something changes in it: add-ons fail where nobody looks."""

    def troubles(self, step: Step) -> tuple[Guard, ...] | None:
        """What is wrong, and was at the assessment before as well; None: not assessed twice yet. Raises nothing.

        Of the step's own pods also what the API server refuses to them.
        """
        ...

    def close(self) -> None:
        """Ends assessing. Closing twice is not an error."""
        ...
