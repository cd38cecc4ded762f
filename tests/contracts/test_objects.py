"""The contract of ports.ObjectReader and ports.ObjectWriter, over a real API server and over the simulated one.

Each test has a namespace of its own.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from addonctl import ports
from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.api_protocol import ApiConnection
from addonctl.errors import (
    AddonctlError,
    BadInput,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotServed,
    TimedOut,
    TooManyRequests,
)
from addonctl.model import ObjectRef, live
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import World
from tests.contracts.conftest import Api

CONFIG_MAPS, SECRETS = live.Kind("", "ConfigMap"), live.Kind("", "Secret")
CRD_GROUP = "apiextensions.k8s.io"
_numbers = itertools.count()
T = TypeVar("T")


@dataclass(frozen=True)
class Side:
    """The ports, and a namespace that nobody else uses. `forget` makes the server drop its past up to a listing.

    `bare`: no controller acts on what is stored. `store` is what a simulated side stands on.
    """

    reader: ports.ObjectReader
    writer: ports.ObjectWriter
    noting: ports.ObjectWriter  # notes run-7 on what it writes
    namespace: str
    forget: Callable[[live.Listing], None] | None = None
    bare: bool = True
    session_s: float = 5  # longer than a watch goes on without a new request
    store: Store | None = None

    def ref(self, name: str, kind: str = "ConfigMap") -> ObjectRef:
        return ObjectRef(kind=kind, name=name, namespace=self.namespace)

    def config_map(self, name: str = "one", **data: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace, "labels": {"app": name}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def names(self, labels: str = "") -> list[str]:
        return [found.ref.name for found in self.reader.list(CONFIG_MAPS, self.namespace, labels)]


SIDES = ("API server", "simulated")
REAL = pytest.mark.parametrize("side", SIDES[:1], indirect=True)


def real_side(api: Api) -> Iterator[Side]:
    objects, compact = api.objects(), api.compact
    name = f"contract-{int(time.time())}-{next(_numbers)}"
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    forget = (lambda listing: compact(listing.resource_version)) if compact else None
    yield Side(objects, objects, api.objects("run-7"), name, forget, bare=compact is not None)
    for kind in (CONFIG_MAPS, SECRETS, live.Kind("", "Pod")):
        for left in objects.list(kind, name):
            objects.delete(left.ref)
    objects.delete(ObjectRef(kind="Namespace", name=name))


def simulated_side() -> Side:
    """A world without controllers. While a watch waits, in a thread of its own, a minute passes in a quarter second."""
    world = World(7)
    store = Store(world)

    def wait() -> bool:
        time.sleep(0.002)
        world.advance(0.5)
        return True

    objects = SimObjects(store, idle=wait)
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "contract"}})
    return Side(
        objects,
        objects,
        SimObjects(store, "run-7"),
        "contract",
        lambda listing: store.compact(int(listing.resource_version)),
        session_s=0,
        store=store,
    )


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "simulated":
        yield simulated_side()
    else:
        yield from real_side(request.getfixturevalue("api"))


# ── Rights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_may_do_everything_is_told_so(side: Side) -> None:
    for right in (
        live.Right("patch", side.ref("")),
        live.Right("create", side.ref("", "Pod"), "eviction"),
        live.Right("delete", ObjectRef.of("Namespace", "any")),
    ):
        assert side.reader.allowed(right)
    with pytest.raises(NotServed):
        side.reader.allowed(live.Right("patch", ObjectRef(kind="Wall", name="", namespace="", group="example.com")))


@REAL
def test_who_has_some_rights_is_told_which(side: Side, api: Api, tmp_path: Path) -> None:
    rbac = "rbac.authorization.k8s.io"
    named = {"metadata": {"name": "some", "namespace": side.namespace}, "apiVersion": f"{rbac}/v1"}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"], "resourceNames": ["one"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    ]
    who = [{"kind": "User", "name": "guest", "apiGroup": rbac}]
    side.writer.apply({**named, "kind": "Role", "rules": rules})
    role = {"apiGroup": rbac, "kind": "Role", "name": "some"}
    side.writer.apply({**named, "kind": "RoleBinding", "roleRef": role, "subjects": who})
    (tmp_path / "guest").write_text(api.kubeconfig.read_text().replace('"token": "admin"', '"token": "guest"'))
    guest = ApiObjects(connect(None, str(tmp_path / "guest")))
    wait_until(lambda: guest.allowed(live.Right("patch", side.ref("one"))))
    assert guest.allowed(live.Right("create", side.ref("", "Pod"), "eviction"))
    assert not guest.allowed(live.Right("patch", side.ref("")))
    assert not guest.allowed(live.Right("patch", side.ref("two")))
    assert not guest.allowed(live.Right("delete", side.ref("one")))
    assert not guest.allowed(live.Right("create", side.ref("", "Pod")))


def wait_until(so: Callable[[], bool]) -> None:
    """RBAC is heard of within a moment."""
    until = time.monotonic() + 10
    while True:
        with suppress(Forbidden):
            if so():
                return
        assert time.monotonic() < until
        time.sleep(0.1)


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_object_is_read_to_the_letter(side: Side) -> None:
    wanted = side.config_map(text="ein Weg\n\u0000\ttab", empty="")
    written = side.writer.apply(wanted | {"binaryData": {"b": "AAEC"}})
    found = side.reader.get(side.ref("one"))
    assert found.document["data"] == wanted["data"]
    assert found.document["binaryData"] == {"b": "AAEC"}
    assert (found.ref, found.uid, found.resource_version) == (written.ref, written.uid, written.resource_version)
    assert found.metadata["managedFields"], "nothing is left out"
    assert live.normalised(found.document) == {**wanted, "binaryData": {"b": "AAEC"}}
    assert "ein Weg" not in repr(found)


def test_an_object_in_an_older_version_of_its_api(side: Side) -> None:
    role = ObjectRef(kind="HorizontalPodAutoscaler", name="one", namespace=side.namespace, group="autoscaling")
    target = {"kind": "Deployment", "name": "one", "apiVersion": "apps/v1"}
    side.writer.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "one", "namespace": side.namespace},
            "spec": {"scaleTargetRef": target, "maxReplicas": 3},
        }
    )
    assert side.reader.get(role).document["apiVersion"] == "autoscaling/v2"
    assert side.reader.get(role, "v1").document["apiVersion"] == "autoscaling/v1"


def test_what_is_not_there(side: Side) -> None:
    with pytest.raises(NotFound) as error:
        side.reader.get(side.ref("none"))
    assert error.value.retry_after_s is None
    for group, kind in (("", "Nothing"), ("nothing.example.org", "Thing"), ("apps", "Thing")):
        with pytest.raises(NotServed):
            side.reader.get(ObjectRef(kind=kind, name="x", namespace=side.namespace, group=group))
        with pytest.raises(NotServed):
            side.reader.list(live.Kind(group, kind))
    with pytest.raises(NotServed):
        side.reader.get(side.ref("one"), "v9")


def test_an_object_has_to_be_named(side: Side) -> None:
    with pytest.raises(BadInput, match="no namespace"):
        side.reader.get(ObjectRef(kind="ConfigMap", name="x"))
    with pytest.raises(BadInput, match="no name"):
        side.writer.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default"}})


def test_lists_are_whole(side: Side) -> None:
    for name in ("a", "b", "c"):
        side.writer.apply(side.config_map(name, x="1"))
    listing = side.reader.list(CONFIG_MAPS, side.namespace)
    assert side.names() == ["a", "b", "c"]
    assert side.names("app in (a,c)") == ["a", "c"]
    assert listing.resource_version
    assert [found.ref.kind for found in listing] == ["ConfigMap"] * 3
    assert listing.objects[0] == side.reader.get(side.ref("a"))
    everywhere = side.reader.list(CONFIG_MAPS)
    assert all(found in everywhere.objects for found in listing)


@REAL
def test_a_list_of_many_pages(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addonctl.adapters.api_objects._PAGE", 2)
    for name in "abcde":
        side.writer.apply(side.config_map(name))
    assert side.names() == list("abcde")


# ── Apply ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_applying_twice_changes_nothing(side: Side) -> None:
    first = side.writer.apply(side.config_map(a="1"))
    second = side.writer.apply(side.config_map(a="1"))
    assert first.resource_version == second.resource_version


def test_what_is_applied_no_more_goes(side: Side) -> None:
    side.writer.apply(side.config_map(a="1", b="2"))
    assert side.writer.apply(side.config_map(b="2")).document["data"] == {"b": "2"}


def test_a_field_of_somebody_else_is_a_conflict(side: Side) -> None:
    side.writer.apply(side.config_map(a="1", b="1"), manager="argocd")
    with pytest.raises(Conflict) as error:
        side.writer.apply(side.config_map(a="2", b="1"))
    assert error.value.retry_after_s is None
    assert [cause.field for cause in error.value.causes] == [".data.a"]
    assert 'conflict with "argocd"' in error.value.causes[0].message
    assert side.reader.get(side.ref("one")).document["data"] == {"a": "1", "b": "1"}
    forced = side.writer.apply(side.config_map(a="2", b="1"), force=True)
    assert forced.document["data"] == {"a": "2", "b": "1"}


def test_an_apply_may_ask_for_the_object_that_was_read(side: Side) -> None:
    read = side.writer.apply(side.config_map(a="1"))
    side.writer.patch(read.ref, {"data": {"b": "2"}})
    stale = side.config_map(a="2")
    stale["metadata"]["resourceVersion"] = read.resource_version
    with pytest.raises(Conflict):
        side.writer.apply(stale)


def test_what_is_refused_is_invalid_and_names_the_field(side: Side) -> None:
    with pytest.raises(Invalid) as error:
        side.writer.apply(side.config_map(**{"not a key": "1"}))
    assert any("data" in cause.field for cause in error.value.causes)
    with pytest.raises(Invalid):
        side.writer.apply(side.config_map() | {"unknown": 1})
    with pytest.raises(NotServed):
        side.writer.apply(side.config_map() | {"apiVersion": "v9"})
    elsewhere = side.config_map()
    elsewhere["metadata"]["namespace"] = "there-is-none"
    with pytest.raises(NotFound):
        side.writer.apply(elsewhere)


# ── Patch ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_merge_patch_sets_and_removes(side: Side) -> None:
    side.writer.apply(side.config_map(a="1", b="1"))
    found = side.writer.patch(side.ref("one"), {"data": {"a": None, "c": "3"}})
    assert found.document["data"] == {"b": "1", "c": "3"}


def test_a_json_patch_may_test_first(side: Side) -> None:
    side.writer.apply(side.config_map(a="1"))
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "2"},
    ]
    found = side.writer.patch(side.ref("one"), operations, form=live.PatchForm.JSON)
    assert found.document["data"] == {"a": "2"}
    with pytest.raises(Invalid):
        side.writer.patch(side.ref("one"), operations, form=live.PatchForm.JSON)


@pytest.mark.parametrize("form", live.PatchForm)
def test_a_patch_may_ask_for_the_object_that_was_read(side: Side, form: live.PatchForm) -> None:
    def patch(value: str, **held: Any) -> live.Object:
        if form is live.PatchForm.MERGE:
            return side.writer.patch(side.ref("one"), {"data": {"a": value}}, **held)
        return side.writer.patch(
            side.ref("one"), [{"op": "add", "path": "/data/a", "value": value}], form=live.PatchForm.JSON, **held
        )

    first = side.writer.apply(side.config_map(a="1"))
    second = patch("2", uid=first.uid, resource_version=first.resource_version)
    with pytest.raises(Conflict):
        patch("3", resource_version=first.resource_version)
    with pytest.raises(Conflict):
        patch("3", uid="00000000-0000-4000-8000-000000000000")
    assert side.reader.get(side.ref("one")) == second
    assert second.document["data"] == {"a": "2"}


def owners_of(found: live.Object) -> set[tuple[str, str]]:
    return {(each["manager"], each["operation"]) for each in found.metadata["managedFields"]}


def test_what_our_patches_own_can_be_given_up(side: Side) -> None:
    """Who applies the fields owns them again, without a conflict."""
    ours = (live.FIELD_MANAGER, "Update")
    side.writer.apply(side.config_map(a="1", b="1"), manager="helm")
    side.writer.patch(side.ref("one"), {"data": {"a": "2"}})
    with pytest.raises(Conflict):
        side.writer.apply(side.config_map(a="3", b="1"), manager="helm")
    for _ in range(2):
        side.writer.disown(side.ref("one"))
        found = side.reader.get(side.ref("one"))
        assert ours not in owners_of(found)
        assert found.document["data"] == {"a": "2", "b": "1"}, "the fields stay as they are"
    applied = side.writer.apply(side.config_map(a="3", b="1"), manager="helm")
    assert (owners_of(applied), applied.document["data"]["a"]) == ({("helm", "Apply")}, "3")
    with pytest.raises(NotFound):
        side.writer.disown(side.ref("none"))


def test_whose_fields_are_can_be_put_back(side: Side) -> None:
    """With the entries of before, everything belongs to whom it belonged."""
    side.writer.apply(side.config_map(a="1", b="1"), manager="helm")
    side.writer.patch(side.ref("one"), {"data": {"b": "2"}})
    before = side.reader.get(side.ref("one"))
    side.writer.apply(side.config_map(a="3", b="3"), manager="somebody", force=True)
    body = [{"op": "add", "path": "/metadata/managedFields", "value": before.metadata["managedFields"]}]
    after = side.writer.patch(side.ref("one"), body, form=live.PatchForm.JSON)
    entries = {(each["manager"], each["operation"]): each["fieldsV1"] for each in after.metadata["managedFields"]}
    assert entries == {(m["manager"], m["operation"]): m["fieldsV1"] for m in before.metadata["managedFields"]}
    assert after.document["data"] == {"a": "3", "b": "3"}
    assert side.writer.apply(side.config_map(a="4"), manager="helm").document["data"] == {"a": "4", "b": "3"}


def test_what_belongs_to_nobody_belongs_to_who_was_there_before(side: Side) -> None:
    side.writer.apply(side.config_map(a="1"), manager="helm")
    body = [{"op": "add", "path": "/metadata/managedFields", "value": [{}]}]
    assert "managedFields" not in side.writer.patch(side.ref("one"), body, form=live.PatchForm.JSON).metadata
    with pytest.raises(Conflict) as error:
        side.writer.apply(side.config_map(a="2"))
    assert [cause.field for cause in error.value.causes] == [".data.a"]
    assert "before-first-apply" in error.value.causes[0].message


def test_what_we_applied_stays_ours(side: Side) -> None:
    side.writer.apply(side.config_map(a="1"))
    side.writer.patch(side.ref("one"), {"data": {"b": "2"}})
    side.writer.disown(side.ref("one"))
    assert owners_of(side.reader.get(side.ref("one"))) == {(live.FIELD_MANAGER, "Apply")}
    assert "a" not in side.writer.apply(side.config_map(c="3")).document["data"], "so it goes when it is not applied"


def test_a_patch_of_nothing(side: Side) -> None:
    with pytest.raises(NotFound):
        side.writer.patch(side.ref("none"), {"data": {"a": "1"}})
    side.writer.apply(side.config_map())
    with pytest.raises(Invalid):
        side.writer.patch(side.ref("one"), {"unknown": 1})
    with pytest.raises(BadInput):
        side.writer.patch(side.ref("none"), {"data": {}}, form=live.PatchForm.JSON)
    with pytest.raises(BadInput):
        side.writer.patch(side.ref("none"), [])


# ── Delete ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deleting_twice_is_no_error(side: Side) -> None:
    side.writer.apply(side.config_map())
    side.writer.delete(side.ref("one"))
    side.writer.delete(side.ref("one"))
    side.writer.delete(ObjectRef(kind="Thing", name="x", namespace="x", group="nothing.example.org"))
    assert side.names() == []


def test_a_deletion_may_ask_for_the_object_that_was_read(side: Side) -> None:
    first = side.writer.apply(side.config_map(a="1"))
    second = side.writer.apply(side.config_map(a="2"))
    with pytest.raises(Conflict):
        side.writer.delete(first.ref, resource_version=first.resource_version)
    side.writer.delete(second.ref, resource_version=second.resource_version)
    again = side.writer.apply(side.config_map(a="2"))
    with pytest.raises(Conflict):
        side.writer.delete(first.ref, uid=first.uid)
    assert side.names() == ["one"]
    side.writer.delete(again.ref, uid=again.uid)
    assert side.names() == []


def test_a_finalizer_holds_what_is_deleted(side: Side) -> None:
    held = side.config_map()
    held["metadata"]["finalizers"] = ["example.org/hold"]
    side.writer.apply(held)
    side.writer.delete(side.ref("one"))
    assert side.reader.get(side.ref("one")).metadata["deletionTimestamp"]
    side.writer.patch(side.ref("one"), {"metadata": {"finalizers": None}})
    assert side.names() == []


@pytest.mark.parametrize(
    ("propagation", "finalizers"),
    [
        (live.Propagation.BACKGROUND, None),
        (live.Propagation.FOREGROUND, ["foregroundDeletion"]),
        (live.Propagation.ORPHAN, ["orphan"]),
    ],
)
def test_propagation_is_asked_for(side: Side, propagation: live.Propagation, finalizers: list[str] | None) -> None:
    if not side.bare:
        pytest.skip("with controllers, the finalizers are gone too soon to be seen")
    side.writer.apply(side.config_map())
    side.writer.delete(side.ref("one"), propagation=propagation)
    if finalizers is None:
        assert side.names() == []
        return
    assert side.reader.get(side.ref("one")).metadata["finalizers"] == finalizers
    side.writer.patch(side.ref("one"), {"metadata": {"finalizers": None}})


# ── Evict ───────────────────────────────────────────────────────────────────────────────────────────────────────


def running_pod(side: Side, name: str) -> ObjectRef:
    """A pod that the API server takes for running and ready; nothing runs."""
    labels = {"app": "one"}
    side.writer.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": side.namespace, "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "registry.local/none:1"}], "nodeName": "nowhere"},
        }
    )
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    side.writer.patch(side.ref(name, "Pod"), {"status": status}, subresource="status")
    return side.ref(name, "Pod")


def budget(side: Side, name: str, allowed: int) -> None:
    ref = ObjectRef(kind="PodDisruptionBudget", name=name, namespace=side.namespace, group="policy")
    metadata = {"name": name, "namespace": side.namespace}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "one"}}}
    made = side.writer.apply(
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}
    )
    status = {
        "observedGeneration": made.metadata["generation"],
        "disruptionsAllowed": allowed,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }
    side.writer.patch(ref, {"status": status}, subresource="status")


@pytest.fixture
def alone(side: Side) -> None:
    if not side.bare:
        pytest.skip("on a cluster, controllers set the status of budgets, and a pod of no node goes by itself")


def test_a_budget_forbids_an_eviction_for_now(side: Side, alone: None) -> None:
    pod = running_pod(side, "one")
    budget(side, "none", allowed=0)
    with pytest.raises(TooManyRequests, match="disruption budget") as error:
        side.writer.evict(pod)
    assert error.value.retry_after_s is not None
    assert [cause.reason for cause in error.value.causes] == ["DisruptionBudget"]
    assert not side.reader.get(pod).metadata.get("deletionTimestamp")
    budget(side, "none", allowed=1)
    side.writer.evict(pod, dry_run=True)
    assert not side.reader.get(pod).metadata.get("deletionTimestamp")
    side.writer.evict(pod)
    assert side.reader.get(pod).metadata["deletionTimestamp"]


def test_evicting_what_is_gone_is_no_error(side: Side) -> None:
    side.writer.evict(side.ref("none", "Pod"))


# ── Dry run, and whose run it was ───────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_checks_all_and_stores_nothing(side: Side) -> None:
    assert side.writer.apply(side.config_map(a="1"), dry_run=True).document["data"] == {"a": "1"}
    assert side.names() == []
    before = side.writer.apply(side.config_map(a="1"), manager="argocd")
    with pytest.raises(Conflict):
        side.writer.apply(side.config_map(a="2"), dry_run=True)
    patched = side.writer.patch(before.ref, {"data": {"a": "2"}}, dry_run=True)
    assert patched.document["data"] == {"a": "2"}
    side.writer.delete(before.ref, dry_run=True)
    assert side.reader.get(before.ref) == before


def test_the_run_is_noted_only_if_asked(side: Side) -> None:
    quiet = side.writer.apply(side.config_map(a="1"))
    assert "annotations" not in quiet.metadata
    noted = side.noting.apply(side.config_map(a="1"))
    assert noted.metadata["annotations"] == {live.RUN_ANNOTATION: "run-7"}
    side.writer.apply(side.config_map("two"))
    patched = side.noting.patch(side.ref("two"), {"metadata": {"annotations": {"mine": "1"}}})
    assert patched.metadata["annotations"] == {"mine": "1", live.RUN_ANNOTATION: "run-7"}
    assert live.normalised(noted.document) == live.normalised(quiet.document)


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


def crd(group: str, *versions: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = [{"name": name, "served": True, "storage": name == versions[-1], "schema": schema} for name in versions]
    names = {"plural": "things", "singular": "thing", "kind": "Thing"}
    return {
        "apiVersion": f"{CRD_GROUP}/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": served},
    }


def patiently(ask: Callable[[], T], *errors: type[Exception]) -> T:
    """The answer, once discovery has followed."""
    for _ in range(100):
        try:
            return ask()
        except errors:
            time.sleep(0.1)
    return ask()


def test_a_kind_may_come_and_change_its_versions(side: Side) -> None:
    """The same port finds a custom resource that was not there, and again when its version is no longer served."""
    group = f"{side.namespace}.example.org"
    ref = ObjectRef(kind="Thing", name="one", namespace=side.namespace, group=group)
    definition = ObjectRef(kind="CustomResourceDefinition", name=f"things.{group}", group=CRD_GROUP)
    with pytest.raises(NotServed):
        side.reader.get(ref)
    try:
        side.writer.apply(crd(group, "v1beta1"))
        thing = {
            "apiVersion": f"{group}/v1beta1",
            "kind": "Thing",
            "spec": {"large": 2**53 + 1, "f": 0.1},
            "metadata": {"name": "one", "namespace": side.namespace},
        }
        patiently(lambda: side.writer.apply(thing), NotServed, NotFound)
        assert side.reader.get(ref).document["spec"] == thing["spec"]
        assert side.reader.get(definition).stored_versions == ("v1beta1",)
        side.writer.apply(crd(group, "v1beta1", "v1"))
        assert patiently(lambda: side.reader.get(ref, "v1"), NotServed, NotFound).document["spec"] == thing["spec"]
        assert side.reader.get(definition).stored_versions == ("v1beta1", "v1")
        only = crd(group, "v1beta1", "v1")
        only["spec"]["versions"][0]["served"] = False
        side.writer.apply(only)
        found = patiently(lambda: side.reader.list(live.Kind(group, "Thing")), NotServed, NotFound)
        assert [one.document["apiVersion"] for one in found] == [f"{group}/v1"]
        side.writer.delete(ref)
        assert patiently(lambda: side.reader.list(live.Kind(group, "Thing")), NotServed).objects == ()
    finally:
        side.writer.delete(definition)


# ── Watch ───────────────────────────────────────────────────────────────────────────────────────────────────────

Told = tuple[str, str]


class Watcher(threading.Thread):
    """Iterates a watch beside the test and keeps what it was told."""

    def __init__(self, watch: ports.Watch) -> None:
        super().__init__(daemon=True)
        self._watch, self.told, self.bookmarks = watch, list[Told](), 0
        self._news, self.failure = threading.Condition(), ""

    def run(self) -> None:
        try:
            for event in self._watch:
                with self._news:
                    if isinstance(event, live.Bookmark):
                        self.bookmarks += 1
                    else:
                        self.told.append((type(event).__name__, event.object.ref.name))
                    self._news.notify_all()
        except AddonctlError as error:
            self.failure = repr(error)

    def until(self, ready: Callable[[], bool], timeout_s: float = 30) -> None:
        with self._news:
            assert self._news.wait_for(ready, timeout_s), (self.told, self.bookmarks, self.failure)

    def expect(self, *told: Told) -> None:
        """Exactly these in this order, once as many have come."""
        self.until(lambda: len(self.told) >= len(told))
        assert self.told == list(told)

    def end(self) -> None:
        self._watch.close()
        self._watch.close()
        self.join(20)
        assert not self.is_alive()
        assert self.failure == ""


@pytest.fixture
def watching(side: Side, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watcher]]:
    monkeypatch.setattr("addonctl.adapters.api_objects._WATCH_S", 4)  # so do sessions end while a test looks on
    started: list[Watcher] = []

    def start(*arguments: Any, **more: Any) -> Watcher:
        started.append(Watcher(side.reader.watch(*arguments, **more)))
        started[-1].start()
        return started[-1]

    yield start
    for watcher in started:
        watcher.end()


def test_a_watch_begins_with_what_is_there(side: Side, watching: Callable[..., Watcher]) -> None:
    side.writer.apply(side.config_map("a"))
    watcher = watching(CONFIG_MAPS, side.namespace)
    watcher.expect(("Added", "a"))
    side.writer.apply(side.config_map("b"))
    side.writer.apply(side.config_map("a", x="1"))
    side.writer.delete(side.ref("a"))
    watcher.expect(("Added", "a"), ("Added", "b"), ("Modified", "a"), ("Deleted", "a"))


def test_a_watch_goes_on_from_a_listing(side: Side, watching: Callable[..., Watcher]) -> None:
    side.writer.apply(side.config_map("a"))
    listing = side.reader.list(CONFIG_MAPS, side.namespace)
    side.writer.apply(side.config_map("b"))
    side.writer.delete(side.ref("a"))
    watching(CONFIG_MAPS, side.namespace, since=listing).expect(("Added", "b"), ("Deleted", "a"))


def test_a_watch_of_some(side: Side, watching: Callable[..., Watcher]) -> None:
    watcher = watching(CONFIG_MAPS, side.namespace, "app=a")
    side.writer.apply(side.config_map("b"))
    side.writer.apply(side.config_map("a"))
    side.writer.patch(side.ref("a"), {"metadata": {"labels": {"app": "z"}}})
    watcher.expect(("Added", "a"), ("Deleted", "a"))


def test_a_watch_survives_that_the_past_is_forgotten(side: Side, watching: Callable[..., Watcher]) -> None:
    """410: what changed, came and went is told once each; what did not change is not told again."""
    if side.forget is None:
        pytest.skip("this server's past cannot be made to expire")
    for name in ("same", "changed", "gone", "anew"):
        side.writer.apply(side.config_map(name))
    listing = side.reader.list(CONFIG_MAPS, side.namespace)
    side.writer.apply(side.config_map("changed", x="1"))
    for name in ("gone", "anew"):
        side.writer.delete(side.ref(name))
    for name in ("anew", "new"):
        side.writer.apply(side.config_map(name))
    side.forget(side.reader.list(CONFIG_MAPS, side.namespace))
    watcher = watching(CONFIG_MAPS, side.namespace, since=listing)
    watcher.until(lambda: len(watcher.told) == 5)
    assert sorted(watcher.told) == [
        ("Added", "anew"),
        ("Added", "new"),
        ("Deleted", "anew"),
        ("Deleted", "gone"),
        ("Modified", "changed"),
    ]
    assert watcher.told.index(("Deleted", "anew")) < watcher.told.index(("Added", "anew"))
    side.writer.apply(side.config_map("same", x="1"))
    watcher.until(lambda: watcher.told[-1] == ("Modified", "same"))


def test_a_quiet_watch_is_told_how_far_it_is(side: Side, watching: Callable[..., Watcher]) -> None:
    """Bookmarks come, and a watch goes on over the end of its sessions without telling anything twice."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": side.namespace}}
    side.writer.apply(secret)
    other = {**secret, "metadata": {"name": "b", "namespace": side.namespace, "labels": {"not": "watched"}}}
    watcher = watching(SECRETS, side.namespace, "not!=watched")
    watcher.expect(("Added", "a"))
    for number in range(60):
        side.writer.apply({**other, "stringData": {"x": str(number)}})
        if watcher.bookmarks:
            break
        time.sleep(0.5)
    assert watcher.bookmarks
    time.sleep(side.session_s)
    side.writer.apply(secret | {"stringData": {"x": "1"}})
    watcher.expect(("Added", "a"), ("Modified", "a"))


