"""What is read for the steps of a plan: from simulated objects and a simulated EKS, through the ports."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from addonctl.adapters.rights import UPDATE_RULES
from addonctl.adapters.schemas import JsonSchemas
from addonctl.catalog.calendar import plural
from addonctl.errors import Forbidden, NotFound, NotServed
from addonctl.inspection import Inspection, foreign_fields
from addonctl.model import Note, ObjectRef, live, owners
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.configuration import ConfigurationChange
from addonctl.model.manifests import ManifestSet
from addonctl.model.plan import Plan, Rollout, Step, Target
from addonctl.model.preflight import Fact, ForeignField, StepFacts, Violation
from addonctl.rights import needed
from addonctl.sim.checkpoints import SimCheckpoints
from addonctl.sim.eks import Pace, SimEks, SimEksAddons
from addonctl.sim.store import Store
from addonctl.sim.weather import Call, Calm
from addonctl.sim.world import World
from addonctl.versions import Minor, Version
from tests.builders import NOW

OLD, NEW = "v1.12.1-eksbuild.1", "v1.12.4-eksbuild.3"
DNS = ObjectRef.of("Deployment", "coredns", "kube-system")
CRD = ObjectRef.of("CustomResourceDefinition", "zones.dns.io")
STEP = Step(
    id="1",
    installation="coredns/kube-system/coredns",
    addon="coredns",
    owner=owners.EksAddon("coredns"),
    from_version=Version.of(OLD),
    to_version=Version.of(NEW),
    do=(),
    undo=(),
    irreversible="nobody knows how",
    kubernetes=Minor.of("1.34"),
    objects=(DNS, CRD),
)


class Objects:
    """A server that answers with what it was given."""

    def __init__(self, *documents: Mapping[str, Any], error: Exception | None = None) -> None:
        self._objects = {live.Object(each).ref: live.Object(each) for each in documents}
        self._error = error
        self.asked: list[live.Right] = []
        self.forbidden: set[tuple[str, str, str]] = set()

    def get(self, ref: ObjectRef, version: str = "") -> live.Object:
        if self._error is not None:
            raise self._error
        if ref not in self._objects:
            raise NotFound(f"{ref} is not there")
        return self._objects[ref]

    def list(self, *_: Any) -> Any:
        raise AssertionError("only single objects are read")

    def allowed(self, right: live.Right) -> bool:
        if self._error is not None:
            raise self._error
        self.asked.append(right)
        if right.ref.kind == "Wall":
            raise NotServed("its kind comes with the manifests")
        return (right.verb, right.ref.kind, right.ref.name or right.subresource) not in self.forbidden

    watch = list


class Closed(Calm):
    def before(self, call: Call) -> None:
        if call.verb == "DescribeAddonConfiguration":
            raise Forbidden("not authorized to perform: eks:DescribeAddonConfiguration")


def deployment(*managed: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": "coredns", "namespace": "kube-system", "managedFields": list(managed)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


CRD_DOCUMENT = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "zones.dns.io"},
    "status": {"storedVersions": ["v1alpha1", "v1"]},
}


def eks(configuration: str, **schemas: Mapping[str, Any]) -> SimEks:
    versions = {("coredns", version): (lambda _: ()) for version in (OLD, NEW)}
    made = SimEks(Store(World(7)), versions, Pace(apply_s=0, delete_s=0, late_s=0))
    made.schemas |= {("coredns", {"old": OLD, "new": NEW}[name]): json.dumps(of) for name, of in schemas.items()}
    SimEksAddons(made).create(
        "coredns",
        version=OLD,
        role_arn="",
        identities=(),
        configuration=configuration,
        resolve_conflicts=live.ResolveConflicts.NONE,
        namespace="",
        token="t",
    )
    return made


def read(step: Step = STEP, objects: Any = None, addons: SimEksAddons | None = None) -> StepFacts:
    plan = Plan(cluster="prod-eu-1", kubernetes=None, made=NOW, goal="", steps=(step,))
    reader = objects or Objects(deployment(), CRD_DOCUMENT)
    return Inspection(reader, JsonSchemas(), addons or SimEksAddons(eks("{}"))).facts(plan)["1"]


NUMBERS = {"properties": {"replicaCount": {"type": "integer"}}}
WORDS = {"properties": {"replicaCount": {"type": "string"}}}


def test_the_configuration_is_held_against_both_ends_of_the_step() -> None:
    two_ways = replace(STEP, irreversible="", undo=(Note("as it was"),))
    facts = read(two_ways, addons=SimEksAddons(eks('{"replicaCount": "hunter2"}', new=NUMBERS, old=WORDS)))
    assert facts.configuration == {NEW: (Violation("replicaCount", "must be integer"),), OLD: ()}
    assert "hunter2" not in repr(facts)


def test_where_there_is_no_way_back_only_the_target_counts() -> None:
    assert read().configuration == {NEW: ()}


def configured(to: str, goal: str) -> Mapping[str, tuple[Violation, ...]] | None:
    """What is found of a step to a version and a configuration; at present it is `{"replicaCount": 2}`."""
    store = SimCheckpoints()
    addon = live.Addon(name="coredns", status="ACTIVE", version=to, configuration=goal)
    entry = store.save(
        Checkpoint(cluster="c", installation="i", addon="coredns", taken=NOW, owner=STEP.owner, eks=addon)
    )
    change = ConfigurationChange(changes=(), was="none", goal=entry.id)
    step = replace(STEP, to_version=Version.of(to), irreversible="", undo=(Note("back"),), configuration=change)
    plan = Plan(cluster="prod-eu-1", kubernetes=None, made=NOW, goal="", steps=(step,))
    addons = SimEksAddons(eks('{"replicaCount": 2}', new=WORDS, old=NUMBERS))
    reader = Objects(deployment(), CRD_DOCUMENT)
    return Inspection(reader, JsonSchemas(), addons, lambda: store).facts(plan)["1"].configuration


def test_another_configuration_is_held_against_the_target_and_the_present_one_against_the_way_back() -> None:
    assert configured(NEW, '{"replicaCount": "three"}') == {NEW: (), OLD: ()}
    assert configured(NEW, '{"replicaCount": 3}') == {NEW: (Violation("replicaCount", "must be string"),), OLD: ()}


def test_where_the_version_stays_the_new_configuration_counts() -> None:
    assert configured(OLD, '{"replicaCount": "three"}') == {OLD: (Violation("replicaCount", "must be integer"),)}
    assert configured(OLD, '{"replicaCount": 3}') == {OLD: ()}


def test_a_version_that_eks_does_not_know_is_unread_with_the_reason() -> None:
    unknown = replace(STEP, to_version=Version.of("v9.9.9-eksbuild.1"))
    facts = read(unknown)
    assert facts.configuration == {}
    assert "v9.9.9" in facts.unread[Fact.CONFIGURATION]


def test_what_may_not_be_read_is_none_and_not_nothing() -> None:
    facts = read(objects=Objects(error=Forbidden("deployments is forbidden")), addons=SimEksAddons(eks("{}"), Closed()))
    assert (facts.configuration, facts.fields, facts.stored_versions) == (None, None, None)
    assert facts.unread[Fact.FIELDS] == facts.unread[Fact.STORED_VERSIONS] == "deployments is forbidden"
    assert "DescribeAddonConfiguration" in facts.unread[Fact.CONFIGURATION]


def test_without_aws_the_configuration_is_unread() -> None:
    plan = Plan(cluster="c", kubernetes=None, made=NOW, goal="", steps=(STEP,))
    facts = Inspection(Objects(deployment(), CRD_DOCUMENT), JsonSchemas()).facts(plan)["1"]
    assert facts.configuration is None
    assert facts.unread[Fact.CONFIGURATION] == "AWS was not asked"


def test_helm_has_no_schema_at_eks() -> None:
    facts = read(replace(STEP, owner=owners.HelmRelease("kube-system", "coredns")))
    assert facts.configuration is None
    assert facts.unread == {}


def test_stored_versions_are_those_of_now() -> None:
    assert read().stored_versions == {"zones.dns.io": ("v1alpha1", "v1")}
    assert read(objects=Objects(deployment())).stored_versions == {}


# ── Rights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def rolled(kind: str, rollout: Rollout) -> Target:
    return Target(ref=ObjectRef.of(kind, f"a-{kind.lower()}", "kube-system"), rollout=rollout, instances=2)


ROLLED = (
    rolled("Deployment", Rollout.SURGE),
    rolled("StatefulSet", Rollout.ONE_BY_ONE),
    rolled("DaemonSet", Rollout.NODE_BY_NODE),
)
APPLICATION = owners.ArgoApplication("argocd", "coredns")
KEPT_BY = (owners.EksAddon("coredns"), owners.HelmRelease("kube-system", "coredns"), APPLICATION)


@pytest.mark.parametrize("owner", [*KEPT_BY, owners.FluxHelmRelease("flux-system", "coredns")], ids=str)
def test_what_is_asked_for_is_what_the_role_for_updates_grants(owner: owners.Owner) -> None:
    for right in needed(replace(STEP, owner=owner, targets=ROLLED)):
        of = plural(right.ref.kind) + (f"/{right.subresource}" if right.subresource else "")
        assert any(
            right.ref.group in rule["apiGroups"] and of in rule["resources"] and right.verb in rule["verbs"]
            for rule in UPDATE_RULES
        ), right


def test_rights_that_are_missing_are_told_and_each_is_asked_for_once() -> None:
    objects = Objects(deployment(), CRD_DOCUMENT)
    objects.forbidden = {("patch", "Pod", "status"), ("delete", "Lease", "")}
    facts = read(replace(STEP, targets=ROLLED), objects)
    assert {(each.verb, each.ref.kind, each.subresource) for each in facts.lacking or ()} == {
        ("delete", "Lease", ""),
        ("patch", "Pod", "status"),
    }
    assert len(set(objects.asked)) == len(objects.asked)


def test_a_right_to_one_object_is_enough_for_it() -> None:
    objects = Objects(deployment(), CRD_DOCUMENT)
    objects.forbidden = {("patch", "Deployment", "")}
    assert read(replace(STEP, targets=ROLLED), objects).lacking == ()
    objects.forbidden.add(("patch", "Deployment", "a-deployment"))
    assert [each.ref.name for each in read(replace(STEP, targets=ROLLED), objects).lacking or ()] == ["a-deployment"]


def test_manifests_take_a_right_to_each_kind_and_what_is_not_served_yet_is_not_asked_for() -> None:
    objects = Objects(deployment(), CRD_DOCUMENT)
    objects.forbidden = {("create", "ClusterRole", ""), ("delete", "ClusterRole", ""), ("delete", "ClusterRole", "two")}
    objects.forbidden |= {("delete", "Service", ""), ("delete", "Service", "gone")}
    refs = (ObjectRef.of("ClusterRole", "one"), ObjectRef.of("ClusterRole", "two"), ObjectRef.of("Wall", "new"))
    given = ManifestSet(path="p", sha256="s", objects=refs, gone=(ObjectRef.of("Service", "gone", "kube-system"),))
    lacking = read(replace(STEP, manifests=given), objects).lacking or ()
    assert {(each.verb, each.ref.kind, each.ref.name) for each in lacking} == {
        ("create", "ClusterRole", ""),
        ("delete", "ClusterRole", "two"),
        ("delete", "Service", "gone"),
    }


def test_what_is_deleted_takes_no_right_to_its_workloads() -> None:
    assert {each.ref.kind for each in needed(replace(STEP, targets=ROLLED, removes=True))} == {"Lease"}


# ── Whose the fields are ────────────────────────────────────────────────────────────────────────────────────────────


def entry(manager: str, fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}


REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
IMAGE: dict[str, Any] = {"f:spec": {"f:containers": {'k:{"name":"coredns"}': {".": {}, "f:image": {}}}}}
EKS = owners.EksAddon("coredns")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("eks", REPLICAS)], []),
        ([entry("kubectl-edit", REPLICAS)], [("kubectl-edit", "spec.replicas")]),
        ([entry("kubectl-edit", IMAGE)], [("kubectl-edit", "spec.containers[coredns].image")]),
        ([entry("keda", REPLICAS)], []),
        ([entry("keda", REPLICAS), entry("eks", REPLICAS)], [("keda", "spec.replicas")]),
        ([entry("kube-controller-manager", REPLICAS), entry("eks", REPLICAS)], []),
        ([entry(live.FIELD_MANAGER, REPLICAS), entry("eks", REPLICAS)], []),
        ([entry("before-first-apply", REPLICAS), entry("eks", REPLICAS)], []),
        ([entry("kubectl-edit", {"f:status": {"f:replicas": {}}})], []),
        ([entry("kubectl-edit", {"f:metadata": {"f:labels": {"f:team": {}}}})], []),
        ([entry("kubectl-edit", REPLICAS, subresource="scale")], []),
        ([entry("kubectl-rollout", {"f:spec": {"f:kubectl.kubernetes.io/restartedAt": {}}})], []),
        (
            [entry("kubectl-edit", {"f:spec": {"f:finalizers": {'v:"hunter2"': {}}}})],
            [("kubectl-edit", "spec.finalizers[*]")],
        ),
        ([entry("kubectl-edit", {})], []),
    ],
)
def test_what_others_set(entries: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    assert list(foreign_fields(entries, EKS)) == expected


def test_who_applied_the_manifests_is_no_stranger() -> None:
    entries = [entry("kubectl-client-side-apply", REPLICAS), entry("kubectl-edit", IMAGE)]
    theirs = list(foreign_fields(entries, owners.Manifest("kubectl-client-side-apply")))
    assert [manager for manager, _ in theirs] == ["kubectl-edit"]


def test_fields_are_told_with_their_object() -> None:
    facts = read(objects=Objects(deployment(entry("kubectl-edit", REPLICAS)), CRD_DOCUMENT))
    assert facts.fields == (ForeignField(DNS, "kubectl-edit", "spec.replicas"),)
