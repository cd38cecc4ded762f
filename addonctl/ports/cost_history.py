"""What clusters cost, day by day, as it was recorded."""

from datetime import date
from typing import Protocol

from addonctl.model.spending import CostDay


class CostHistory(Protocol):
    """Kept where runs are: in this user's files, or in a database."""

    def record(self, day: CostDay) -> None:
        """Keeps a day; one that was recorded before is replaced."""
        ...

    def days(self, cluster: str, since: date) -> tuple[CostDay, ...]:
        """The days of a cluster since a day, oldest first; those that nobody recorded are missing."""
        ...

    def clusters(self) -> tuple[str, ...]:
        """The clusters of which there is a day."""
        ...
