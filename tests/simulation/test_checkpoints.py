"""What a checkpoint holds beside workloads, and that it is put back: ConfigMaps, accounts, rights; by every owner."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

import pytest

from addonctl.errors import Forbidden
from addonctl.executor import Executor
from addonctl.hands.comparing import differences, rights_given_up
from addonctl.model import Note, ObjectRef, live
from addonctl.model.plan import Step
from addonctl.model.run import Phase
from addonctl.sim.controllers import Behaviour
from addonctl.sim.controllers.pods import STEADY
from addonctl.sim.faults import Rule
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.worker import Worker
from tests.simulation.test_update import audit
from tests.simulation.update import NEW, OLD, VALUES, Cluster, Eks, Helm, Keeper, Kubectl, checkpoint, hand_of
from tests.simulation.update_gitops import Argo, Flux

_SETTINGS = {**VALUES, "settings": True}
_MAP = ObjectRef.of("ConfigMap", "settings", "kube-system")
_ROLE, _BINDING = ObjectRef.of("ClusterRole", "dns"), ObjectRef.of("ClusterRoleBinding", "dns")
_ACCOUNT = ObjectRef.of("ServiceAccount", "dns", "kube-system")
_NEW = (ObjectRef.of("ConfigMap", "more", "kube-system"), ObjectRef.of("Role", "more", "kube-system"))


class OfEks(Eks):
    configuration = "{settings: true}"


class OfHelm(Helm):
    values: ClassVar[dict[str, Any]] = _SETTINGS


class OfKubectl(Kubectl):
    values: ClassVar[dict[str, Any]] = _SETTINGS


class OfArgo(Argo):
    values: ClassVar[dict[str, Any]] = _SETTINGS


def of_flux(cluster: Cluster) -> Keeper:
    return Flux(cluster, values=_SETTINGS)


KEEPERS = (OfEks, OfHelm, OfKubectl, OfArgo, of_flux)
BY_ALL = pytest.mark.parametrize("keeper", KEEPERS, ids=lambda keeper: keeper.__name__)
Keepers = Callable[[Cluster], Keeper]
Rules = dict[str, list[str]]


def reads_settings(cluster: Cluster) -> None:
    """Whatever version starts with the new version's settings crashes."""

    def behave(image: str, node: str) -> Behaviour:
        found = cluster.store.get(("", "ConfigMap"), "kube-system", "settings")
        broken = found is None or found.document["data"]["of"] == str(NEW)
        return Behaviour(crashes_after_s=2) if broken else STEADY

    cluster.controllers.kubelets.behave = behave


def said(cluster: Cluster, ref: ObjectRef) -> dict[str, Any]:
    return live.normalised(cluster.hands.reader.get(ref).document)


def owners(cluster: Cluster, ref: ObjectRef) -> list[tuple[str, str]]:
    found = cluster.hands.reader.get(ref).metadata.get("managedFields") or ()
    return sorted((each["manager"], each["operation"]) for each in found)


def there(cluster: Cluster, *refs: ObjectRef) -> list[ObjectRef]:
    return [ref for ref in refs if cluster.store.get((ref.group, ref.kind), ref.namespace, ref.name)]


@BY_ALL
def test_all_that_an_update_may_change_is_held(keeper: Keepers) -> None:
    held = checkpoint(Cluster(3, keeper=keeper))
    assert {_MAP, _ROLE, _BINDING, _ACCOUNT} <= {each.ref for each in held.objects}
    assert held.applied is not None
    assert {_MAP, _ROLE} <= set(held.applied)
    assert VALUES["password"] not in repr(held)


