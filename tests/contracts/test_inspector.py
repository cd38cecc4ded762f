"""ports.Inspector on its real side: a live cluster, read over a real API server and EKS's API on loopback."""

import json
from collections.abc import Iterator

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.sources.live import LiveCluster
from addonctl.catalog import Catalog
from addonctl.model import Cluster, Eks, EksCluster, Note, ObjectRef, View, owners
from addonctl.model.plan import Plan, Step
from addonctl.model.preflight import Fact, ForeignField, StepFacts, Violation
from addonctl.versions import Version
from tests.builders import NOW, snapshot
from tests.contracts.conftest import Api
from tests.eks.conftest import aws as aws_server
from tests.eks.conftest import eks as eks_server
from tests.eks.server import REGION, EksServer

aws, eks = aws_server, eks_server
OLD, NEW = "v1.12.4-eksbuild.18", "v1.13.2-eksbuild.21"
CONTEXT = f"arn:aws:eks:{REGION}:123456789012:cluster/prod-eu-1"


@pytest.fixture
def dns(api: Api) -> Iterator[ObjectRef]:
    """A Deployment that EKS applied, that a person edited, and that a controller scales."""
    objects = api.objects()
    ref = ObjectRef.of("Deployment", "inspected-dns", "default")
    labels = {"app": ref.name}
    container = {"name": "coredns", "image": "coredns/coredns:1.12.4"}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    named = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": ref.name, "namespace": ref.namespace}}
    objects.apply({**named, "spec": spec}, manager="eks")
    edited = {"template": {"spec": {"containers": [{"name": "coredns", "env": [{"name": "GOGC", "value": "50"}]}]}}}
    objects.apply({**named, "spec": edited}, manager="kubectl-edit")
    objects.apply({**named, "spec": {"replicas": 3}}, manager="kube-controller-manager", force=True)
    yield ref
    objects.delete(ref)


def facts(api: Api, catalog: Catalog, step: Step) -> StepFacts:
    source = LiveCluster(catalog, SystemClock(), kubeconfig=str(api.kubeconfig))
    of_eks = Eks(cluster=EksCluster(name="prod-eu-1"))
    view = View(snapshot(cluster=Cluster(name="prod-eu-1", context=CONTEXT), eks=of_eks))
    return source.facts(view, Plan(cluster="prod-eu-1", kubernetes=None, made=NOW, goal="", steps=(step,)))["1"]


def step(*objects: ObjectRef) -> Step:
    return Step(
        id="1",
        installation="coredns/default/inspected-dns",
        addon="coredns",
        owner=owners.EksAddon("coredns"),
        from_version=Version.of(OLD),
        to_version=Version.of(NEW),
        do=(),
        undo=(Note("back"),),
        objects=objects,
    )


def test_all_that_a_step_needs_is_read(api: Api, eks: EksServer, catalog: Catalog, dns: ObjectRef) -> None:
    eks.create_cluster("prod-eu-1", "1.34")
    eks.state.schemas["coredns", NEW] = json.dumps({"properties": {"replicaCount": {"type": "integer"}}})
    values = '{"replicaCount": "hunter2"}'
    eks.client("eks").create_addon(
        clusterName="prod-eu-1", addonName="coredns", addonVersion=OLD, configurationValues=values
    )
    read = facts(api, catalog, step(dns))
    assert read.configuration == {NEW: (Violation("replicaCount", "must be integer"),), OLD: ()}
    assert {(each.ref, each.manager) for each in read.fields or ()} == {(dns, "kubectl-edit")}
    assert ForeignField(dns, "kubectl-edit", "spec.template.spec.containers[coredns].env[GOGC].value") in (
        read.fields or ()
    )
    assert read.unread == {}
    assert "hunter2" not in repr(read)


def test_a_missing_permission_is_the_reason(api: Api, eks: EksServer, catalog: Catalog, dns: ObjectRef) -> None:
    eks.create_cluster("prod-eu-1", "1.34")
    eks.client("eks").create_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion=OLD)
    eks.state.denied = {"DescribeAddonConfiguration"}
    read = facts(api, catalog, step(dns))
    assert read.configuration is None
    assert "eks:DescribeAddonConfiguration" in read.unread[Fact.CONFIGURATION]
    assert read.fields


def test_what_is_gone_has_no_fields(api: Api, eks: EksServer, catalog: Catalog) -> None:
    eks.create_cluster("prod-eu-1", "1.34")
    eks.client("eks").create_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion=OLD)
    assert facts(api, catalog, step(ObjectRef.of("Deployment", "nothing", "default"))).fields == ()
