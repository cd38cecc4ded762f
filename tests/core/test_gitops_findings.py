"""What Argo CD and Flux say of the add-ons that they keep is said in their words."""

from typing import Any

import pytest

from addonctl import model
from addonctl.inventory import take_inventory
from addonctl.model import Condition, Finding, InstallationRef, Severity, View
from tests.builders import small_catalog, snapshot, workload

KEPT = {"helm.toolkit.fluxcd.io/name": "dns", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
DNS = workload("dns", "coredns/coredns:v1.12.4", labels=KEPT)
ARGO = workload(
    "dns", "coredns/coredns:v1.12.4", annotations={"argocd.argoproj.io/tracking-id": "dns:apps/Deployment:apps/dns"}
)


def found(*workloads: model.Workload, **parts: Any) -> list[Finding]:
    inventory = take_inventory(View(snapshot(workloads=workloads, **parts)), small_catalog())
    return [item for item in inventory.findings if item.code == "INV008"]


def release(*conditions: Condition, **more: Any) -> model.FluxHelmRelease:
    return model.FluxHelmRelease(name="dns", namespace="flux-system", chart="coredns", conditions=conditions, **more)


FAILED = Condition(type="Ready", status="False", reason="UpgradeFailed", message="Helm upgrade failed:\n timed out")
STALLED = Condition(type="Stalled", status="True", reason="RetriesExceeded", message="gave up after 3 attempts")


def test_a_release_that_flux_cannot_upgrade_is_found_in_its_words() -> None:
    (item,) = found(DNS, flux_helm_releases=(release(FAILED),))
    assert str(item.subject) == "coredns/apps/dns: flux helmrelease flux-system/dns"
    assert item.evidence[0].detail == "Ready is False: UpgradeFailed Helm upgrade failed: timed out"
    assert item.severity is Severity.RECOMMENDED
    (item,) = found(DNS, flux_helm_releases=(release(FAILED, STALLED),))
    assert item.evidence[0].detail == "Stalled: RetriesExceeded gave up after 3 attempts"


@pytest.mark.parametrize(
    "silent",
    [
        release(Condition(type="Ready", status="True")),
        release(Condition(type="Ready", status="Unknown", reason="Progressing")),
        release(Condition(type="Ready", status="False", reason="DependencyNotReady")),
        release(FAILED, suspended=True),
        release(),
    ],
    ids=["ready", "at work", "waits", "suspended", "unknown"],
)
def test_a_release_that_is_well_or_at_work_is_silent(silent: model.FluxHelmRelease) -> None:
    assert found(DNS, flux_helm_releases=(silent,)) == []


def test_one_that_never_came_to_run_anything_is_required() -> None:
    (item,) = found(flux_helm_releases=(release(FAILED),))
    assert item.subject == InstallationRef("coredns/dns", "coredns")
    assert item.severity is Severity.REQUIRED


def test_what_argo_cd_fails_at_is_found_in_its_words() -> None:
    app = model.Application(
        name="dns",
        namespace="argocd",
        health="Degraded",
        sync="OutOfSync",
        operation="Failed",
        operation_message="one or more objects failed to apply",
        conditions=(Condition(type="ComparisonError", status="", message="helm template failed"),),
    )
    (item,) = found(ARGO, applications=(app,))
    assert [each.detail for each in item.evidence] == [
        "its last sync failed: one or more objects failed to apply",
        "ComparisonError: helm template failed",
        "its health is Degraded; its sync status is OutOfSync",
    ]
    sound = model.Application(name="dns", namespace="argocd", health="Healthy", sync="OutOfSync", operation="Succeeded")
    assert found(ARGO, applications=(sound,)) == []
