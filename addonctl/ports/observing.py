"""Reading a whole cluster: the clock, a Snapshot of the cluster, probes of its add-ons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from addonctl.logs import Wanted
from addonctl.model import Gap, Inventory, ProbeAnswer, Snapshot, View
from addonctl.model.plan import Plan
from addonctl.model.preflight import StepFacts

Progress = Callable[[str, int, int], None]
"""Called while reading: what is being read, how many parts are done, how many there are (0: unknown).

In the last call, all are done. Must not raise."""


def silent(what: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""


class Clock(Protocol):
    """The clock. The core is given one `now`; only the edges read the clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Returns once so much time has passed."""
        ...


class Source(Protocol):
    """One cluster to read: live, a saved snapshot, or manifests; chosen when the source is created."""

    def snapshot(self) -> Snapshot:
        """Everything that could be read; what could not be is a gap in the snapshot.

        Raises NotReachable, NotAllowed or BadInput when nothing could be read.
        """
        ...

    def named(self, cluster: str) -> "Source":
        """The source for `cluster`, a name or a context: this one, bound to it unless it already is.

        Raises BadInput when this source reads another cluster. Reads nothing.
        """
        ...


@runtime_checkable
class Prober(Protocol):
    """Probes the add-ons of the live cluster that its source reads.

    A DNS query, an admission, metrics, a volume claim: nothing is stored, and objects are only created as a dry run.
    """

    def probe(self, view: View, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
        """One answer per probe; a probe that could not run is unknown, with the reason. Raises no network errors."""
        ...


@dataclass(frozen=True, slots=True)
class LogLines:
    """The last lines of containers, cut and redacted, and what could not be read."""

    lines: Mapping[Wanted, str]
    gaps: tuple[Gap, ...] = ()


@runtime_checkable
class LogReader(Protocol):
    """Reads the last lines of containers of the live cluster that its source reads."""

    def last_lines(self, wanted: Sequence[Wanted]) -> LogLines:
        """Those of each container that has any; where they may not be read, a gap. Raises no network errors."""
        ...


@runtime_checkable
class Inspector(Protocol):
    """Reads what the steps of a plan need beyond a Snapshot, from the live cluster that its source reads."""

    def facts(self, view: View, plan: Plan) -> Mapping[str, StepFacts]:
        """Step id → what was read for it; what could not be is None, with the reason. Raises no network errors."""
        ...
