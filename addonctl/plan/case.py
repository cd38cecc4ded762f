"""A cluster for which something is planned: the input of the functions of this package."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from addonctl.assessment import Assessment, not_installed
from addonctl.catalog import AddOn, Catalog, EksAddonVersions
from addonctl.errors import BadInput
from addonctl.model import HelmRelease, Installation, View, owners
from addonctl.model.plan import Plan, Premise, Step
from addonctl.versions import Minor


@dataclass(frozen=True, slots=True)
class Case:
    """What runs, and what versions there are."""

    assessment: Assessment
    catalog: Catalog

    @property
    def view(self) -> View:
        return self.assessment.view

    @property
    def kubernetes(self) -> Minor:
        """What runs. Raises BadInput where nobody knows."""
        status = self.assessment.kubernetes
        if status.running is None:
            raise BadInput(f"No plan without the running Kubernetes: {status.reason}", "Give it with --kubernetes.")
        return status.running

    def addon(self, row: Installation) -> AddOn | None:
        return self.catalog.find(row.addon)

    def listed(self, row: Installation) -> EksAddonVersions | None:
        """AWS's versions of what AWS built, whoever applied it; None of what others built."""
        if isinstance(row.owner, owners.EksAddon):
            return self.catalog.eks.addons.get(row.owner.name)
        built_by_aws = row.version is not None and row.version.is_eks_build
        return self.catalog.eks.addons.get(self.catalog.eks_name(row.addon) or "") if built_by_aws else None

    def release(self, row: Installation) -> HelmRelease | None:
        """The Helm release that keeps an installation, where it was read."""
        if not isinstance(row.owner, owners.HelmRelease):
            return None
        named = (row.owner.namespace, row.owner.name)
        return next((each for each in self.view.helm_releases if (each.namespace, each.name) == named), None)

    def one(self, addon: str) -> Installation:
        rows = self.assessment.inventory.installations
        found = [row for row in rows if addon and addon in (row.addon, row.id, row.eks_addon)]
        if not found:
            raise not_installed(self.assessment, addon)
        if len(found) > 1:
            raise BadInput(
                f"{addon} is installed {len(found)} times", f"Name one: {', '.join(row.id for row in found)}."
            )
        return _changeable(found[0])

    def plan(self, goal: str, steps: Iterable[Step], now: datetime) -> Plan:
        """Steps with their numbers, and what they take for granted."""
        numbered = tuple(replace(step, id=str(number)) for number, step in enumerate(steps, start=1))
        touched = {step.installation for step in numbered}
        premises = (
            Premise(row.id, str(row.version or ""), row.owner.type)
            for row in self.assessment.inventory.installations
            if row.id in touched
        )
        return Plan(
            cluster=self.assessment.cluster.name,
            kubernetes=self.assessment.kubernetes.running,
            made=now,
            goal=goal,
            steps=numbered,
            premises=tuple(premises),
        )


def _changeable(row: Installation) -> Installation:
    match row.owner:
        case owners.AwsManaged(service=service):
            raise BadInput(f"{service} runs {row.addon}: AWS updates it", "There is nothing to do.")
        case owners.Undetermined(reason=reason):
            raise BadInput(f"Nobody knows who installed {row.id}{reason and f': {reason}'}", "Update it by hand.")
    if row.version is None:
        raise BadInput(f"The version of {row.id} is unknown: {row.version_unknown_reason}", "Update it by hand.")
    return row
