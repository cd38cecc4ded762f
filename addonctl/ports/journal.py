"""The store of runs: where they stand, what was asked of them, and what they did."""

from collections.abc import Iterable
from typing import Protocol

from addonctl.model.journal import Asked, Line, Request, RunEntry
from addonctl.model.run import Run


class Journal(Protocol):
    """Runs of all clusters, for one worker: a process that drives runs. At most one worker holds a run.

    A worker that does not renew its hold for `HOLD_S` has died, and others may take its runs. Everything is stored
    durably or not at all; raises NotReachable when that cannot be done, and then nothing has been changed.
    """

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        """Stores a new run, held by this worker. Raises Conflict when there is one with its id."""
        ...

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        """Stores a run as it is now, with what was done, and forgets requests up to number `heard`. Renews the hold.

        Raises Conflict when this worker no longer holds it: whatever it wants next is another worker's business.
        A run that has ended is let go.
        """
        ...

    def take(self, id: str = "") -> Run | None:
        """A run that has not ended and that no living worker holds, now held by this one; None: there is none.

        With an id, that run. Where it is another worker's, who has died, the record says so. Raises NotFound when
        there is no such run, Conflict when another worker holds it, with its name, and BadInput when it has ended.
        """
        ...

    def renew(self) -> None:
        """Renews the hold of all runs that this worker holds."""
        ...

    def requests(self, id: str) -> tuple[Request, ...]:
        """What was asked of a run and not yet heard, in the order of asking."""
        ...

    def ask(self, id: str, asked: Asked) -> RunEntry:
        """Asks something of a run, whoever holds it. Raises NotFound, and BadInput when the run has ended."""
        ...

    def load(self, id: str) -> Run:
        """The run with an id, or an unambiguous prefix of one. Raises NotFound, BadInput when several have it."""
        ...

    def entries(self) -> tuple[RunEntry, ...]:
        """All runs, newest first."""
        ...

    def lines(self, id: str) -> tuple[Line, ...]:
        """The audit record of a run, oldest first. Raises NotFound."""
        ...

    def close(self) -> None:
        """Lets this worker's runs go: others may take them at once. Closing twice is not an error."""
        ...
