"""The capabilities joined: what one of them finds counts where another one judges."""

from dataclasses import replace
from typing import Any

from addonctl import model
from addonctl.assessment import Assessment, assess, of_health
from addonctl.inventory import take_inventory
from addonctl.model import Health, View
from tests.builders import DAY, small_catalog, snapshot, workload

CATALOG = small_catalog()
MANAGER = workload(
    "cert-manager", "jetstack/cert-manager-controller:v1.20.3", desired=1, available=1, ready=1, updated=1, total=1
)
WITH_ACCOUNT = replace(MANAGER, template=replace(MANAGER.template, service_account="cert-manager"))

ACCOUNT = model.ServiceAccount(name="cert-manager", namespace="apps")
RULE = model.PolicyRule(groups=("cert-manager.io",), resources=("certificates",), verbs=("list",))
ROLE = model.Role(name="cert-manager", namespace="apps", rules=(RULE,))
BINDING = model.RoleBinding(name="cert-manager", namespace="apps", role=ROLE.ref, subjects=(ACCOUNT.ref,))


def assessed(**parts: Any) -> Assessment:
    view = View(snapshot(**parts))
    return assess(view, take_inventory(view, CATALOG), CATALOG, day=DAY)


def test_an_account_that_is_missing_lowers_the_score_of_its_addon() -> None:
    whole = assessed(workloads=(WITH_ACCOUNT,), service_accounts=(ACCOUNT,), roles=(ROLE,), role_bindings=(BINDING,))
    assert [each.health.score for each in whole.addons] == [100]
    torn = assessed(workloads=(WITH_ACCOUNT,), roles=(ROLE,), role_bindings=(BINDING,))
    assert [found.code for found in torn.about(of_health).findings] == ["DEP003"]
    (addon,) = torn.addons
    assert (addon.health.health, addon.health.score) == (Health.DEGRADED, 49)
