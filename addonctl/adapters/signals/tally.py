"""What was counted, by the time at which it was known: exact after any moment, in bounded memory."""

import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from addonctl.model import Answered, Counts

# Moments kept of one pod: at 20 requests a second those of some 17 minutes; 8 bytes each.
_KEPT = 20_000
# A pod of which nothing was counted for so long is gone.
_GONE_S = 1800.0


def _moments() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class _Counted:
    """When requests were answered, and when failed ones were found to have failed; both in order."""

    all: "array[float]" = field(default_factory=_moments)
    failed: "array[float]" = field(default_factory=_moments)

    def add(self, at: float, good: bool) -> None:
        at = max(at, self.all[-1]) if self.all else at  # the clock may be set back
        for moments in (self.all,) if good else (self.all, self.failed):
            moments.append(at)
        if len(self.all) > _KEPT:
            del self.all[: _KEPT // 2]
            del self.failed[: bisect_right(self.failed, self.all[0])]

    def after(self, moment: float) -> Counts:
        return Counts(*(len(moments) - bisect_right(moments, moment) for moments in (self.all, self.failed)))


class Tally:
    """Counts by SLI and pod. Safe to use from several threads."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now, self._lock = now, threading.Lock()
        self._counted: dict[tuple[str, str], _Counted] = {}

    def count(self, sli: str, pod: str, good: bool) -> None:
        """One request, now."""
        with self._lock:
            now = self._now()
            if (sli, pod) not in self._counted:
                self._counted = {key: each for key, each in self._counted.items() if each.all[-1] > now - _GONE_S}
                self._counted[sli, pod] = _Counted()
            self._counted[sli, pod].add(now, good)

    def after(self, moment: float) -> tuple[Answered, ...]:
        """What was counted after `moment`, in seconds since the epoch; nothing of what counted nothing."""
        with self._lock:
            found = [(sli, pod, each.after(moment)) for (sli, pod), each in self._counted.items()]
        return tuple(Answered(sli=sli, pod=pod, counts=counts) for sli, pod, counts in found if counts.requests)
