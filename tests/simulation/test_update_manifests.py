"""What is special about an add-on whose manifests somebody applied: whose the fields are, what is new and what goes."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl.errors import BadInput, Conflict
from addonctl.hands import NotYet
from addonctl.hands.comparing import put_settings_back
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import secret_print
from addonctl.model.plan import Step
from addonctl.model.run import CommandFailed, Do, OwnerState, Phase
from addonctl.sim.controllers import Behaviour
from tests.simulation.test_update import audit
from tests.simulation.update import NEW, OLD, Cluster, Kubectl, Read, checkpoint, hand_of

_DEPLOYMENT = ObjectRef(kind="Deployment", name="dns", namespace="kube-system", group="apps")
_CLIENT_SIDE = ("kubectl-client-side-apply", "Update")
_OURS = (live.FIELD_MANAGER, "Apply")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(3, keeper=Kubectl)


def with_documents(cluster: Cluster, *documents: dict[str, Any], dropped: str = "") -> Step:
    """The cluster's step, its manifests with more in them, or without the workload of a name."""
    given = cluster.keeper.given
    assert given is not None
    kept = (each for each in given.documents if (each.ref.kind, each.ref.name) != ("Deployment", dropped))
    given = replace(given, documents=(*kept, *map(live.Object, documents)))
    cluster.hands = replace(cluster.hands, manifests=Read(given))
    step = cluster.plan().steps[0]
    assert step.manifests is not None
    return replace(step, manifests=replace(step.manifests, objects=tuple(each.ref for each in given.documents)))


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "kube-system"},
        "data": data,
    }


def of(cluster: Cluster, name: str, kind: str = "ConfigMap") -> live.Object:
    return cluster.hands.reader.get(ObjectRef.of(kind, name, "kube-system"))


# ── There ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_kubectl_owned_is_ours_and_kubectl_can_go_on(cluster: Cluster) -> None:
    """Fields that the new manifests do not have any more go, and kubectl's own note is kept up."""
    assert _CLIENT_SIDE in cluster.managers
    given = cluster.keeper.given
    assert given is not None
    workload, *_ = given.documents
    run = cluster.update()
    assert run.phase is Phase.UPDATED, run.why
    assert _OURS in cluster.managers
    assert _CLIENT_SIDE not in cluster.managers
    notes = cluster.hands.reader.get(_DEPLOYMENT).metadata["annotations"]
    assert str(NEW) in notes[live.LAST_APPLIED]
    assert notes[live.MANIFESTS_ANNOTATION] == given.sha256
    assert live.MANIFESTS_ANNOTATION not in notes[live.LAST_APPLIED], "kubectl would take it away"
    assert workload.ref == _DEPLOYMENT


def test_a_field_that_is_gone_from_the_manifests_is_gone_from_the_object(cluster: Cluster) -> None:
    cluster.store.create(config_map("settings", a="1", b="2"), "kubectl-client-side-apply")
    step = with_documents(cluster, config_map("settings", a="1"))
    before = checkpoint(cluster, step)
    hand_of(cluster, step).change(before, "one")
    assert of(cluster, "settings").document["data"] == {"a": "1"}
    hand_of(cluster, step).revert(before, "two")
    found = of(cluster, "settings")
    assert found.document["data"] == {"a": "1", "b": "2"}
    assert {each["manager"] for each in found.metadata["managedFields"]} == {"kubectl-client-side-apply"}


def test_fields_of_which_nobody_knows_whose_they_are_were_applied_before(cluster: Cluster) -> None:
    cluster.store.create(config_map("settings", a="1"), "kubectl-client-side-apply")
    nobody = [{"op": "add", "path": "/metadata/managedFields", "value": [{}]}]
    settings = ObjectRef.of("ConfigMap", "settings", "kube-system")
    cluster.hands.writer.patch(settings, nobody, form=live.PatchForm.JSON)
    step = with_documents(cluster, config_map("settings", a="2"))
    hand_of(cluster, step).change(checkpoint(cluster, step), "one")
    assert of(cluster, "settings").document["data"] == {"a": "2"}


def test_what_somebody_else_owns_is_not_overruled_and_nothing_is_done_by_halves(cluster: Cluster) -> None:
    cluster.store.create(config_map("theirs", a="1"), "kubectl-client-side-apply")
    cluster.store.apply(config_map("theirs", a="2"), "somebody", force=True)
    step = with_documents(cluster, config_map("first", a="1"), config_map("theirs", a="3"))
    with pytest.raises(Conflict, match="somebody"):
        hand_of(cluster, step).change(checkpoint(cluster, step), "one")
    assert cluster.store.get(("", "ConfigMap"), "kube-system", "first") is None
    assert str(OLD) in set(cluster.images())
    run = cluster.update(step)
    assert (run.phase, isinstance(run.why, CommandFailed) and run.why.do) == (Phase.ROLLED_BACK, Do.CHANGE)
    audit(cluster, run)


def crd(**more: Any) -> dict[str, Any]:
    names = {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org", "names": names, "scope": "Namespaced", "versions": versions, **more},
    }


