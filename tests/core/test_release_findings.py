"""Helm releases of add-ons that failed or hang."""

from datetime import timedelta
from typing import Any

import pytest

from addonctl import model
from addonctl.inventory import take_inventory
from addonctl.model import Finding, Severity, View
from addonctl.render.commands import fix_text
from tests.builders import NOW, small_catalog, snapshot, workload

HELM = {"meta.helm.sh/release-name": "dns", "meta.helm.sh/release-namespace": "apps"}
DNS = workload("dns", "coredns/coredns:v1.12.4", annotations=HELM)
LONG_AGO = NOW - timedelta(days=3)


def found(status: str, deployed: int | None = 4, **parts: Any) -> list[Finding]:
    given: dict[str, Any] = {"chart": "coredns", "revision": 5, "updated": LONG_AGO}
    given |= parts.pop("release", {})
    record = model.HelmRelease(name="dns", namespace="apps", status=status, deployed_revision=deployed, **given)
    inventory = take_inventory(View(snapshot(workloads=(DNS,), helm_releases=(record,), **parts)), small_catalog())
    return [item for item in inventory.findings if item.code == "INV007"]


@pytest.mark.parametrize(
    ("status", "deployed", "severity", "detail"),
    [
        ("failed", 4, Severity.RECOMMENDED, "revision 5 failed on 2026-11-21 12:00 UTC; revision 4 is deployed"),
        ("failed", None, Severity.REQUIRED, "revision 5 failed on 2026-11-21 12:00 UTC; none is deployed"),
        (
            "pending-upgrade",
            4,
            Severity.REQUIRED,
            "revision 5 has been pending-upgrade since 2026-11-21 12:00 UTC; revision 4 is deployed",
        ),
        (
            "pending-install",
            None,
            Severity.REQUIRED,
            "revision 5 has been pending-install since 2026-11-21 12:00 UTC; none is deployed",
        ),
    ],
)
def test_a_release_that_failed_or_hangs_is_found(
    status: str, deployed: int | None, severity: Severity, detail: str
) -> None:
    (item,) = found(status, deployed)
    assert (item.severity, [seen.detail for seen in item.evidence]) == (severity, [detail])
    assert str(item.subject) == "coredns/apps/dns: helm release apps/dns"


@pytest.mark.parametrize("status", ["deployed", "superseded", "uninstalled", "unknown", ""])
def test_any_other_is_at_rest(status: str) -> None:
    assert found(status) == []


def test_one_that_began_within_the_hour_may_be_under_way() -> None:
    assert found("pending-upgrade", release={"updated": NOW - timedelta(minutes=59)}) == []
    assert found("pending-upgrade", release={"updated": NOW - timedelta(minutes=61)}) != []
    assert found("pending-upgrade", release={"updated": None}) != [], "when is not said"


def test_what_flux_keeps_is_left_to_its_own_status() -> None:
    kept = model.FluxHelmRelease(name="dns", namespace="flux-system", release="dns", target_namespace="apps")
    assert found("failed", flux_helm_releases=(kept,)) == []


def test_it_goes_back_to_what_is_deployed_and_only_there() -> None:
    (item,) = found("pending-upgrade")
    assert fix_text(item).splitlines() == [
        "# says what went wrong:",
        "helm history dns -n apps",
        "# back to what is deployed; then upgrade again:",
        "helm rollback dns 4 -n apps",
    ]
    for status, deployed in (("failed", None), ("uninstalling", 4)):
        (item,) = found(status, deployed)
        assert "rollback" not in fix_text(item)
