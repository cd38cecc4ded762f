"""Assesses a cluster again and again beside a run. See ports.Assessor.

What is wrong for one assessment may be a moment of the rollout: only what the one before found as well is told. What
the API server refuses to the pods of the step lasts by itself (refusals.py).
"""

import threading
from collections.abc import Callable

from addonctl.assessment import Assessment, troubles
from addonctl.errors import AddonctlError
from addonctl.model import Guard
from addonctl.model.plan import Step

# Reading a cluster costs its API server some forty lists.
_EVERY_S = 15.0
# Before anything changes the second one may come sooner: a run waits for it, and what passes by does no harm there.
_SOON_S = 5.0


class BackgroundAssessor:
    """`assess` reads and judges the cluster, `refused` a step's logs; a thread calls both from the first question on.

    Both may raise AddonctlError.
    """

    def __init__(
        self,
        assess: Callable[[], Assessment],
        refused: Callable[[Step], tuple[Guard, ...]],
        every_s: float = _EVERY_S,
    ) -> None:
        self._assess, self._refused, self._every_s = assess, refused, every_s
        self._step: Step | None = None
        self._ended, self._thread = threading.Event(), threading.Thread(target=self._go_on, daemon=True)
        self._last: tuple[Guard, ...] | None = None
        self._lasting: tuple[Guard, ...] | None = None

    def troubles(self, step: Step) -> tuple[Guard, ...] | None:
        self._step = step
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()
        return self._lasting

    def close(self) -> None:
        self._ended.set()

    def _go_on(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(self._every_s if self._lasting is not None else min(_SOON_S, self._every_s))

    def _look(self) -> None:
        """A cluster that cannot be read now is assessed the next time."""
        try:
            found = troubles(self._assess())
            refused = self._refused(self._step) if self._step else ()
        except AddonctlError:
            return
        before = None if self._last is None else {(each.code, each.subject) for each in self._last}
        if before is not None:
            lasting = (each for each in found if (each.code, each.subject) in before)
            self._lasting = (*lasting, *refused)
        self._last = found
