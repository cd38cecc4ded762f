"""The indexes of a snapshot: what a selector selects, whose a pod is, what surely does not exist."""

from dataclasses import replace
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.model import LabelExpression, ObjectRef, View, selects
from addonctl.resources import RESOURCES, group_of
from tests import odd
from tests.builders import snapshot, workload


def labelled(name: str, labels: dict[str, str], namespace: str = "apps") -> model.Workload:
    made = workload(name, "acme/app:1", namespace=namespace)
    return replace(made, template=replace(made.template, labels=labels))


# ── Selectors ───────────────────────────────────────────────────────────────────────────────────────────────────

KEYS, VALUES = st.sampled_from(["a", "b", ""]), st.sampled_from(["x", "y", ""])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EXPRESSIONS = st.builds(
    lambda key, operator, values: LabelExpression(key=key, operator=operator, values=tuple(values)),
    KEYS,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(VALUES, max_size=3),
)
WORKLOADS = st.lists(st.tuples(LABELS, st.sampled_from(["apps", "other"])), max_size=8)


@given(WORKLOADS, LABELS, st.lists(EXPRESSIONS, max_size=2))
def test_what_is_selected_is_what_looking_at_every_workload_finds(
    listed: list[tuple[dict[str, str], str]], wanted: dict[str, str], expressions: list[LabelExpression]
) -> None:
    workloads = tuple(labelled(f"w{n}", labels, namespace) for n, (labels, namespace) in enumerate(listed))
    found = View(snapshot(workloads=workloads)).selected("apps", wanted, expressions)
    by_hand = {w.name for w in workloads if w.namespace == "apps" and selects(wanted, expressions, w.template.labels)}
    assert {each.name for each in found} == by_hand
    assert len(found) == len(by_hand), "each once"


@given(WORKLOADS, st.lists(LABELS, max_size=4))
def test_a_workload_knows_its_services_and_a_service_its_workloads(
    listed: list[tuple[dict[str, str], str]], selectors: list[dict[str, str]]
) -> None:
    workloads = tuple(labelled(f"w{n}", labels, namespace) for n, (labels, namespace) in enumerate(listed))
    services = tuple(
        model.Service(name=f"s{n}", namespace="apps", selector=selector) for n, selector in enumerate(selectors)
    )
    view = View(snapshot(workloads=workloads, services=services))
    forth = {(service, each.ref) for service, found in view.behind.items() for each in found}
    back = {(service.ref, ref) for ref, found in view.services_of.items() for service in found}
    by_hand = {
        (service.ref, each.ref)
        for service in services
        for each in workloads
        if service.selector
        and each.namespace == service.namespace
        and selects(service.selector, (), each.template.labels)
    }
    assert forth == back == by_hand
    assert set(view.behind) == {service.ref for service in services if service.selector}


def test_selecting_takes_as_long_in_one_namespace_as_in_many() -> None:
    def seconds(namespaces: int) -> float:
        places = [f"team-{number % namespaces}" for number in range(2_000)]
        workloads = tuple(labelled(f"w{n}", {"app": f"w{n}", "team": "shop"}, place) for n, place in enumerate(places))
        services = tuple(
            model.Service(name=f"s{n}", namespace=place, selector={"team": "shop", "app": f"w{n}"})
            for n, place in enumerate(places)
        )
        seen = snapshot(workloads=workloads, services=services)
        return min(once(View(seen)) for _ in range(3))

    def once(view: View) -> float:
        start = process_time()
        assert len(view.services_of) == 2_000
        return process_time() - start

    one, many = seconds(1), seconds(100)
    assert one <= 2 * many + 0.05, f"{one:.2f} s in one namespace, {many:.2f} s in a hundred"


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def pod(name: str, *owners: ObjectRef, **more: Any) -> model.Pod:
    return model.Pod(name=name, namespace="apps", owners=owners, **more)


REPLICA_SET = ObjectRef(kind="ReplicaSet", name="shop-5d78", group="apps")
DEPLOYMENT = ObjectRef.of("Deployment", "shop", "apps")