def test_how_custom_resources_are_converted_is_put_back_ahead_of_all_else(cluster: Cluster) -> None:
    old = cluster.store.create(crd(), "kubectl-client-side-apply")
    webhook = {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://dns.kube-system.svc"}}}
    step = with_documents(cluster, crd(conversion=webhook))
    step = replace(step, objects=(*step.objects, old.ref))
    before = checkpoint(cluster, step)
    hand_of(cluster, step).change(before, "one")
    assert cluster.hands.reader.get(old.ref).document["spec"]["conversion"] == webhook
    put_settings_back(cluster.hands, step, before)
    found = cluster.hands.reader.get(old.ref)
    assert "conversion" not in found.document["spec"]
    assert {each["manager"] for each in found.metadata["managedFields"]} == {"kubectl-client-side-apply"}


def test_a_kind_that_comes_with_its_objects_is_waited_for(cluster: Cluster) -> None:
    thing = {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": "one", "namespace": "kube-system"},
        "spec": {},
    }
    step = with_documents(cluster, thing, crd())
    run = cluster.update(step)
    assert run.phase is Phase.UPDATED, run.why
    assert cluster.hands.reader.get(ObjectRef(kind="Thing", name="one", namespace="kube-system", group="example.org"))


def test_manifests_that_have_changed_since_the_plan_are_not_applied(cluster: Cluster) -> None:
    step = with_documents(cluster)
    assert step.manifests is not None
    step = replace(step, manifests=replace(step.manifests, sha256="cd" * 32))
    with pytest.raises(BadInput, match="not what the plan was made with"):
        hand_of(cluster, step).change(checkpoint(cluster, step), "one")


def test_without_manifests_nothing_is_begun(cluster: Cluster) -> None:
    run = cluster.update(replace(cluster.plan().steps[0], manifests=None))
    assert run.phase is Phase.REFUSED
    assert isinstance(run.why, CommandFailed)
    assert "its new manifests were not given" in run.why.reason


# ── What goes ───────────────────────────────────────────────────────────────────────────────────────────────────


def renamed(cluster: Cluster) -> Step:
    """Another Deployment in place of `beside`."""
    labels = {"app": "after"}
    containers = [{"name": "after", "image": f"after:{NEW}"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    after = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "after", "namespace": "kube-system"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    step = with_documents(cluster, after, dropped="beside")
    assert step.manifests is not None
    gone = (*step.manifests.gone, ObjectRef.of("Deployment", "beside", "kube-system"))
    return replace(step, manifests=replace(step.manifests, gone=gone), objects=(*step.objects, gone[-1]))


def test_a_workload_that_has_another_name_now_goes_when_the_other_serves(cluster: Cluster) -> None:
    run = cluster.update(renamed(cluster))
    assert run.phase is Phase.UPDATED, run.why
    names = {each.metadata["name"] for each in cluster.store.rows(("apps", "Deployment"))}
    assert names == {"dns", "after"}


def test_a_workload_whose_successor_never_serves_stays() -> None:
    cluster = Cluster(3, keeper=Kubectl, others={f"after:{NEW}": Behaviour(gets_ready=False)})
    run = cluster.update(renamed(cluster))
    assert run.phase is Phase.ROLLED_BACK, run.why
    audit(cluster, run)
    names = {each.metadata["name"] for each in cluster.store.rows(("apps", "Deployment"))}
    assert names == {"dns", "beside"}


# ── And back ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_deleted_is_made_again(cluster: Cluster) -> None:
    """Where a run turns back after its last step, and as often as it is asked for."""
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.change(before, "one")
    assert hand.state("one") == (OwnerState.DONE, "")
    assert hand.present().version == str(NEW)
    hand.let_go(before, "two")
    cluster.hands.writer.patch(_DEPLOYMENT, {"spec": {"replicas": 9}})
    with pytest.raises(NotYet, match="Deployment/kube-system/dns is not ready"):
        hand.let_go(before, "two")
    assert cluster.store.get(("", "ConfigMap"), "kube-system", "old") is None
    for _ in range(2):
        hand.revert(before, "three")
    for old in before.objects:
        found = cluster.hands.reader.get(old.ref)
        assert _steady(found) == _steady(old)
        assert _owners(found) == _owners(old)
    assert cluster.store.get(("", "ConfigMap"), "kube-system", "new") is None


def _steady(found: live.Object) -> dict[str, Any]:
    """What is put back by the hand, not by taking temporary settings away."""
    said = live.normalised(found.document)
    temporary = ("paused", "strategy", "minReadySeconds")
    spec = {name: value for name, value in said.get("spec", {}).items() if name not in temporary}
    return {**said, "spec": spec}


def _owners(found: live.Object) -> list[tuple[str, Any]]:
    entries = (each for each in found.metadata["managedFields"] if each.get("subresource") != "status")
    return sorted((each["manager"], each["operation"]) for each in entries)


def test_a_secret_that_was_not_stored_is_compared_and_never_deleted(cluster: Cluster) -> None:
    secret = {**config_map("keys"), "kind": "Secret", "data": {"a": "aHVudGVyMg=="}}
    cluster.store.create(secret, "kubectl-client-side-apply")
    step = with_documents(cluster, {**secret, "data": {"a": "b3RoZXI="}})
    whole = checkpoint(cluster, step)
    before = whole.without_secrets("salt")
    assert before.secrets == (secret_print(of(cluster, "keys", "Secret"), "salt"),)
    hand = hand_of(cluster, step)
    assert list(hand.differences(before)) == []
    hand.change(before, "one")
    hand.revert(before, "two")
    assert list(hand.differences(before)) == ["Secret/kube-system/keys, which is not stored"]
    hand.revert(whole, "three")
    assert list(hand.differences(before)) == []
