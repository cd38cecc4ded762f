"""A role that lacks what the version needs is found, whatever else grants it; and nothing where that is not known."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import NeededRight
from addonctl.causes import linked
from addonctl.dependencies import find_dangling, find_dependencies
from addonctl.findings import finding
from addonctl.inventory import take_inventory
from addonctl.model import Finding, ObjectRef, PolicyRule, Severity, View
from addonctl.render.commands import fix_text
from addonctl.versions import VersionRange
from tests.builders import small_catalog, snapshot, workload

SLICES = NeededRight(
    versions=VersionRange.of("1.8.3+"),
    group="discovery.k8s.io",
    resource="endpointslices",
    verbs=("list", "watch"),
    beside="endpoints",
    source="issue 1",
)
ENTRY = replace(small_catalog().addons["coredns"], rights=(SLICES,))
KNOWN = replace(small_catalog(), addons={**small_catalog().addons, "coredns": ENTRY})
_DNS = workload("dns", "coredns/coredns:v1.12.4")
DNS = replace(_DNS, template=replace(_DNS.template, service_account="dns"))
ACCOUNT = model.ServiceAccount(name="dns", namespace="apps")
OLD = PolicyRule(groups=("",), resources=("endpoints", "services"), verbs=("list", "watch"))
NEW = PolicyRule(groups=("discovery.k8s.io",), resources=("endpointslices",), verbs=("list", "watch"))


def found(*rules: PolicyRule, version: str = "v1.12.4", group: str = "", **parts: Any) -> list[Finding]:
    subject = ObjectRef(kind="Group", name=group) if group else ObjectRef.of("ServiceAccount", "dns", "apps")
    role = model.Role(name="dns", rules=rules)
    bindings = [model.RoleBinding(name="dns", role=role.ref, subjects=(ObjectRef.of("ServiceAccount", "dns", "apps"),))]
    if group:
        more = model.Role(name="more", rules=(NEW,))
        bindings.append(model.RoleBinding(name="more", role=more.ref, subjects=(subject,)))
        parts["roles"] = (role, more)
    runs = replace(
        DNS, template=replace(DNS.template, containers=(model.Container(name="c", image=f"coredns/coredns:{version}"),))
    )
    given = {"roles": (role,), "role_bindings": tuple(bindings), "service_accounts": (ACCOUNT,)} | parts
    view = View(snapshot(workloads=(runs,), **given))
    inventory = take_inventory(view, KNOWN)
    graph = find_dependencies(view, inventory, KNOWN)
    return [item for item in find_dangling(view, inventory, KNOWN, graph.edges, graph.owners) if item.code == "DEP005"]


def test_a_role_of_an_older_version_lacks_what_the_newer_needs() -> None:
    (item,) = found(OLD)
    assert (str(item.subject), item.severity) == ("ServiceAccount/apps/dns", Severity.REQUIRED)
    assert "list, watch endpointslices.discovery.k8s.io, needed by" in item.evidence[0].detail
    assert "clusterrole" in fix_text(item)


@pytest.mark.parametrize(
    "rule",
    [NEW, PolicyRule(groups=("*",), resources=("*",), verbs=("*",)), replace(NEW, verbs=("get", "list", "watch"))],
)
def test_whatever_grants_it_is_enough(rule: PolicyRule) -> None:
    assert found(OLD, rule) == []


def test_a_group_of_the_account_may_grant_it_and_names_do_not() -> None:
    assert found(OLD, group="system:serviceaccounts:apps") == []
    assert len(found(OLD, group="system:serviceaccounts:other")) == 1
    assert len(found(OLD, replace(NEW, names=("one",)))) == 1
    assert len(found(OLD, replace(NEW, verbs=("list",)))) == 1


def test_a_role_with_neither_may_be_one_of_several() -> None:
    assert found(replace(OLD, resources=("services",))) == []


def test_nothing_is_said_of_an_older_version_or_where_roles_were_not_read() -> None:
    assert found(OLD, version="v1.8.0") == []
    gap = model.Gap(part="roles", reason=model.GapReason.FORBIDDEN, detail="403")
    assert found(OLD, gaps=(gap,)) == []
    assert found(OLD, role_bindings=()) == []


def test_what_a_workload_may_not_do_is_why_it_crashes() -> None:
    (item,) = found(OLD)
    crashing = finding("HLT001", DNS.ref)
    assert linked((crashing, item))[0].cause == item.id
