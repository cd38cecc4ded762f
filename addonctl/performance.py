"""How well each add-on does its work: a score from what its containers used over a window, and what its SLIs counted.

Decided from a UsageReport. What takes too few samples to say is unknown with its reason, never good. Called by
dashboard.py.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from addonctl.model import Installation
from addonctl.model.forecast import Unknown
from addonctl.model.usage import ContainerUsage
from addonctl.usage import Answers, UsageReport

OOM_MOST = 49
"""The most after a container was killed for memory."""
TIGHT_MOST = 89
"""The most where a container lives on CPU that it does not request, or comes near its memory limit."""
NEAR = 0.9
"""So much of its limit is near."""
REQUESTS_MIN = 20
"""Fewer requests of an SLI say nothing of their share that failed."""
COVERAGE_MIN = 50
"""In percent; below it a score would say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One installation. `score`: 100 × the share of CPU periods in which its worst container was not throttled.

    Or 100 × the share of requests that did not fail, of the worst of its SLIs that are counted, if that is less. At
    most OOM_MOST and TIGHT_MOST where those apply. `coverage`: the percentage of its containers and of the window that
    was measured. The rest is the worst of its containers, None where nobody measured it.
    """

    installation: str
    score: int | Unknown
    coverage: int = 0
    throttled: float | None = None
    oom_kills: int | None = None
    cpu_over_request: bool = False
    memory_of_limit: float | None = None
    answers: tuple[Answers, ...] = ()  # that were judged, the worst first


def performances(rows: Iterable[Installation], report: UsageReport | Unknown) -> tuple[Performance, ...]:
    """One an installation, the worst first; those that are not known come last."""
    listed = tuple(rows)
    alone = {addon for addon, many in Counter(row.addon for row in listed).items() if many == 1}
    found = [_performance(row, report, row.addon in alone) for row in listed]
    return tuple(sorted(found, key=lambda each: (_rank(each.score), each.installation)))


def _rank(score: int | Unknown) -> int:
    return score if isinstance(score, int) else 101


def _performance(row: Installation, report: UsageReport | Unknown, alone: bool) -> Performance:
    if isinstance(report, Unknown):
        return Performance(installation=row.id, score=report)
    used = [each for each in report.containers if each.installation == row.id]
    missed = sum(ref in row.workloads for ref, _ in report.unmeasured)
    if not used:
        why = "none of its containers was measured" if missed else "it runs no containers here"
        return Performance(installation=row.id, score=Unknown(why))
    if not report.metrics.window:
        return Performance(installation=row.id, score=Unknown(f"{report.metrics.source} knows only what is used now"))
    return _measured(row.id, used, missed, _answers(row, report, alone))


def _answers(row: Installation, report: UsageReport, alone: bool) -> Sequence[Answers]:
    """What its SLIs counted; what nobody tells whose it is is its own where its add-on is there once."""
    mine = (row.id, "") if alone else (row.id,)
    sums: dict[str, Answers] = {}
    for each in report.answers:
        if each.addon == row.addon and each.installation in mine:
            before = sums.get(each.sli)
            requests, failed = (before.requests, before.failed) if before else (0, 0)
            more = replace(each, installation=row.id, requests=each.requests + requests, failed=each.failed + failed)
            sums[each.sli] = more
    judged = (each for each in sums.values() if each.requests >= REQUESTS_MIN)
    return sorted(judged, key=lambda each: -each.failed / each.requests)


def _measured(
    installation: str, used: Sequence[ContainerUsage], missed: int, answers: Sequence[Answers]
) -> Performance:
    throttled = max((each.throttled for each in used if each.throttled is not None), default=None)
    kills = [each.oom_kills for each in used if each.oom_kills is not None]
    coverage = round(100 * sum(each.coverage for each in used) / (len(used) + missed))
    over, full = any(map(_over_request, used)), max(filter(None, map(_of_limit, used)), default=None)
    failed = answers[0].failed / answers[0].requests if answers else 0.0
    score = round(100 * (1 - max(throttled or 0.0, failed)))
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
        answers=tuple(answers),
    )


def _over_request(used: ContainerUsage) -> bool:
    """Whether it takes more CPU than it requests for one twentieth of the time, which a full node would not give it."""
    request = used.cpu_request_millicores
    return request is not None and used.cpu.p95 is not None and used.cpu.p95 > request


def _of_limit(used: ContainerUsage) -> float | None:
    """The share of its memory limit that was reached."""
    limit = used.memory_limit_bytes
    return used.memory.max / limit if limit and used.memory.max is not None else None
