"""The Vertical Pod Autoscaler: its algorithm for CPU, and its own recommender, for rightsizing_beside_vpa.py.

The algorithm is that of version 1.6.0 with its default flags: a histogram of samples in buckets that grow by 5 %, in
which a sample weighs half after 24 hours; target, lower and upper bound are its 90th, 50th and 95th percentile and
15 %, the bounds wider the less was seen (pkg/recommender of k8s.io/autoscaler/vertical-pod-autoscaler).
Its own recommender is a small program around these packages: `python -m tests.cluster build vpa`.
"""

import math
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.cluster import build

_FIRST, _RATIO, _MOST = 0.01, 1.05, 1000.0  # cores in the first bucket, growth, the largest that is told apart
_BUCKETS = math.ceil(math.log(_MOST * (_RATIO - 1) / _FIRST + 1) / math.log(_RATIO)) + 1
_WEIGHT, _HALF_LIFE_S, _DAY_S = 0.1, 86_400, 86_400
_MARGIN, _LEAST_MILLICORES = 0.15, 25

Samples = Sequence[tuple[int, float]]
"""Seconds since 1970 and cores, in order of time."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """In millicores. The updater replaces a pod whose request is outside of the bounds, or off the target by 10 %."""

    target: int
    lower: int
    upper: int

    def applied(self, request: float | None) -> float:
        """The request in cores after the updater has looked at it."""
        target = self.target / 1000
        if request is None or not self.lower <= round(request * 1000) <= self.upper:
            return target
        return target if abs(target - request) >= 0.1 * request else request


@dataclass(slots=True)
class Recommender:
    """One container's CPU histogram."""

    weights: list[float] = field(default_factory=lambda: [0.0] * _BUCKETS)
    total: float = 0
    first_s: int = 0
    last_s: int = 0
    samples: int = 0

    def add(self, at_s: int, cores: float) -> None:
        self.first_s = self.first_s or at_s
        weight = _WEIGHT * 2.0 ** ((at_s - self.first_s) / _HALF_LIFE_S)
        self.weights[_bucket(int(cores * 1000) / 1000)] += weight
        self.total += weight
        self.last_s, self.samples = at_s, self.samples + 1

    def recommended(self) -> Recommended:
        seen = min((self.last_s - self.first_s) / _DAY_S, self.samples / 1440)
        return Recommended(
            target=max(self._with_margin(0.9), _LEAST_MILLICORES),
            lower=max(int(self._with_margin(0.5) * (1 + 0.001 / seen) ** -2), _LEAST_MILLICORES),
            upper=max(int(self._with_margin(0.95) * (1 + 1 / seen)), _LEAST_MILLICORES),
        )

    def _with_margin(self, share: float) -> int:
        base = int(self._percentile(share) * 1000)
        return base + int(base * _MARGIN)

    def _percentile(self, share: float) -> float:
        """The end of the bucket in which it lies."""
        used = [number for number, weight in enumerate(self.weights) if weight]
        below = 0.0
        for number in range(used[0], used[-1]):
            below += self.weights[number]
            if below >= share * self.total:
                return _start(number + 1)
        return _start(min(used[-1] + 1, _BUCKETS - 1))


def _bucket(cores: float) -> int:
    if cores < _FIRST:
        return 0
    return min(int(math.log(cores * (_RATIO - 1) / _FIRST + 1) / math.log(_RATIO)), _BUCKETS - 1)


def _start(bucket: int) -> float:
    return _FIRST * (_RATIO**bucket - 1) / (_RATIO - 1)


def by_algorithm(samples: Samples, asked_s: Iterable[int]) -> list[Recommended]:
    """What is recommended at each of these times, by the samples before it."""
    recommender, answers, rest = Recommender(), [], iter(samples)
    sample = next(rest, None)
    for until_s in asked_s:
        while sample and sample[0] < until_s:
            recommender.add(*sample)
            sample = next(rest, None)
        answers.append(recommender.recommended())
    return answers


def by_recommender(
    containers: Mapping[str, Samples], asked_s: Mapping[str, Sequence[int]]
) -> dict[str, list[Recommended]]:
    """The same by VPA's own code, for many containers."""
    return {name: [one for one, _ in answers] for name, answers in _asked(containers, asked_s, memory=False).items()}


def memory_by_recommender(
    containers: Mapping[str, Samples], asked_s: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """The target for memory in bytes, by VPA's own code; samples are bytes as well."""
    return {
        name: [target for _, target in answers] for name, answers in _asked(containers, asked_s, memory=True).items()
    }


def _asked(
    containers: Mapping[str, Samples], asked_s: Mapping[str, Sequence[int]], *, memory: bool
) -> dict[str, list[tuple[Recommended, int]]]:
    lines = [line for name, samples in containers.items() for line in _lines(name, samples, asked_s[name], memory)]
    command = [str(build.VPA.folder / "vpa")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True, timeout=300)
    answers: dict[str, list[tuple[Recommended, int]]] = {name: [] for name in containers}
    for line in done.stdout.splitlines():
        name, *figures = line.split()
        target, lower, upper, memory_target, *_ = map(int, figures)
        answers[name].append((Recommended(target, lower, upper), memory_target))
    return answers


def _lines(name: str, samples: Samples, asked_s: Sequence[int], memory: bool) -> Iterable[str]:
    events = [(at_s, 1, f"{name} {at_s} " + (f"0.1 {value}" if memory else f"{value} 0")) for at_s, value in samples]
    events += [(at_s, 0, name) for at_s in asked_s]
    return [line for at_s, _, line in sorted(events) if at_s <= asked_s[-1]]
