"""What the core asks of the world, as small questions in our own types. adapters/ answers them; sim/ will too."""

from collections.abc import Callable
from typing import Protocol

from addonctl.model import Snapshot

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
