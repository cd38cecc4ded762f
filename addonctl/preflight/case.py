"""One step of a plan with everything known about it: the input of the preflight checks of this package."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from addonctl.assessment import Assessment
from addonctl.catalog import AddOn, Catalog, EksVersion, Meets, UpgradeNote
from addonctl.model import (
    EksAddon,
    Evidence,
    Finding,
    HelmRelease,
    Installation,
    InstallationRef,
    KubernetesObject,
    ObjectRef,
    Severity,
    View,
    Workload,
    owners,
)
from addonctl.model.live import Reconciled, object_of
from addonctl.model.plan import Plan, Rollout, Step, Target
from addonctl.model.preflight import StepFacts
from addonctl.remediation import eks_addon
from addonctl.versions import Version


@dataclass(frozen=True)
class Case:
    """A step, the cluster that it was planned for, and what was read for it."""

    plan: Plan
    step: Step
    assessment: Assessment
    catalog: Catalog
    facts: StepFacts

    @property
    def view(self) -> View:
        return self.assessment.view

    @cached_property
    def row(self) -> Installation:
        found = self.assessment.row(self.step.installation)
        assert found is not None, f"{self.step.installation} is planned for, and not installed"
        return found

    @property
    def addon(self) -> AddOn | None:
        return self.catalog.find(self.row.addon)

    @property
    def subject(self) -> InstallationRef:
        """Of what is so now."""
        return InstallationRef(self.step.installation, self.step.addon)

    @property
    def way(self) -> InstallationRef:
        """Of what this step does, as several steps of one installation may."""
        topic = "deleted" if self.step.removes else f"to {self.step.to_version or 'another version'}"
        return InstallationRef(self.step.installation, self.step.addon, topic=topic)

    # ── Its workloads ───────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def targets(self) -> tuple[tuple[Target, Workload], ...]:
        """Those that have instances, as they were read; what is known from its pods alone is left out."""
        read = self._read
        return tuple((each, read[each.ref]) for each in self.step.targets if each.instances and each.ref in read)

    @property
    def unread_targets(self) -> Iterator[Target]:
        """Those that are known from their pods alone."""
        yield from (each for each in self.step.targets if each.ref not in self._read)

    @cached_property
    def _read(self) -> Mapping[ObjectRef, Workload]:
        return {workload.ref: workload for workload in self.view.snapshot.workloads}

    @property
    def unserved(self) -> Iterator[tuple[Target, Workload]]:
        """Those of which no old pod waits for a new one, whatever is done."""
        for target, workload in self.targets:
            alone = target.rollout is Rollout.ONE_BY_ONE and target.instances == 1
            if target.rollout is Rollout.AT_ONCE or alone:
                yield target, workload

    # ── Its owner ───────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def eks(self) -> EksAddon | None:
        """The EKS add-on, where EKS keeps it and AWS was read."""
        eks = self.view.snapshot.eks
        kept = isinstance(self.step.owner, owners.EksAddon)
        return eks_addon(self.row, eks.addons) if eks is not None and kept else None

    @cached_property
    def reconciled(self) -> KubernetesObject | None:
        """The object that a GitOps controller works from, where one keeps the add-on and it was read."""
        snapshot, owner = self.view.snapshot, self.step.owner
        kept = (*snapshot.applications, *snapshot.flux_helm_releases, *snapshot.flux_kustomizations)
        ref = object_of(owner) if isinstance(owner, Reconciled) else None
        return next((each for each in kept if each.ref == ref), None)

    @cached_property
    def release(self) -> HelmRelease | None:
        owner = self.step.owner
        named = (owner.namespace, owner.name) if isinstance(owner, owners.HelmRelease) else None
        return next((each for each in self.view.helm_releases if (each.namespace, each.name) == named), None)

    def listed(self, version: Version | None) -> EksVersion | None:
        """AWS's entry of a version, where EKS keeps the add-on."""
        owner = self.step.owner
        name = owner.name if isinstance(owner, owners.EksAddon) else ""
        table = self.catalog.eks.addons.get(name)
        return next((each for each in table.versions if each.version == version), None) if table else None

    # ── Its versions ────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def counts_by_chart(self) -> bool:
        """Whether its versions are a chart's, which are other numbers than the add-on's."""
        first = next(step for step in self.plan.steps if step.installation == self.step.installation)
        return self.release is not None and first.from_version != self.row.version

    @property
    def versions(self) -> tuple[Version, Version] | None:
        """From and to, where both are known."""
        was, to = self.step.from_version, self.step.to_version
        return (was, to) if was is not None and to is not None else None

    def notes(self, *meets: Meets, back: bool = False) -> Iterator[UpgradeNote]:
        """What the catalog knows of this step, or of the way back from it."""
        was, to = self.versions or (None, None)
        if was is None or to is None or self.addon is None:
            return
        for note in self.addon.upgrade_notes:
            met = note.is_met(to, was) if back else note.is_met(was, to)
            if met and note.meets in meets and note.chart is self.counts_by_chart:
                yield note

    # ── What was found before ───────────────────────────────────────────────────────────────────────────────────

    def required(self, installation: str) -> list[Finding]:
        """The REQUIRED findings of the assessment on an installation."""
        return [each for each in self.assessment.concerning(installation) if each.severity is Severity.REQUIRED]


def seen(thing: KubernetesObject, detail: str) -> Evidence:
    """An observation of an object."""
    return Evidence(kind=thing.ref.kind.lower(), subject=str(thing.ref), detail=detail, ref=thing.ref)


def told(found: Finding, title: str) -> Evidence:
    """An observation that is itself a finding."""
    detail = f"{found.code} {title}" + (f": {found.evidence[0].detail}" if found.evidence else "")
    return Evidence(kind="finding", subject=str(found.subject), detail=detail)
