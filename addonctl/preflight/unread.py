"""What preflight could not check, since it was not read (PRE023). A finding of its own: silence would read as safe."""

from collections.abc import Iterator, Sequence

from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Capability, finding, makes
from addonctl.model import ClusterRef, Evidence, Finding, owners
from addonctl.model.live import Reconciled
from addonctl.model.preflight import Fact
from addonctl.preflight.case import Case

_NOT_READ = "not read"


@makes("PRE023")
def unread(cases: Sequence[Case], assessment: Assessment) -> Iterator[Finding]:
    """One finding for the plan; evidence for every part of the snapshot, fact and number that is missing."""
    shown = tuple(dict.fromkeys((*_parts(assessment), *(each for case in cases for each in _of_step(case)))))
    if shown:
        yield finding("PRE023", ClusterRef(assessment.cluster.name), *shown)


def _parts(assessment: Assessment) -> Iterator[Evidence]:
    """Parts of the snapshot that preflight's checks need."""
    checks = (check for check in CHECKS.values() if check.capability is Capability.PREFLIGHT)
    for part in dict.fromkeys(part for check in checks for part in check.parts):
        gap = assessment.view.gap(part)
        if gap is not None:
            yield Evidence(kind="gap", subject=part.replace("_", " "), detail=gap.detail or gap.reason.value)


def _of_step(case: Case) -> Iterator[Evidence]:
    facts, of_eks = case.facts, isinstance(case.step.owner, owners.EksAddon)
    if of_eks:
        ends = (case.step.to_version, case.step.from_version if case.step.undo else None)
        missing = [str(each) for each in ends if each is not None and str(each) not in (facts.configuration or {})]
        if missing:
            what = f"the configuration against the schema of {' and of '.join(missing)}"
            yield _missing(case, Fact.CONFIGURATION, what)
    if facts.fields is None:
        yield _missing(case, Fact.FIELDS, "whose the fields of its objects are")
    if facts.lacking is None:
        yield _missing(case, Fact.RIGHTS, "whether the rights that it takes are there")
    if isinstance(case.step.owner, Reconciled) and case.reconciled is None:
        yield Evidence(kind="gap", subject=case.row.id, detail=f"{case.step.owner}, which says what it takes")
    if not case.step.targets:
        yield Evidence(kind="gap", subject=case.row.id, detail="none of its workloads were found")
    for target in case.unread_targets:
        yield Evidence(kind="gap", subject=str(target.ref), detail="only its pods were read", ref=target.ref)
    if case.counts_by_chart:
        detail = f"what is known of versions: {case.release.chart if case.release else 'its chart'} counts by itself"
        yield Evidence(kind="gap", subject=case.row.id, detail=detail)


def _missing(case: Case, fact: Fact, what: str) -> Evidence:
    return Evidence(kind="gap", subject=case.row.id, detail=f"{what}: {case.facts.unread.get(fact, _NOT_READ)}")
