"""When changes may begin: maintenance windows and freezes, from the settings. Pure; called by the faces before a run.

A run that has begun goes to its end: what is half changed when a window closes would be worse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start` to `end` in `zone` on `days`, those on which it begins; one that ends before it starts is overnight.

    `cluster` is a shell pattern.
    """

    start: time
    end: time
    zone: tzinfo
    days: tuple[str, ...] = DAYS
    cluster: str = "*"

    def covers(self, now: datetime) -> bool:
        local = now.astimezone(self.zone)
        at, overnight = local.time(), self.end <= self.start
        if overnight and at < self.end:
            return DAYS[(local - timedelta(days=1)).weekday()] in self.days
        in_it = at >= self.start and (overnight or at < self.end)
        return in_it and DAYS[local.weekday()] in self.days

    def __str__(self) -> str:
        return f"{', '.join(self.days)} {self.start:%H:%M}-{self.end:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """No changes from the day `start` to the day `end`, both included, in UTC."""

    start: date
    end: date
    reason: str
    cluster: str = "*"


def closed(windows: Iterable[Window], freezes: Iterable[Freeze], cluster: str, now: datetime) -> str:
    """Why no change of a cluster may begin now; empty: it may. Without windows for a cluster, always but in freezes."""
    for freeze in freezes:
        if fnmatchcase(cluster, freeze.cluster) and freeze.start <= now.date() <= freeze.end:
            return f"frozen until {freeze.end}: {freeze.reason}"
    mine = [window for window in windows if fnmatchcase(cluster, window.cluster)]
    if not mine or any(window.covers(now) for window in mine):
        return ""
    return f"outside of the maintenance windows: {'; '.join(map(str, mine))}"