@pytest.mark.parametrize(
    "parts",
    [
        {
            "workloads": (workload("shop"),),
            "revisions": (model.Revision(kind="ReplicaSet", name="shop-5d78", namespace="apps", owners=(DEPLOYMENT,)),),
        },
        {"workloads": (workload("shop"),)},
        {},
    ],
    ids=["by its ReplicaSet", "by the ReplicaSet's name", "by nothing but the pod"],
)
def test_a_pod_of_a_replica_set_is_its_deployments(parts: dict[str, Any]) -> None:
    made = pod("shop-5d78-x2x4z", REPLICA_SET, labels={"pod-template-hash": "5d78"})
    view = View(snapshot(pods=(made,), **parts))
    assert view.workload_of(made) == DEPLOYMENT
    assert list(view.pods[DEPLOYMENT]) == [made]


def test_bare_and_static_pods_are_workloads_of_their_own() -> None:
    static = pod("proxy-node-1", ObjectRef(kind="Node", name="node-1"))
    view = View(snapshot(pods=(static, pod("bare"))))
    assert set(view.workloads) == {ObjectRef.of("Pod", "proxy-node-1", "apps"), ObjectRef.of("Pod", "bare", "apps")}


def test_a_pod_whose_replica_set_belongs_to_nothing_read_is_nobodys() -> None:
    lone = model.Revision(kind="ReplicaSet", name="shop-5d78", namespace="apps")
    made = pod("shop-5d78-x2x4z", REPLICA_SET)
    view = View(snapshot(pods=(made,), revisions=(lone,)))
    assert view.workload_of(made) is None
    assert view.workloads == {}


@given(st.integers(0, 2**32))
def test_every_pod_is_at_most_one_workloads_and_that_one_is_known(seed: int) -> None:
    view = View(odd.snapshot(seed))
    assert set(view.pods) == set(view.workloads)
    counted = sum(len(pods) for pods in view.pods.values())
    assert counted == sum(view.workload_of(each) is not None for each in view.snapshot.pods)
    for ref, pods in view.pods.items():
        assert all(view.workload_of(each) == ref for each in pods)
    assert {each.ref for each in view.snapshot.workloads} <= set(view.workloads)


# ── What does not exist ─────────────────────────────────────────────────────────────────────────────────────────

ACCOUNT = model.ServiceAccount(name="app", namespace="apps")
GAP = model.Gap(part="service_accounts", reason=model.GapReason.FORBIDDEN, detail="403")
NARROW = model.Cluster(name="prod-eu-1", namespace="apps")


@pytest.mark.parametrize(
    ("ref", "parts", "absent"),
    [
        (ACCOUNT.ref, {}, True),
        (ACCOUNT.ref, {"service_accounts": (ACCOUNT,)}, False),
        (ACCOUNT.ref, {"service_accounts": (replace(ACCOUNT, namespace="b"),)}, True),
        (ACCOUNT.ref, {"gaps": (GAP,)}, False),
        (ACCOUNT.ref, {"gaps": (replace(GAP, part="pods"),)}, True),
        (ACCOUNT.ref, {"cluster": model.Cluster(name="f", source="files")}, False),
        (ACCOUNT.ref, {"cluster": NARROW}, True),
        (replace(ACCOUNT.ref, namespace="b"), {"cluster": NARROW}, False),
        (ObjectRef.of("CSIDriver", "disk.csi.test"), {"cluster": NARROW}, True),
        (ObjectRef.of("Secret", "token", "apps"), {}, False),
        (ObjectRef(kind="Service", name="app", namespace="apps", group="serving.knative.dev"), {}, False),
        (ObjectRef.of("Job", "migrate", "apps"), {}, False),
    ],
    ids=[
        "not there",
        "there",
        "its namesake elsewhere",
        "its kind was not read",
        "another kind was not read",
        "files",
        "in the namespace that was read",
        "in another",
        "in no namespace",
        "a kind that is never listed",
        "a kind that is not known",
        "a kind that is not read as a whole",
    ],
)
def test_absent_is_what_was_looked_for_and_not_found(ref: ObjectRef, parts: dict[str, Any], absent: bool) -> None:
    assert View(snapshot(**parts)).absent(ref) is absent