@BY_ALL
@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_settings_that_break_it_are_put_back_before_its_owner_comes(keeper: Keepers, kind: str) -> None:
    cluster = Cluster(5, kind, keeper=keeper)
    reads_settings(cluster)
    before = [(said(cluster, ref), owners(cluster, ref)) for ref in (_MAP, _ROLE, _BINDING, _ACCOUNT)]
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK, run.why
    audit(cluster, run)
    assert [(said(cluster, ref), owners(cluster, ref)) for ref in (_MAP, _ROLE, _BINDING, _ACCOUNT)] == before
    assert there(cluster, *_NEW) == [], "what the new version brought is gone"
    assert cluster.lost == 0
    back = next(entry.at for entry in run.timeline if entry.phase is Phase.ROLLING_BACK)
    assert (run.timeline[-1].at - back).total_seconds() <= 30


@BY_ALL
@pytest.mark.parametrize("seed", range(4))
def test_whoever_drives_it_may_die_meanwhile(keeper: Keepers, seed: int) -> None:
    cluster = Cluster(seed, keeper=keeper)
    reads_settings(cluster)
    before = said(cluster, _MAP), said(cluster, _ROLE)
    run = cluster.update(crash=0.1)
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert (said(cluster, _MAP), said(cluster, _ROLE)) == before
    assert there(cluster, *_NEW) == []