def test_a_closed_watch_ends(side: Side, watching: Callable[..., Watcher]) -> None:
    watcher = watching(CONFIG_MAPS, side.namespace)
    side.writer.apply(side.config_map("a"))
    watcher.expect(("Added", "a"))
    began = time.monotonic()
    watcher.end()
    assert time.monotonic() - began < 15
    side.writer.apply(side.config_map("b"))
    with side.reader.watch(CONFIG_MAPS, side.namespace) as watch:
        events = iter(watch)
        assert isinstance(next(events), live.Added)
    assert list(events) == [], "also what it knew already"
    assert list(watch) == []


def test_a_watch_of_nothing_that_is_served(side: Side) -> None:
    with pytest.raises(NotServed):
        next(iter(side.reader.watch(live.Kind("nothing.example.org", "Thing"))))


# ── Of the real side alone: connections that break off, pages ─────────────────────────────────────────────────────


class Awkward:
    """The real connection, at awkward moments: pages that expire between each other, watches that break off."""

    def __init__(self, real: ApiConnection, after_page: Callable[[], None] = lambda: None, break_off: int = 0) -> None:
        self._real, self._after_page, self._break_off = real, after_page, break_off
        self.broken = 0
        self.name, self.server, self.context, self.forward = real.name, real.server, real.context, real.forward

    def request(self, *asked: Any) -> Any:
        answer = self._real.request(*asked)
        if b'"continue"' in answer.body:
            self._after_page()
        return answer

    @contextmanager
    def lines(self, *asked: Any) -> Iterator[Iterator[bytes]]:
        with self._real.lines(*asked) as lines:
            yield self._until_broken(lines)

    def _until_broken(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(lines):
            if self.broken < self._break_off and number == 1:
                self.broken += 1
                raise TimedOut("the connection broke off")
            yield line


@REAL
def test_a_list_whose_pages_expire_is_read_anew(side: Side, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    if side.forget is None:
        pytest.skip("this server's past cannot be made to expire")
    monkeypatch.setattr("addonctl.adapters.api_objects._PAGE", 2)
    for name in "abcde":
        side.writer.apply(side.config_map(name))
    left = [1]

    def expire() -> None:
        if left.pop() if left else 0:
            side.writer.delete(side.ref("e"))
            side.forget(live.Listing((), side.writer.apply(side.config_map("f")).resource_version))  # type: ignore[misc]

    reader = ApiObjects(Awkward(api.objects().connection, expire))
    assert [found.ref.name for found in reader.list(CONFIG_MAPS, side.namespace)] == list("abcdf")
    assert left == []


@REAL
def test_a_watch_that_breaks_off_loses_and_repeats_nothing(
    side: Side, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("addonctl.adapters.api_objects._WATCH_S", 4)
    connection = Awkward(api.objects().connection, break_off=3)
    watcher = Watcher(ApiObjects(connection).watch(CONFIG_MAPS, side.namespace))
    watcher.start()
    side.writer.apply(side.config_map("first"))
    expected = [("Added", "first")]
    watcher.expect(*expected)
    for number in range(12):
        side.writer.apply(side.config_map("a", x=str(number)))
        side.writer.apply(side.config_map(f"n{number}"))
        expected.append(("Modified" if number else "Added", "a"))
        expected.append(("Added", f"n{number}"))
        time.sleep(0.3)
    watcher.until(lambda: watcher.told[-1:] == [("Added", "n11")])
    assert connection.broken == 3
    assert watcher.told == expected
    watcher.end()