@given(st.integers(0, 2**32))
def test_what_was_read_is_never_absent_and_of_files_nothing_is(seed: int) -> None:
    view = View(odd.snapshot(seed))
    assert not any(view.absent(each.ref) for each in view.snapshot.objects())
    nowhere = [ObjectRef.of(each.kind, "nowhere", "nowhere" if each.namespaced else "") for each in RESOURCES]
    lost = [ref for ref in nowhere if view.absent(ref)]
    assert not (view.from_files and lost)
    gaps = {gap.part for gap in view.snapshot.gaps}
    read = {each.kind for each in RESOURCES if each.complete and each.part not in gaps}
    assert view.from_files or {ref.kind for ref in lost} == read


# ── Every index against a scan ──────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 2**32))
def test_every_index_is_what_a_scan_of_the_snapshot_finds(seed: int) -> None:
    """Where files hold one object twice, the last counts."""
    taken = odd.snapshot(seed)
    view = View(taken)
    assert view.objects == {thing.ref: thing for thing in taken.objects()}
    assert view.services == {each.ref: each for each in taken.services}
    assert view.crds == {(each.group, each.kind): each for each in taken.crds}
    for part in ("pods", "workloads", "leases", "nonsense", "custom_resources"):
        assert view.gap(part) == next((gap for gap in taken.gaps if gap.part == part), None) == taken.gap(part)
    for name in ("", "a", "b"):
        assert list(view.quotas.get(name, ())) == [each for each in taken.quotas if each.namespace == name]
        assert list(view.in_namespace(name)) == [each for each in view.workloads.values() if each.namespace == name]
        called = [c.ref for c in taken.webhook_configurations if any(hook.name == name for hook in c.webhooks)]
        assert list(view.webhooks_named.get(name, ())) == called
    for subject in {event.subject for event in taken.events}:
        assert list(view.warnings[subject]) == [each for each in taken.events if each.subject == subject]
    assert len(view.warnings) == len({event.subject for event in taken.events})


@given(st.integers(0, 2**32))
def test_what_leads_to_workloads_is_what_looking_at_each_finds(seed: int) -> None:
    taken = odd.snapshot(seed)
    view = View(taken)
    for budget in taken.disruption_budgets:
        wanted = view.guarded.get(budget.ref, ())
        assert (budget.ref in view.guarded) or all(
            b.selector is None for b in taken.disruption_budgets if b.ref == budget.ref
        )
        assert all(workload.namespace == budget.namespace for workload in wanted)
    guarded = {(ref, workload.ref) for ref, found in view.guarded.items() for workload in found}
    budgets = {(budget.ref, ref) for ref, found in view.budgets_of.items() for budget in found}
    assert budgets == guarded
    made = {(maker, workload) for workload, makers in view.makers.items() for maker in makers}
    assert made == set(view.controllers.items())
    refusing = [
        (hook.service.ref, hook.failure_policy == "Fail")
        for configuration in taken.webhook_configurations
        for hook in configuration.webhooks
        if hook.service is not None
    ]
    refusing += [(api.service.ref, True) for api in taken.api_services if api.service is not None]
    refusing += [(call.target.ref, True) for call in view.calls if call.source.kind == "CustomResourceDefinition"]
    assert view.called_by_server == {ref: any(bad for other, bad in refusing if other == ref) for ref, _ in refusing}


@given(st.integers(0, 2**32))
def test_what_is_behind_a_service_is_the_sum_of_its_slices(seed: int) -> None:
    taken = odd.snapshot(seed)
    view = View(taken)
    for service in taken.services:
        known = view.backends(service.ref)
        slices = [s for s in taken.endpoint_slices if (s.namespace, s.service) == (service.namespace, service.name)]
        if known is None:
            assert any(gap.part in ("services", "endpoint_slices") for gap in taken.gaps)
            continue
        assert (known.ready, known.not_ready) == (sum(s.ready for s in slices), sum(s.not_ready for s in slices))
        assert known.ready_ports == {port.name for s in slices if s.ready for port in s.ports}


