"""The capabilities joined: what one of them finds counts where another one judges."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl import model
from addonctl.assessment import Assessment, new_since, of_health, troubles
from addonctl.errors import BadInput
from addonctl.model import Health, ObjectRef, Severity
from tests import judging
from tests.builders import small_catalog, snapshot, workload

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
    return judging.assessed(snapshot(**parts), CATALOG)


def test_an_account_that_is_missing_lowers_the_score_of_its_addon() -> None:
    whole = assessed(workloads=(WITH_ACCOUNT,), service_accounts=(ACCOUNT,), roles=(ROLE,), role_bindings=(BINDING,))
    assert [each.health.score for each in whole.addons] == [100]
    torn = assessed(workloads=(WITH_ACCOUNT,), roles=(ROLE,), role_bindings=(BINDING,))
    assert [found.code for found in torn.about(of_health).findings] == ["DEP003"]
    (addon,) = torn.addons
    assert (addon.health.health, addon.health.score) == (Health.DEGRADED, 49)


# ── Troubles, which turn an update back ─────────────────────────────────────────────────────────────────────────────


def test_each_node_is_a_trouble_of_its_own_and_what_follows_from_it_is_its_too() -> None:
    down = model.Condition(type="Ready", status="Unknown", reason="NodeStatusUnknown", message="")
    nodes = tuple(model.Node(name=name, conditions=(down,)) for name in "ab")
    short = replace(MANAGER, desired=2, available=0)
    owners = (ObjectRef(kind="ReplicaSet", name="cert-manager-5d78", namespace="apps", group="apps"),)
    pods = tuple(model.Pod(name=f"m-{at}", namespace="apps", node=at, owners=owners) for at in "ab")
    found = troubles(assessed(workloads=(short,), nodes=nodes, pods=pods))
    assert [(each.code, each.subject, each.nodes) for each in found] == [
        ("HLT021", "Node/a", ("a",)),
        ("HLT021", "Node/b", ("b",)),
        ("HLT005", "Deployment/apps/cert-manager", ("a", "b")),
    ]
    (alone,) = troubles(assessed(workloads=(short,)))
    assert (alone.code, alone.nodes) == ("HLT005", ())


# ── Since an older snapshot ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_became_more_severe_is_new() -> None:
    """One of two pods, then none: the finding was there, and is now required."""
    before = assessed(workloads=(replace(MANAGER, desired=2, available=1),))
    after = assessed(workloads=(replace(MANAGER, desired=2, available=0),))
    assert [(item.code, item.severity) for item in new_since(after, before).findings] == [("HLT005", Severity.REQUIRED)]
    assert new_since(before, after).findings == (), "less severe is not new"
    assert new_since(after, after).findings == ()


def test_the_older_snapshot_has_to_be_of_the_same_cluster() -> None:
    other = assessed(cluster=model.Cluster(name="dev"))
    with pytest.raises(BadInput, match="of cluster 'dev', not of 'prod-eu-1'"):
        new_since(assessed(), other)
