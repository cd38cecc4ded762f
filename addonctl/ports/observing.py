"""Reading a cluster as a whole: the time, one cluster as a Snapshot, probes of what only add-ons can answer."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from addonctl.model import Inventory, ProbeAnswer, Snapshot, View

Progress = Callable[[str, int, int], None]
"""Called while reading: what is being read, how many parts are done, how many there are (0: not known).

The last call has as many done as there are. Must not raise."""


def silent(what: str, done: int, total: int) -> None:
    """The Progress that shows nothing."""


class Clock(Protocol):
    """The time. The core is given one `now`; only edges ask."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class Source(Protocol):
    """One cluster to read: a live one, a saved snapshot, manifests. Which one was said when the source was made."""

    def snapshot(self) -> Snapshot:
        """Everything that could be read; what could not is a gap in it.

        Raises NotReachable, NotAllowed or BadInput when nothing could.
        """
        ...

    def named(self, cluster: str) -> "Source":
        """The source of `cluster`, a name or a context: this one, where it is that cluster's or is not bound yet.

        Raises BadInput when this source reads another cluster. Reads nothing.
        """
        ...


@runtime_checkable
class Prober(Protocol):
    """Asks the add-ons of the live cluster that its source reads what only they can answer.

    A DNS query, an admission, metrics, a volume claim: nothing is stored, what is created is created as a dry run.
    """

    def probe(self, view: View, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
        """One answer a probe; what could not be asked is unknown with the reason. Raises nothing of the network's."""
        ...