@given(st.integers(0, 2**32))
def test_every_key_has_the_group_of_its_kind(seed: int) -> None:
    """Of kinds that the table of resources knows: a namesake of another group is another object."""
    taken = odd.snapshot(seed)
    view = View(taken)
    keys = [*view.workloads, *view.controllers.values(), *view.makers, *view.pods, *view.services, *view.behind]
    keys += [*view.services_of, *view.guarded, *view.budgets_of, *view.called_by_server]
    keys += [ref for found in view.webhooks_named.values() for ref in found]
    assert all(ref == ObjectRef.of(ref.kind, ref.name, ref.namespace) for ref in keys)
    of_table = (thing for thing in taken.objects() if not isinstance(thing, model.OtherObject))
    assert all(thing.ref.group == group_of(thing.ref.kind) for thing in of_table)


@given(st.integers(0, 2**32))
def test_of_each_helm_release_one_stands_with_its_newest_status(seed: int) -> None:
    taken = odd.snapshot(seed)
    listed = View(taken).helm_releases
    names = {(each.namespace, each.name) for each in listed}
    assert len(names) == len(listed)
    for namespace, name in {(each.namespace, each.name) for each in taken.helm_releases}:
        records = [each for each in taken.helm_releases if (each.namespace, each.name) == (namespace, name)]
        newest = max(records, key=lambda record: record.revision)
        assert ((namespace, name) in names) is newest.is_installed
        stands = [each.status for each in listed if (each.namespace, each.name) == (namespace, name)]
        assert stands in ([], [newest.status])


# ── References ──────────────────────────────────────────────────────────────────────────────────────────────────

WIDE = model.CustomResourceDefinition(name="xs.x.test", group="x.test", kind="X", namespaced=False)


@pytest.mark.parametrize(
    ("ref", "meant"),
    [
        (
            ObjectRef(kind="Deployment", name="a"),
            ObjectRef(kind="Deployment", name="a", namespace="home", group="apps"),
        ),
        (ObjectRef(kind="Service", name="a", namespace="b"), ObjectRef(kind="Service", name="a", namespace="b")),
        (ObjectRef(kind="ClusterRole", name="a", namespace="b"), ObjectRef.of("ClusterRole", "a")),
        (ObjectRef(kind="X", name="a", group="x.test"), ObjectRef(kind="X", name="a", group="x.test")),
        (
            ObjectRef(kind="Y", name="a", group="x.test"),
            ObjectRef(kind="Y", name="a", group="x.test", namespace="home"),
        ),
    ],
    ids=["without group and namespace", "as written", "a namespace where there is none", "by its CRD", "unknown"],
)
def test_a_reference_is_located_as_its_writer_meant_it(ref: ObjectRef, meant: ObjectRef) -> None:
    assert View(snapshot(crds=(WIDE,))).located(ref, "home") == meant


# ── Services and namespaces ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_behind_a_service_is_added_up_and_unknown_where_it_was_not_read() -> None:
    ready = model.EndpointSlice(
        name="a", namespace="apps", service="web", ready=2, ports=(model.Port.of("https:8443/TCP"),)
    )
    not_ready = model.EndpointSlice(
        name="b", namespace="apps", service="web", not_ready=1, ports=(model.Port.of("other:1/TCP"),)
    )
    web = ObjectRef.of("Service", "web", "apps")
    parts: dict[str, Any] = {"endpoint_slices": (ready, not_ready)}
    known = View(snapshot(**parts)).backends(web)
    assert known == model.Backends(ready=2, not_ready=1, ready_ports=frozenset({"https"}))
    assert View(snapshot(**parts)).backends(replace(web, name="other")) == model.Backends()
    assert View(snapshot(**parts, gaps=(replace(GAP, part="endpoint_slices"),))).backends(web) is None
    assert View(snapshot(**parts, cluster=NARROW)).backends(replace(web, namespace="b")) is None


def test_a_namespace_carries_its_name_and_what_was_not_read_of_it_is_unknown() -> None:
    name = "kubernetes.io/metadata.name"
    read = View(snapshot(namespaces=(model.Namespace(name="apps", labels={"team": "shop"}),)))
    assert read.namespace_labels("apps") == {name: "apps", "team": "shop"}
    assert read.knows_labels("apps", ["team"])
    assert read.knows_labels("gone", ["team"]), "all were read: it carries none"
    unread = View(snapshot(gaps=(replace(GAP, part="namespaces"),)))
    assert not unread.knows_labels("apps", ["team"])
    assert unread.knows_labels("apps", [name])
