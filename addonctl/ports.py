"""What the core asks of the world, as small questions in our own types. adapters/ answers them; sim/ will too."""

from collections.abc import Callable
from typing import Protocol

from addonctl.model import Inventory, ProbeAnswer, Snapshot

Progress = Callable[[str, int, int], None]
"""Called while reading: what is being read, how many parts are done, how many there are. Must not raise."""


def silent(what: str, done: int, total: int) -> None:
    """The Progress that shows nothing."""


class Source(Protocol):
    """Where snapshots come from: a live cluster, a file, manifests."""

    def snapshot(self, cluster: str) -> Snapshot:
        """Everything that could be read of `cluster` (a name or context; empty: the default one).

        What could not be read is a gap in it. Raises NotReachable, NotAllowed or BadInput when nothing could.
        """
        ...


class Prober(Protocol):
    """Asks add-ons of a live cluster what only they can answer: a DNS query, an admission, metrics, a volume claim.

    Nothing is stored in the cluster: what is created, is created as a dry run.
    """

    def probe(self, snapshot: Snapshot, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
        """One answer a probe; what could not be asked is unknown with the reason. Raises nothing of the network's."""
        ...
