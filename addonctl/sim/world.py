"""The world: virtual time, chance by one seed, and the queue of what happens later.

Everything that lives in a world asks it for the time and for random numbers, and says to it what is to happen later.
Nobody else moves the time: `advance`, `step` and `until` run what is due, in the order of its time, and what is due at
the same moment in the order in which it was said. So the seed, and what is done from outside, decide everything.

What runs may itself advance the world, as a call that blocks does: time then passes within that call, and the rest of
the world goes on. Only one such caller makes sense at a time; calls nest as a stack.
"""

import hashlib
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000  # microseconds: time is counted in whole ones, so that no sum of floats decides an order
# A world in which so much happens within one call of `until` does not come to rest.
_STEPS_MAX = 5_000_000


class Later:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("_what", "due")

    def __init__(self, due: int, what: Callable[[], object]) -> None:
        self.due = due
        self._what: Callable[[], object] | None = what

    @property
    def is_cancelled(self) -> bool:
        return self._what is None

    def cancel(self) -> None:
        """It will not happen; cancelling what has happened changes nothing."""
        self._what = None

    def happen(self) -> None:
        what, self._what = self._what, None
        if what is not None:
            what()


class World:
    """Time begins at `beginning`; `seed` decides all chance."""

    def __init__(self, seed: int, beginning: datetime = BEGINNING) -> None:
        assert beginning.tzinfo is not None, "the time of a world is aware"
        self.seed = seed
        self.random = Random(seed)
        self.beginning = beginning.astimezone(UTC)
        self._micros = 0
        self._queue: list[tuple[int, int, Later]] = []
        self._said = 0
        self._streams: dict[str, Random] = {}
        self._trace = hashlib.blake2b(digest_size=16)
        self._stamped = (-1, "")
        self._shown = (0, self.beginning)

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        if self._shown[0] != self._micros:
            self._shown = self._micros, self.beginning + timedelta(microseconds=self._micros)
        return self._shown[1]

    @property
    def micros(self) -> int:
        """Microseconds since the beginning."""
        return self._micros

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._micros / _SECOND

    @property
    def stamp(self) -> str:
        """The present second as Kubernetes writes it."""
        second = self._micros // _SECOND
        if self._stamped[0] != second:
            self._stamped = second, f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        return self._stamped[1]

    # ── What happens later ──────────────────────────────────────────────────────────────────────────────────────

    def at(self, when: datetime, what: Callable[[], object]) -> Later:
        """Says that `what` happens at a moment; what should have happened already happens next."""
        return self._queued(round((when - self.beginning) / timedelta(microseconds=1)), what)

    def after(self, seconds: float, what: Callable[[], object]) -> Later:
        """Says that `what` happens in so many seconds."""
        return self._queued(self._micros + round(seconds * _SECOND), what)

    def _queued(self, due: int, what: Callable[[], object]) -> Later:
        later = Later(max(due, self._micros), what)
        self._said += 1
        heapq.heappush(self._queue, (later.due, self._said, later))
        return later

    @property
    def next_due(self) -> float | None:
        """Seconds until the next thing happens, None when nothing is to."""
        queue = self._queue
        while queue and queue[0][2].is_cancelled:
            heapq.heappop(queue)
        return (queue[0][0] - self._micros) / _SECOND if queue else None

    def advance(self, seconds: float) -> None:
        """Runs everything that is due within so many seconds, then it is that much later."""
        assert seconds >= 0, f"time does not run backwards: {seconds} s"
        end = self._micros + round(seconds * _SECOND)
        while self._queue and self._queue[0][0] <= end:
            self._run_next()
        self._micros = max(self._micros, end)

    def end(self) -> None:
        """Nothing will happen any more."""
        self._queue.clear()

    def step(self) -> bool:
        """Runs the next thing that is to happen, at its time; whether there was one."""
        if self.next_due is None:
            return False
        self._run_next()
        return True

    def until(self, ready: Callable[[], bool], within_s: float) -> bool:
        """Runs what is due until something is so, asked after each thing that happens; whether it came to be."""
        end = self._micros + round(within_s * _SECOND)
        for _ in range(_STEPS_MAX):
            if ready():
                return True
            if not self._queue or self._queue[0][0] > end:
                self._micros = max(self._micros, end)
                return ready()
            self._run_next()
        raise AssertionError(f"{_STEPS_MAX} things happened in {self.seconds} s and the world does not come to rest")

    def _run_next(self) -> None:
        due, _, later = heapq.heappop(self._queue)
        self._micros = max(self._micros, due)
        later.happen()

    # ── Chance, and what has happened ───────────────────────────────────────────────────────────────────────────

    def stream(self, name: str) -> Random:
        """Random numbers for one purpose: who asks for more of them does not change what others are given."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Random(f"{self.seed}/{name}")
        return found

    def uid(self) -> str:
        """An identifier that no other thing of this world has."""
        text = f"{self.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def note(self, what: str) -> None:
        """Adds to the trace."""
        self._trace.update(b"%d %s\n" % (self._micros, what.encode()))

    @property
    def trace(self) -> str:
        """A digest of everything noted so far, with its time: equal for equal runs."""
        return self._trace.hexdigest()
