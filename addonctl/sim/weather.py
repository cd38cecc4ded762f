"""What may go wrong between a client and the world: asked before and after each call that comes through a port.

The world itself has no weather: controllers act on the store directly. faults.py makes bad weather; a client of its own
may have calm weather in the same world, as an auditor has.
"""

from typing import NamedTuple, Protocol


class Call(NamedTuple):
    """One call through a port: `port` is objects, eks or helm; `verb` the port's own; `what` it is about."""

    port: str
    verb: str
    what: str = ""
    writes: bool = False


class Weather(Protocol):
    """Both may raise what ports/__init__.py names; both may let the world's time pass, as slow answers do."""

    def before(self, call: Call) -> None:
        """Raises where the call does not get through: nothing is done."""
        ...

    def after(self, call: Call) -> None:
        """Raises where the answer is lost: what was asked is done."""
        ...

    def watch_lag_s(self) -> float:
        """How many seconds after it happened a watch tells of a change."""
        ...


class Calm:
    """Every call gets through, at once."""

    def before(self, call: Call) -> None:
        """Nothing."""

    def after(self, call: Call) -> None:
        """Nothing."""

    def watch_lag_s(self) -> float:
        return 0.0
