"""How well each add-on gets what it needs to do its work: a score from what its containers used over a window.

Decided from a UsageReport. What takes too few samples to say is unknown with its reason, never good. Called by
dashboard.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from addonctl.model import Installation
from addonctl.model.forecast import Unknown
from addonctl.model.usage import ContainerUsage
from addonctl.usage import UsageReport

OOM_MOST = 49
"""The most after a container was killed for memory."""
TIGHT_MOST = 89
"""The most where a container lives on CPU that it does not request, or comes near its memory limit."""
NEAR = 0.9
"""So much of its limit is near."""
COVERAGE_MIN = 50
"""In percent; below it a score would say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One installation. `score`: 100 × the share of CPU periods in which its worst container was not throttled.

    At most OOM_MOST and TIGHT_MOST where those apply. `coverage`: the percentage of its containers and of the window
    that was measured. The rest is the worst of its containers, None where nobody measured it.
    """

    installation: str
    score: int | Unknown
    coverage: int = 0
    throttled: float | None = None
    oom_kills: int | None = None
    cpu_over_request: bool = False
    memory_of_limit: float | None = None


def performances(rows: Iterable[Installation], report: UsageReport | Unknown) -> tuple[Performance, ...]:
    """One an installation, the worst first; those that are not known come last."""
    found = [_performance(row, report) for row in rows]
    return tuple(sorted(found, key=lambda each: (_rank(each.score), each.installation)))


def _rank(score: int | Unknown) -> int:
    return score if isinstance(score, int) else 101


def _performance(row: Installation, report: UsageReport | Unknown) -> Performance:
    if isinstance(report, Unknown):
        return Performance(installation=row.id, score=report)
    used = [each for each in report.containers if each.installation == row.id]
    missed = sum(ref in row.workloads for ref, _ in report.unmeasured)
    if not used:
        why = "none of its containers was measured" if missed else "it runs no containers here"
        return Performance(installation=row.id, score=Unknown(why))
    if not report.metrics.window:
        return Performance(installation=row.id, score=Unknown(f"{report.metrics.source} knows only what is used now"))
    return _measured(row.id, used, missed)


def _measured(installation: str, used: Sequence[ContainerUsage], missed: int) -> Performance:
    throttled = max((each.throttled for each in used if each.throttled is not None), default=None)
    kills = [each.oom_kills for each in used if each.oom_kills is not None]
    coverage = round(100 * sum(each.coverage for each in used) / (len(used) + missed))
    over, full = any(map(_over_request, used)), max(filter(None, map(_of_limit, used)), default=None)
    score = round(100 * (1 - (throttled or 0.0)))
    if over or (full is not None and full >= NEAR):
        score = min(score, TIGHT_MOST)
    if any(kills):
        score = min(score, OOM_MOST)
    return Performance(
        installation=installation,
        score=score if coverage >= COVERAGE_MIN else Unknown(f"only {coverage} % of the time was measured"),
        coverage=coverage,
        throttled=throttled,
        oom_kills=round(sum(kills)) if kills else None,
        cpu_over_request=over,
        memory_of_limit=full,
    )


def _over_request(used: ContainerUsage) -> bool:
    """Whether it takes more CPU than it requests for one twentieth of the time, which a full node would not give it."""
    request = used.cpu_request_millicores
    return request is not None and used.cpu.p95 is not None and used.cpu.p95 > request


def _of_limit(used: ContainerUsage) -> float | None:
    """The share of its memory limit that was reached."""
    limit = used.memory_limit_bytes
    return used.memory.max / limit if limit and used.memory.max is not None else None
