"""Waivers: findings accepted for a time, each with a reason and an end date.

Pure: the waivers, the findings and the day in; what counts and what is waived out. Called by assessment.py;
adapters/config_file.py reads the file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, Note, WaiverRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Accepts findings of `code` (a code, or a pattern such as `HLT*`) on matching subjects through the day `until`.

    `subject` is a shell pattern (`PodDisruptionBudget/payments/*`), as is `cluster`; `*` matches all.
    """

    code: str
    reason: str
    until: date
    subject: str = "*"
    cluster: str = "*"

    def covers(self, found: Finding, cluster: str) -> bool:
        return (
            fnmatchcase(found.code, self.code)
            and fnmatchcase(str(found.subject), self.subject)
            and fnmatchcase(cluster, self.cluster)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """A finding that does not count, and the waiver that covers it."""

    finding: Finding
    waiver: Waiver


def apply(
    waivers: Iterable[Waiver], findings: Iterable[Finding], cluster: str, day: date
) -> tuple[tuple[Finding, ...], tuple[Waived, ...]]:
    """(findings that count, findings waived). An expired waiver becomes a finding itself, and covers nothing."""
    given, listed = tuple(waivers), tuple(findings)
    standing = [waiver for waiver in given if waiver.until >= day]
    counts: list[Finding] = []
    waived: list[Waived] = []
    for found in listed:
        by = next((waiver for waiver in standing if waiver.covers(found, cluster)), None)
        if by is None:
            counts.append(found)
        else:
            waived.append(Waived(finding=found, waiver=by))
    return (*counts, *_expired(given, listed, cluster, day)), tuple(waived)


@makes("WVR001")
def _expired(waivers: Iterable[Waiver], findings: tuple[Finding, ...], cluster: str, day: date) -> Iterator[Finding]:
    for waiver in waivers:
        if waiver.until < day and fnmatchcase(cluster, waiver.cluster):
            covered = sum(waiver.covers(found, cluster) for found in findings)
            detail = f"ended on {waiver.until}: {waiver.reason}; it would cover {covered} of today's findings"
            evidence = Evidence(kind="waiver", subject=f"{waiver.code} {waiver.subject}", detail=detail)
            fix = () if covered else (Note("It no longer matches any finding: remove it from the file."),)
            yield finding("WVR001", WaiverRef(waiver.code, waiver.subject), evidence, fix=fix)