@BY_ALL
def test_a_sound_version_brings_its_settings(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    run = cluster.update()
    assert run.phase is Phase.UPDATED, run.why
    assert said(cluster, _MAP)["data"]["of"] == str(NEW)
    assert there(cluster, *_NEW) == list(_NEW)


@BY_ALL
def test_rights_that_a_version_gave_up_are_told(keeper: Keepers) -> None:
    """It may need them first when somebody asks something of it: nothing shows that while it is updated."""
    cluster = Cluster(3, keeper=keeper)
    journal = SimJournal(Shelf(), "worker", cluster.hands.clock)
    worker = Worker("worker", Executor(cluster.hands), journal, cluster.hands.clock)
    run = worker.drive(worker.begin("run", cluster.plan(), "somebody"))
    assert run.phase is Phase.UPDATED, run.why
    told = [line.detail for line in journal.lines("run") if "gave up" in line.detail]
    assert told == [f"rights that it gave up: get services {OLD} of {_ROLE}"]


@pytest.mark.parametrize(
    ("was", "now", "lost"),
    [
        ({"verbs": ["get", "list"]}, {"verbs": ["list"]}, "get pods"),
        ({"verbs": ["get"]}, {"verbs": ["*"]}, ""),
        ({"verbs": ["*"]}, {"verbs": ["get"]}, "* pods"),
        ({"apiGroups": ["a", "b"]}, {"apiGroups": ["*"]}, ""),
        ({"apiGroups": ["a", "b"]}, {"apiGroups": ["b"]}, "get pods.a"),
        ({}, {"resourceNames": ["one"]}, "get pods"),
        ({"resourceNames": ["one", "two"]}, {"resourceNames": ["two"]}, "get pods one"),
        ({"resourceNames": ["one"]}, {}, ""),
    ],
)
def test_a_right_is_given_up_where_no_rule_has_it_any_more(was: Rules, now: Rules, lost: str) -> None:
    cluster, any_rule = Cluster(3, keeper=OfHelm), {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    cluster.hands.writer.patch(_ROLE, {"rules": [any_rule | was]})
    held = checkpoint(cluster)
    cluster.hands.writer.patch(_ROLE, {"rules": [any_rule | now]})
    assert list(rights_given_up(cluster.hands, held)) == ([f"{lost} of {_ROLE}"] if lost else [])


def test_eks_at_work_is_not_waited_for() -> None:
    """EKS takes no other change for minutes: old instances that begin anew find their settings all the same."""
    cluster = Cluster(5, keeper=OfEks)
    reads_settings(cluster)
    seen: list[str] = []

    def look(change: Any) -> None:
        if change.after is not None and change.after.metadata["name"] == "settings":
            seen.append(change.after.document["data"]["of"])

    cluster.store.listen(("", "ConfigMap"), look)
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert seen[:2] == [str(NEW), str(OLD)]
    assert ("addonctl", "Update") not in owners(cluster, _MAP)


@BY_ALL
def test_what_others_have_written_is_told_as_theirs(keeper: Keepers) -> None:
    cluster = Cluster(5, keeper=keeper)
    step, before = cluster.plan().steps[0], checkpoint(cluster)
    cluster.store.patch(_MAP, {"data": {"theirs": "1"}}, manager="kubectl-edit")
    cluster.store.delete(_BINDING)
    found = differences(cluster.hands, step, hand_of(cluster), before)
    assert (found.changed, found.others, found.added) == ((_BINDING,), (_MAP,), ())


def test_what_others_have_bound_meanwhile_stays_and_holds_nothing_up() -> None:
    cluster = Cluster(5, keeper=OfEks)
    reads_settings(cluster)
    theirs = [{"kind": "ServiceAccount", "name": "theirs", "namespace": "default"}]
    patch = [{"op": "add", "path": "/subjects/-", "value": theirs[0]}]
    cluster.world.after(30, lambda: cluster.store.patch(_BINDING, patch, manager="kubectl-edit"))
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert said(cluster, _BINDING)["subjects"][1:] == theirs


def test_of_a_checkpoint_that_names_nothing_nobody_knows_what_is_new() -> None:
    cluster = Cluster(5, keeper=OfEks)
    step, before = cluster.plan().steps[0], checkpoint(cluster)
    cluster.store.apply(_more(), "eks")
    assert differences(cluster.hands, step, hand_of(cluster), before).added == _NEW[:1]
    older = replace(before, applied=None)
    assert differences(cluster.hands, step, hand_of(cluster), older).added == ()


@pytest.mark.parametrize("keeper", [OfEks, OfHelm])
def test_what_is_deleted_is_held_as_well(keeper: Keepers) -> None:
    cluster = Cluster(5, keeper=keeper)
    step = replace(cluster.plan().steps[0], to_version=None, removes=True, undo=(), irreversible="it is gone")
    before = checkpoint(cluster, step)
    assert {_MAP, _ROLE} <= {each.ref for each in before.objects}
    assert differences(cluster.hands, step, hand_of(cluster), before).added == ()


def test_what_is_much_older_than_a_checkpoint_is_not_new() -> None:
    cluster = Cluster(5, keeper=OfEks)
    cluster.store.apply(_more(), "eks")
    cluster.world.advance(3600)
    step, before = cluster.plan().steps[0], checkpoint(cluster)
    forgetful = replace(before, applied=(), objects=())
    assert differences(cluster.hands, step, hand_of(cluster), forgetful).added == ()


def _more() -> dict[str, Any]:
    metadata = {"name": "more", "namespace": "kube-system", "labels": {"app": "dns"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}


def test_what_may_not_be_deleted_is_left_and_holds_nothing_up() -> None:
    cluster = Cluster(5, keeper=OfEks)
    reads_settings(cluster)
    forbidden = Rule("rights", Random(1), 1.0, lambda _: Forbidden("no right"), lambda call: call.verb == "delete")
    cluster.storm.add(forbidden)
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert there(cluster, *_NEW) == list(_NEW)


@BY_ALL
def test_a_checkpoint_is_restored_whole(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    step = cluster.plan().steps[0]
    entry = Executor(cluster.hands).checkpoint("prod-eu-1", step)
    assert cluster.update().phase is Phase.UPDATED
    found = differences(cluster.hands, step, hand_of(cluster), cluster.hands.checkpoints.load(entry.id))
    assert {_MAP, _ROLE} <= set(found.changed)
    back = _restoring(step, entry.id)
    run = cluster.update(back, id="back")
    assert run.phase is Phase.UPDATED, run.why
    assert said(cluster, _MAP)["data"]["of"] == str(OLD)
    assert there(cluster, *_NEW) == []


def _restoring(step: Step, id: str) -> Step:
    back = replace(step, from_version=NEW, to_version=OLD, restores=id, manifests=None)
    present = tuple(ref for ref in back.objects if ref.kind != "ConfigMap")
    return replace(back, do=(Note("back"),), undo=(Note("there"),), objects=present)
