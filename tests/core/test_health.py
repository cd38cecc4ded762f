"""How healthy each add-on is: what is wrong and only that; a score that no gap improves, a coverage that it lowers."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.catalog import Catalog, ClusterService, EksInstall, Install, WorkloadFingerprint
from addonctl.dependencies import find_dependencies
from addonctl.findings import CHECKS, MAKERS, Aspect, Capability, by_urgency, finding
from addonctl.health import COVERAGE_MIN, AddonHealth, ClusterHealth, check_health, judge, judge_others
from addonctl.health.case import span_in_words
from addonctl.inventory import take_inventory
from addonctl.model import Condition, Finding, Health, ObjectRef, Owner, Port, Severity, View, owners
from addonctl.render import commands
from tests import odd
from tests.builders import NOW, addon, eks, small_catalog, snapshot, workload

ENTRIES = (
    addon(
        "coredns",
        "coredns/coredns",
        system=True,
        auto_mode="cluster DNS",
        install=Install(eks=EksInstall(name="coredns", namespace="apps")),
    ),
    addon("hook", "acme/hook", crd_groups=("hook.test",)),
    addon("twin", "acme/twin", singleton=False),
)
CATALOG: Catalog = replace(small_catalog(), addons={entry.id: entry for entry in ENTRIES})


def runs(name: str = "hook", image: str = "", *, desired: int | None = 2, **more: Any) -> model.Workload:
    """A workload of namespace `apps`, all of its pods available unless `available` says otherwise."""
    given = {"ready": desired, "available": desired} | more
    fields = {key: given.pop(key) for key in tuple(given) if key in ("has_topology_spread", "has_pod_anti_affinity")}
    made = workload(name, image or f"acme/{name}:1.0", desired=desired, **given)
    return replace(made, template=replace(made.template, labels={"app": name}, **fields))


def pod(of: model.Workload, *containers: model.ContainerStatus, name: str = "", **more: Any) -> model.Pod:
    """A pod of a workload, ready and an hour old."""
    kind = "ReplicaSet" if of.kind == "Deployment" else of.kind
    owner = ObjectRef(kind=kind, name=f"{of.name}-5d78" if kind == "ReplicaSet" else of.name, group="apps")
    given: dict[str, Any] = {
        "phase": "Running",
        "ready": True,
        "created": NOW - timedelta(hours=1),
        "owners": (owner,),
        "labels": {**of.template.labels, "pod-template-hash": "5d78"},
    }
    return model.Pod(
        name=name or f"{of.name}-5d78-x2x4z", namespace=of.namespace, containers=containers, **(given | more)
    )


def judged(
    *workloads: model.Workload,
    known: Catalog = CATALOG,
    object_health: Iterable[model.ObjectHealth] = (),
    probes: tuple[model.ProbeAnswer, ...] = (),
    owner: Owner | None = None,
    **parts: Any,
) -> ClusterHealth:
    """The health of a small cluster; `owner` keeps all that is installed in it."""
    view = View(snapshot(workloads=workloads, **parts))
    inventory = take_inventory(view, known)
    if owner is not None:
        rows = tuple(replace(row, owner=owner) for row in inventory.installations)
        inventory = replace(inventory, installations=rows)
    owners = find_dependencies(view, inventory, known).owners
    return check_health(view, inventory, known, owners, object_health, probes)


def found(*workloads: model.Workload, **parts: Any) -> list[Finding]:
    return list(judged(*workloads, **parts).findings)


def codes(*workloads: model.Workload, **parts: Any) -> list[str]:
    return [item.code for item in found(*workloads, **parts)]


def only(code: str, *workloads: model.Workload, **parts: Any) -> Finding:
    (item,) = (item for item in found(*workloads, **parts) if item.code == code)
    return item


def one(*workloads: model.Workload, **parts: Any) -> AddonHealth:
    (health,) = judged(*workloads, **parts).addons
    return health


def fix(item: Finding) -> str:
    """How to fix it, as people read it."""
    return commands.fix_text(item)


def gaps(*parts: str) -> tuple[model.Gap, ...]:
    return tuple(model.Gap(part=part, reason=model.GapReason.FORBIDDEN, detail="403") for part in parts)


HOOK = runs()
DNS = runs("coredns", "coredns/coredns:v1.12.4", has_topology_spread=True)


def test_an_addon_that_is_well_has_no_findings() -> None:
    assert codes(HOOK, DNS, pods=(pod(HOOK), pod(DNS))) == []
    assert one(HOOK, pods=(pod(HOOK),)).health is Health.HEALTHY


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def status(name: str = "main", **more: Any) -> model.ContainerStatus:
    return model.ContainerStatus(name=name, image="acme/hook:1.0", **more)


@pytest.mark.parametrize(
    "crashed",
    [status(waiting="CrashLoopBackOff", restarts=7), status(exit_code=1, restarts=2)],
    ids=["backing off", "between two starts"],
)
def test_a_crashing_pod_is_found(crashed: model.ContainerStatus) -> None:
    item = only("HLT001", HOOK, pods=(pod(HOOK, crashed, ready=False),))
    assert (str(item.subject), item.severity) == ("Deployment/apps/hook", Severity.REQUIRED)
    assert item.evidence[0].subject == "apps/hook-5d78-x2x4z"
    assert "hook-5d78-x2x4z" in fix(item)
    assert "--previous" in fix(item)


def test_the_log_is_that_of_the_container_that_crashed() -> None:
    """kubectl gives up at the first container that has no run before."""
    two = pod(HOOK, status("sidecar", ready=True), status(waiting="CrashLoopBackOff", restarts=7), ready=False)
    log = "kubectl logs -n apps pod/hook-5d78-x2x4z -c main --previous"
    assert log in fix(only("HLT001", HOOK, pods=(two,))).splitlines()
    again = pod(HOOK, status("sidecar", ready=True), restarted(5, timedelta(minutes=1)))
    assert fix(only("HLT007", HOOK, pods=(again,))) == log


def test_memory_that_ran_out_is_told_by_the_last_exit_not_by_a_name() -> None:
    looping = status("OOMKilled-watcher", waiting="CrashLoopBackOff", restarts=7, last_exit="Error")
    assert "memory" not in fix(only("HLT001", HOOK, pods=(pod(HOOK, looping, ready=False),)))
    killed = replace(looping, last_exit="OOMKilled")
    assert "memory" in fix(only("HLT001", HOOK, pods=(pod(HOOK, killed, ready=False),)))


@pytest.mark.parametrize(
    "well",
    [
        pod(HOOK, status(ready=True, restarts=1)),
        pod(HOOK, status("init", exit_code=0, restarts=1), status(ready=True)),
        pod(HOOK, status(waiting="ContainerCreating")),
        pod(HOOK, status(exit_code=1)),
    ],
    ids=["restarted once", "init done", "starting", "ended for the first time"],
)
def test_a_pod_that_does_not_crash_again_and_again_is_silent(well: model.Pod) -> None:
    assert "HLT001" not in codes(HOOK, pods=(well,))


@pytest.mark.parametrize(
    "gone",
    [
        {"phase": "Failed", "reason": "NodeShutdown"},
        {"phase": "Failed", "reason": "Evicted"},
        {"phase": "Running", "deleting": True},
    ],
    ids=["its node was shut down", "evicted", "being deleted"],
)
def test_a_pod_that_is_gone_already_does_not_crash(gone: dict[str, Any]) -> None:
    """Its replacement runs; the record of it stays for hours."""
    killed = status(exit_code=137, restarts=2, last_exit="Error")
    assert codes(HOOK, pods=(pod(HOOK), pod(HOOK, killed, name="hook-5d78-old", ready=False, **gone))) == []


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_pods_of_jobs_may_fail(kind: str) -> None:
    job = runs("hook-migrate", "acme/hook:1.0", kind=kind)
    failed = pod(job, status(exit_code=1, restarts=3), ready=False)
    assert codes(HOOK, job, pods=(failed,)) == []


@pytest.mark.parametrize(
    ("waiting", "code"),
    [
        ("ImagePullBackOff", "HLT002"),
        ("ErrImagePull", "HLT002"),
        ("InvalidImageName", "HLT002"),
        ("CreateContainerConfigError", "HLT003"),
        ("RunContainerError", "HLT003"),
        ("ContainerCreating", None),
        ("PodInitializing", None),
        ("", None),
    ],
)
def test_what_a_container_waits_for(waiting: str, code: str | None) -> None:
    listed = codes(HOOK, pods=(pod(HOOK, status(waiting=waiting), ready=False),))
    assert listed == ([code] if code else [])


def unscheduled(**more: Any) -> model.Pod:
    why = Condition(type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes are available")
    given: dict[str, Any] = {"phase": "Pending", "ready": False, "conditions": (why,)}
    return pod(HOOK, **(given | more))


def test_a_pod_that_finds_no_node_is_found_with_the_schedulers_words() -> None:
    assert only("HLT004", HOOK, pods=(unscheduled(),)).evidence[0].detail == "0/3 nodes are available"


@pytest.mark.parametrize(
    "more",
    [{"created": NOW - timedelta(seconds=20)}, {"created": None}, {"conditions": ()}, {"phase": "Running"}],
    ids=["just made", "age unknown", "scheduled", "running"],
)
def test_a_pod_that_may_yet_be_scheduled_is_silent(more: dict[str, Any]) -> None:
    assert "HLT004" not in codes(HOOK, pods=(unscheduled(**more),))


def test_where_nodes_are_made_for_pods_they_may_take_a_while() -> None:
    known = replace(
        CATALOG,
        addons={
            **CATALOG.addons,
            "karpenter": addon("karpenter", "karpenter/controller", provides=(ClusterService.NODE_SCALING,)),
        },
    )
    scaler = runs("karpenter", "karpenter/controller:1.0", has_topology_spread=True)

    def listed(age: timedelta) -> bool:
        result = judged(HOOK, scaler, known=known, pods=(unscheduled(created=NOW - age),))
        return "HLT004" in [item.code for item in result.findings]

    assert not listed(timedelta(minutes=2))
    assert listed(timedelta(minutes=4))


def restarted(count: int, ago: timedelta, why: str = "Error", **more: Any) -> model.ContainerStatus:
    return status(restarts=count, last_exit=why, last_exit_at=NOW - ago, ready=True, **more)


@pytest.mark.parametrize(
    ("container", "found_it"),
    [
        (restarted(3, timedelta(minutes=10)), True),
        (restarted(1, timedelta(hours=23), "OOMKilled"), True),
        (restarted(2, timedelta(minutes=10)), False),
        (restarted(40, timedelta(hours=2)), False),
        (restarted(1, timedelta(hours=25), "OOMKilled"), False),
        (status(restarts=9, ready=True), False),
    ],
    ids=["often and lately", "out of memory", "twice", "long ago", "out of memory long ago", "when is unknown"],
)
def test_restarts_count_while_they_are_fresh(container: model.ContainerStatus, found_it: bool) -> None:
    assert ("HLT007" in codes(HOOK, pods=(pod(HOOK, container),))) is found_it


def test_a_crash_loop_is_not_said_twice() -> None:
    looping = restarted(9, timedelta(minutes=1), "OOMKilled", waiting="CrashLoopBackOff")
    assert codes(HOOK, pods=(pod(HOOK, looping),)) == ["HLT001"]


# ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("available", "severity"), [(1, Severity.RECOMMENDED), (0, Severity.REQUIRED)], ids=["some", "none"]
)
def test_fewer_pods_than_wanted(available: int, severity: Severity) -> None:
    item = only("HLT005", runs(available=available))
    assert (str(item.subject), item.severity) == ("Deployment/apps/hook", severity)
    assert item.evidence[0].detail == f"{available} of 2 pods available"


def test_ready_counts_where_available_is_not_said() -> None:
    assert codes(runs(available=None, ready=2)) == []
    assert codes(runs(available=None, ready=1)) == ["HLT005"]
    assert codes(runs(available=None, ready=None)) == [], "nothing says how many there are"


STUCK = Condition(type="Progressing", status="False", reason="ProgressDeadlineExceeded", message="has timed out")


def test_a_change_that_is_stuck_is_required_with_its_condition() -> None:
    item = only("HLT005", runs(available=1, conditions=(STUCK,)))
    assert item.severity is Severity.REQUIRED
    assert ("Progressing", "has timed out") in [(seen.subject, seen.detail) for seen in item.evidence]


def test_a_change_that_is_stuck_is_found_though_the_old_pods_still_serve() -> None:
    """maxUnavailable 0 keeps them: all are available, and the new version never comes."""
    assert codes(runs(updated=1, conditions=(STUCK,))) == ["HLT005"]


@pytest.mark.parametrize(
    ("total", "more", "found_it"),
    [
        (3, {}, True),
        (3, {"created": NOW - timedelta(minutes=1)}, False),
        (3, {"ready": True}, False),
        (3, {"deleting": True}, False),
        (2, {}, False),
        (None, {}, False),
    ],
    ids=["stuck", "just begun", "ready", "on its way out", "no change under way", "how many is not said"],
)
def test_a_new_pod_that_does_not_get_ready_holds_a_change_up(
    total: int | None, more: dict[str, Any], found_it: bool
) -> None:
    given: dict[str, Any] = {"ready": False, "name": "hook-new-a"} | more
    changing = runs(total=total)
    assert codes(changing, pods=(pod(changing), pod(changing, status(), **given))) == (["HLT005"] if found_it else [])


def test_a_pod_that_is_not_ready_says_why() -> None:
    short = runs(available=1)
    why = Condition(type="Ready", status="False", message="containers with unready status: [main]")
    item = only("HLT005", short, pods=(pod(short, ready=False, conditions=(why,)), pod(short, name="hook-5d78-b")))
    assert [seen.detail for seen in item.evidence] == ["1 of 2 pods available", why.message]


def test_a_shortage_that_its_pods_explain_is_not_said_twice() -> None:
    crashing = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=5), ready=False)
    assert codes(runs(available=1), pods=(crashing,)) == ["HLT001"]


def test_an_addon_scaled_to_zero_is_found_and_a_system_one_must_not_be() -> None:
    assert only("HLT006", runs(desired=0)).severity is Severity.RECOMMENDED
    dns = runs("coredns", "coredns/coredns:v1.12.4", desired=0)
    assert only("HLT006", dns).severity is Severity.REQUIRED


def test_a_daemon_set_without_nodes_for_it_is_not_scaled_to_zero() -> None:
    assert codes(runs(kind="DaemonSet", desired=0), nodes=(node("n1", "True"),)) == []


def agent(name: str = "coredns", desired: int = 0) -> model.Workload:
    return runs(name, "coredns/coredns:v1.12.4", kind="DaemonSet", desired=desired)


def test_a_system_daemon_set_that_no_node_fits_is_found() -> None:
    assert only("HLT006", agent(), nodes=(node("n1", "True"),)).severity is Severity.REQUIRED
    assert codes(agent()) == [], "no node was seen"
    assert codes(agent(), agent("coredns-windows", desired=2), nodes=(node("n1", "True"),)) == []


@pytest.mark.parametrize("compute", ["fargate", "auto", "hybrid"])
def test_a_system_daemon_set_keeps_off_nodes_that_have_it_built_in(compute: str) -> None:
    """aws-node and kube-proxy leave out Fargate and Auto Mode by affinity; aws-node hybrid nodes as well."""
    other = replace(node("n1", "True"), labels={"eks.amazonaws.com/compute-type": compute})
    assert codes(agent(), nodes=(other,)) == []


def test_an_addon_scaled_to_zero_is_not_healthy() -> None:
    assert one(runs(desired=0)).health is Health.SUSPENDED


def test_what_must_not_be_stopped_is_degraded_though_it_was_on_purpose() -> None:
    """Without DNS the cluster is down, and a webhook that refuses everything is no rest either."""
    assert one(runs("coredns", "coredns/coredns:v1.12.4", desired=0)).health is Health.DEGRADED
    refusing = one(runs(desired=0), services=(SERVICE,), webhook_configurations=(called(),))
    assert refusing.health is Health.DEGRADED


def test_a_rollout_that_is_paused_halfway_is_found() -> None:
    item = only("HLT005", runs(paused=True, updated=1))
    assert item.evidence[0].detail == "its rollout is paused: 1 of 2 replicas are updated"
    assert codes(runs(paused=True, updated=2)) == []
    assert only("HLT005", runs(paused=True, updated=1, available=0)).severity is Severity.REQUIRED
    assert codes(runs(updated=1)) == []


def test_a_job_that_gave_up_is_found_unless_it_comes_again() -> None:
    gave_up = Condition(type="Failed", status="True", reason="BackoffLimitExceeded", message="limit reached")
    job = runs("hook-setup", "acme/hook:1.0", kind="Job", desired=1, conditions=(gave_up,))
    assert only("HLT023", HOOK, job).evidence[0].detail == "BackoffLimitExceeded: limit reached"
    assert codes(HOOK, replace(job, owners=(ObjectRef(kind="CronJob", name="hook"),))) == []
    assert codes(HOOK, replace(job, conditions=())) == []


def test_what_is_kept_at_zero_until_it_is_needed_is_silent() -> None:
    idle = addon("idle", "acme/idle", workloads=(WorkloadFingerprint(kind="Deployment", name="idle", idle=True),))
    known = replace(CATALOG, addons={**CATALOG.addons, "idle": idle})
    assert not judged(runs("idle", desired=0), known=known).findings
    assert judged(runs("idle-2", "acme/idle:1.0", desired=0), known=known).findings


def test_what_is_said_of_a_workload_scaled_to_zero_is_not_said_of_what_it_serves() -> None:
    """Its Service leads nowhere, its leader is gone, its budget guards no pod: effects of one decision."""
    listed = codes(
        runs(desired=0),
        services=(SERVICE,),
        endpoint_slices=(slice_of(0),),
        leases=(lease(timedelta(hours=2)),),
        disruption_budgets=(budget(allowed=0, pods=0, healthy=0),),
    )
    assert listed == ["HLT006"]


def test_a_kind_of_workload_that_nobody_knows_is_judged_by_its_counts() -> None:
    strange = runs(kind="Rollout", available=1)
    item = only("HLT005", strange)
    assert str(item.subject) == "Rollout/apps/hook"
    assert judge(View(snapshot(workloads=(strange,)))) == ()


GITOPS = (
    owners.ArgoApplication("argocd", "hook"),
    owners.FluxHelmRelease("flux-system", "hook"),
    owners.FluxKustomization("flux-system", "hook"),
)


def to_change_by_hand(owner: Owner | None = None) -> list[tuple[str, Finding]]:
    """Findings whose fix changes an object, by what kubectl would be told."""
    service = replace(SERVICE, ports=(Port.of("web:80/TCP"),))
    cases: list[tuple[str, str, tuple[model.Workload, ...], dict[str, Any]]] = [
        ("rollout resume", "HLT005", (runs(paused=True, updated=1),), {}),
        ("scale", "HLT006", (runs(desired=0),), {}),
        ("edit", "HLT008", (HOOK,), {"services": (service,), "endpoint_slices": (slice_of(1),)}),
        ("edit", "HLT022", (HOOK,), {"disruption_budgets": (replace(MISSES, name="hook"),)}),
        ("delete", "HLT009", (HOOK,), {"services": (SERVICE,), "webhook_configurations": (called(),)}),
    ]
    lost = replace(SERVICE, labels={"app": "hook"}, selector={"app": "typo"})
    cases.append(("edit", "HLT008", (replace(HOOK, labels={"app": "hook"}),), {"services": (lost,)}))
    return [(verb, only(code, *workloads, owner=owner, **parts)) for verb, code, workloads, parts in cases]


def test_what_nobody_keeps_is_changed_by_hand() -> None:
    for verb, item in to_change_by_hand():
        assert f"kubectl {verb} " in fix(item), item


@pytest.mark.parametrize("owner", GITOPS, ids=lambda owner: owner.type)
def test_what_a_gitops_controller_keeps_is_changed_where_it_is_kept(owner: Owner) -> None:
    """It would undo a change made with kubectl."""
    for verb, item in to_change_by_hand(owner):
        assert f"kubectl {verb} " not in fix(item), item
        assert f"Where {owner} is kept: " in fix(item), item


# ── Services ────────────────────────────────────────────────────────────────────────────────────────────────────

SERVICE = model.Service(name="hook", namespace="apps", selector={"app": "hook"})


def slice_of(ready: int, service: str = "hook", not_ready: int = 0) -> model.EndpointSlice:
    return model.EndpointSlice(name=f"{service}-x", namespace="apps", service=service, ready=ready, not_ready=not_ready)


def test_a_service_without_a_ready_pod_is_found() -> None:
    item = only("HLT008", HOOK, services=(SERVICE,), endpoint_slices=(slice_of(0, not_ready=2),))
    assert (str(item.subject), item.severity) == ("Service/apps/hook", Severity.RECOMMENDED)
    assert item.evidence[0].detail == "no pod behind it is ready"
    assert codes(HOOK, services=(SERVICE,)) == ["HLT008"], "no slice at all is no endpoint"


def test_a_service_whose_ports_lead_to_no_port_of_its_pods_is_found() -> None:
    ports = tuple(map(Port.of, ("dns:53/UDP>dns", "metrics:9153/TCP")))

    def listed(workload: model.Workload, *answered: str) -> list[tuple[str, Severity]]:
        service = replace(SERVICE, selector={"app": workload.name}, ports=ports)
        parts: dict[str, Any] = {
            "services": (service,),
            "endpoint_slices": (replace(slice_of(2), ports=tuple(map(Port.of, answered))),),
        }
        return [
            (item.evidence[0].detail, item.severity)
            for item in judged(workload, **parts).findings
            if item.code == "HLT008"
        ]

    dns = runs("coredns", "coredns/coredns:v1.12.4", has_topology_spread=True)
    assert listed(dns, "dns:5353/UDP", "metrics:9153/TCP") == []
    assert listed(dns, "metrics:9153/TCP") == [
        ("targetPort of dns:53/UDP (dns) matches no container port", Severity.REQUIRED)
    ]
    assert listed(HOOK, "metrics:9153/TCP") == [], "one of several is spared: a chart may list more than its pods have"
    assert [severity for _, severity in listed(HOOK)] == [Severity.RECOMMENDED]


def test_one_ready_endpoint_in_any_slice_is_enough() -> None:
    assert codes(HOOK, services=(SERVICE,), endpoint_slices=(slice_of(0), slice_of(1))) == []


@pytest.mark.parametrize(
    ("port", "slice_ports", "why"),
    [
        (443, (":8443/TCP",), ""),
        (9443, (":8443/TCP",), "has no port 9443"),
        (443, (), "has a port 443 whose targetPort matches no container port"),
        (443, ("metrics:9090/TCP",), "has a port 443 whose targetPort matches no container port"),
    ],
    ids=["it leads to a pod", "the Service lacks it", "no pod has it", "no pod has it, but another"],
)
def test_a_webhooks_port_has_to_lead_to_a_port_of_a_pod(port: int, slice_ports: tuple[str, ...], why: str) -> None:
    service = replace(SERVICE, ports=(Port.of(":443/TCP"),))
    slices = (replace(slice_of(1), ports=tuple(map(Port.of, slice_ports))),)
    result = judged(HOOK, services=(service,), endpoint_slices=slices, webhook_configurations=(called(port=port),))
    assert [item.evidence[0].detail for item in result.findings if item.code == "HLT009"] == (
        [f"Service apps/hook {why}, failurePolicy Fail"] if why else []
    )


@pytest.mark.parametrize("part", ["services", "endpoint_slices"])
def test_endpoints_that_were_not_read_are_not_missing(part: str) -> None:
    assert codes(HOOK, services=(SERVICE,), gaps=gaps(part)) == []


def test_a_service_without_a_selector_or_of_nobody_is_silent() -> None:
    assert codes(HOOK, services=(replace(SERVICE, selector={}),)) == []
    assert codes(HOOK, services=(replace(SERVICE, name="shop", selector={"app": "shop"}),)) == []


def test_a_selector_that_selects_nothing_is_told_with_the_labels_there_are() -> None:
    labelled = replace(HOOK, labels={"app": "hook"})
    lost = replace(SERVICE, labels={"app": "hook"}, selector={"app": "typo"})
    item = only("HLT008", labelled, services=(lost,))
    assert item.evidence[0].detail == "its selector app=typo selects no workload"
    assert "app=hook" in fix(item)


def test_a_label_cannot_put_a_line_of_its_own_into_a_fix() -> None:
    evil = "x\nkubectl delete namespace kube-system #"
    labelled = replace(HOOK, labels={"app": "hook"}, template=replace(HOOK.template, labels={"app": "hook", "v": evil}))
    lost = replace(SERVICE, labels={"app": "hook"}, selector={"app": "hook", "v": "typo"})
    for item in (
        only("HLT008", labelled, services=(lost,)),
        only("HLT022", labelled, disruption_budgets=(replace(MISSES, name="hook"),)),
    ):
        assert "v=x" in fix(item)
        assert not any(line.startswith("kubectl delete") for line in fix(item).splitlines())


def called(policy: str = "Fail", port: int = 443, **more: Any) -> model.WebhookConfiguration:
    target = model.ServiceTarget(namespace="apps", name="hook", port=port)
    hook = model.Webhook(name="h.example.com", failure_policy=policy, service=target, **more)
    return model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="hook", webhooks=(hook,))


def test_a_service_whose_silence_refuses_requests_is_required() -> None:
    def severity(policy: str) -> Severity:
        parts: dict[str, Any] = {"services": (SERVICE,), "webhook_configurations": (called(policy),)}
        return only("HLT008", HOOK, **parts).severity

    assert severity("Fail") is Severity.REQUIRED
    assert severity("Ignore") is Severity.RECOMMENDED


def test_a_system_addons_service_is_required() -> None:
    dns = model.Service(name="kube-dns", namespace="apps", selector={"app": "coredns"})
    assert only("HLT008", DNS, services=(dns,)).severity is Severity.REQUIRED


def test_a_service_of_nobody_that_the_api_server_calls_is_found() -> None:
    parts: dict[str, Any] = {"services": (SERVICE,), "webhook_configurations": (called(),)}
    assert codes(**parts) == ["HLT008", "HLT009"]
    assert codes(**parts, endpoint_slices=(slice_of(1),)) == []


def test_an_api_of_nobody_that_is_not_available_is_found_and_one_without_a_service_is_the_inventorys() -> None:
    assert codes(api_services=(api("False"),)) == ["HLT010"]
    (gone,) = api("False").conditions
    lost = replace(api("False"), conditions=(replace(gone, reason="ServiceNotFound"),))
    assert codes(api_services=(lost,)) == []


# ── Webhooks, APIs, CRDs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("policy", "severity"), [("Fail", Severity.REQUIRED), ("Ignore", Severity.RECOMMENDED)])
def test_a_webhook_without_a_ready_pod_is_as_bad_as_its_failure_policy(policy: str, severity: Severity) -> None:
    item = only("HLT009", HOOK, services=(SERVICE,), webhook_configurations=(called(policy),))
    assert (str(item.subject), item.severity) == ("ValidatingWebhookConfiguration/hook", severity)


@pytest.mark.parametrize(
    "parts",
    [
        {"services": (SERVICE,), "endpoint_slices": (slice_of(1),)},
        {"services": (SERVICE,), "gaps": gaps("endpoint_slices")},
        {},
    ],
    ids=["answered", "not read", "its Service is gone: the inventory says so"],
)
def test_a_webhook_that_may_be_answered_is_silent(parts: dict[str, Any]) -> None:
    assert "HLT009" not in codes(HOOK, webhook_configurations=(called(),), **parts)


def test_refusing_webhooks_are_found_though_the_addon_was_scaled_to_zero() -> None:
    listed = codes(runs(desired=0), services=(SERVICE,), webhook_configurations=(called(),))
    assert listed == ["HLT006", "HLT009"]


def api(status: str) -> model.ApiService:
    return model.ApiService(
        name="v1.hook.test",
        group="hook.test",
        version="v1",
        service=model.ServiceTarget(namespace="apps", name="hook"),
        conditions=(Condition(type="Available", status=status, reason="FailedDiscoveryCheck", message="no route"),),
    )


@pytest.mark.parametrize(("status", "found_it"), [("False", True), ("Unknown", True), ("True", False)])
def test_an_api_that_is_not_available(status: str, found_it: bool) -> None:
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(2),)}
    assert codes(HOOK, api_services=(api(status),), **parts) == (["HLT010"] if found_it else [])
    assert codes(HOOK, api_services=(replace(api(status), conditions=()),), **parts) == []


def crd(*conditions: tuple[str, str], **more: Any) -> model.CustomResourceDefinition:
    said = tuple(Condition(type=kind, status=status, message="conflict") for kind, status in conditions)
    return model.CustomResourceDefinition(
        name="hooks.hook.test", group="hook.test", kind="Hook", conditions=said, **more
    )


@pytest.mark.parametrize(
    ("conditions", "found_it"),
    [
        ([("Established", "False")], True),
        ([("Established", "True"), ("NamesAccepted", "False")], True),
        ([("Established", "True"), ("Terminating", "True")], True),
        ([("Established", "True"), ("NamesAccepted", "True"), ("Terminating", "False")], False),
        ([], False),
    ],
)
def test_a_crd_that_is_not_established(conditions: list[tuple[str, str]], found_it: bool) -> None:
    assert codes(HOOK, crds=(crd(*conditions),)) == (["HLT011"] if found_it else [])


def test_a_crd_of_nobody_is_silent() -> None:
    assert codes(HOOK, crds=(replace(crd(("Established", "False")), group="other.test"),)) == []


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (timedelta(days=60), None),
        (timedelta(days=30), None),
        (timedelta(days=29), Severity.INFO),
        (timedelta(days=7), Severity.RECOMMENDED),
        (timedelta(days=6), Severity.RECOMMENDED),
        (timedelta(days=-1), Severity.REQUIRED),
    ],
)
def test_a_ca_that_ends(left: timedelta, severity: Severity | None) -> None:
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(2),)}
    for listed in (
        found(HOOK, webhook_configurations=(called(ca_expires=NOW + left),), **parts),
        found(HOOK, api_services=(replace(api("True"), ca_expires=NOW + left),), **parts),
        found(HOOK, crds=(crd(conversion_ca_expires=NOW + left),), **parts),
    ):
        assert [(item.code, item.severity) for item in listed] == ([("HLT012", severity)] if severity else [])


def test_of_several_cas_the_earliest_end_counts_and_it_is_said_once() -> None:
    first, second = called(ca_expires=NOW + timedelta(days=20)), called(ca_expires=NOW - timedelta(hours=1))
    both = replace(first, webhooks=(*first.webhooks, *second.webhooks))
    item = only("HLT012", HOOK, webhook_configurations=(both,), services=(SERVICE,), endpoint_slices=(slice_of(2),))
    assert "ended on 2026-11-24 11:00 UTC" in item.evidence[0].detail
    assert item.severity is Severity.REQUIRED


# ── Resilience ──────────────────────────────────────────────────────────────────────────────────────────────────


def budget(
    allowed: int | None = 0, pods: int | None = 2, healthy: int | None = 2, **more: Any
) -> model.DisruptionBudget:
    given: dict[str, Any] = {"selector": {"app": "hook"}, "min_available": "2", "healthy_wanted": pods}
    return model.DisruptionBudget(
        name="pdb", namespace="apps", disruptions_allowed=allowed, pods=pods, healthy=healthy, **(given | more)
    )


def test_a_budget_that_allows_no_eviction_is_found() -> None:
    item = only("HLT013", HOOK, disruption_budgets=(budget(),))
    assert (str(item.subject), item.severity) == ("PodDisruptionBudget/apps/pdb", Severity.RECOMMENDED)
    assert item.evidence[0].detail == "minAvailable 2 with 2 pods: no pod may be evicted"
    zero = budget(min_available="", max_unavailable="0")
    assert only("HLT013", HOOK, disruption_budgets=(zero,)).evidence[0].detail.startswith("maxUnavailable 0 with")


@pytest.mark.parametrize(
    "silent",
    [
        budget(allowed=1),
        budget(healthy=1),
        budget(allowed=None, pods=None, healthy=None),
        budget(selector={"app": "shop"}),
        budget(selector=None),
    ],
    ids=["allows one", "its pods are ill: that is said of them", "no status", "of another", "no selector"],
)
def test_a_budget_that_is_well_or_of_another_is_silent(silent: model.DisruptionBudget) -> None:
    assert codes(HOOK, disruption_budgets=(silent,)) == []


MISSES = budget(pods=0, healthy=0, selector={"app": "typo"})


def test_a_budget_that_guards_nothing_is_worth_knowing_in_an_addons_namespace() -> None:
    idle = budget(pods=0, healthy=0, selector={"app": "typo"})
    item = only("HLT022", HOOK, disruption_budgets=(idle,))
    assert (item.severity, item.evidence[0].detail) == (Severity.INFO, "no pod matches app=typo")
    assert codes(HOOK, disruption_budgets=(replace(idle, namespace="shop"),)) == []
    assert codes(HOOK, disruption_budgets=(replace(idle, disruptions_allowed=None),)) == [], "no status yet"


def test_a_budget_that_misses_the_workload_of_its_name_is_worth_fixing() -> None:
    idle = replace(budget(pods=0, healthy=0, selector={"app": "typo"}), name="hook")
    item = only("HLT022", HOOK, disruption_budgets=(idle,))
    assert item.severity is Severity.RECOMMENDED
    assert "have the labels app=hook" in fix(item)


def test_a_budget_without_a_selector_guards_nothing_whatever_else_is_scaled_to_zero() -> None:
    bare = budget(pods=0, healthy=0, selector=None)
    assert codes(runs(desired=0), disruption_budgets=(bare,)) == ["HLT006", "HLT022"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_single_pod_that_answers_for_the_cluster_is_found(kind: str) -> None:
    single = runs(desired=1, kind=kind)
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(1),)}
    assert codes(single, webhook_configurations=(called(),), **parts) == ["HLT014"]
    assert codes(single, api_services=(api("True"),), **parts) == ["HLT014"]
    assert codes(runs("coredns", "coredns/coredns:v1", desired=1)) == ["HLT014"]


def test_a_single_pod_that_only_controls_or_one_a_node_is_silent() -> None:
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(1),)}
    assert codes(runs(desired=1), **parts) == []
    assert codes(runs("coredns", "coredns/coredns:v1", desired=1, kind="DaemonSet")) == []
    assert codes(HOOK, webhook_configurations=(called(),), **parts) == []


def test_replicas_of_a_system_addon_that_may_share_a_node_are_worth_knowing() -> None:
    bare = runs("coredns", "coredns/coredns:v1")
    assert only("HLT015", bare).severity is Severity.INFO
    assert codes(runs("coredns", "coredns/coredns:v1", has_pod_anti_affinity=True)) == []
    assert codes(DNS) == []
    assert codes(HOOK) == [], "it is no system add-on"


# ── Leaders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def lease(late: timedelta | None, holder: str = "hook-5d78-x2x4z_0a1b", **more: Any) -> model.Lease:
    renewed = None if late is None else NOW - late
    given: dict[str, Any] = {"name": "hook-leader", "namespace": "apps", "duration_s": 15}
    return model.Lease(holder=holder, renewed=renewed, **(given | more))


def test_a_leader_that_stopped_renewing_is_found() -> None:
    item = only("HLT016", HOOK, leases=(lease(timedelta(minutes=5)),), pods=(pod(HOOK),))
    assert (str(item.subject), item.severity) == ("Lease/apps/hook-leader", Severity.RECOMMENDED)
    assert "5 min ago (lease of 15 s)" in item.evidence[0].detail


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=119), "119 s"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=119, seconds=59), "119 min"),
        (timedelta(hours=7, minutes=59), "7 h"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_a_span_of_time_is_said_in_the_unit_that_fits_it(span: timedelta, words: str) -> None:
    assert span_in_words(span) == words


@pytest.mark.parametrize(
    "silent",
    [
        lease(timedelta(seconds=70)),
        lease(timedelta(seconds=-3)),
        lease(None),
        lease(timedelta(hours=1), holder=""),
        lease(timedelta(hours=1), duration_s=None),
        lease(timedelta(hours=1), duration_s=0),
        lease(timedelta(hours=1), holder="shop-5d78-x2x4z"),
        lease(timedelta(hours=1), holder="hooked-5d78-x2x4z"),
        lease(timedelta(hours=1), namespace="kube-node-lease"),
    ],
    ids=["a little late", "clock ahead", "never", "nobody", "no duration", "zero", "another's", "alike", "a node's"],
)
def test_a_lease_that_is_held_or_not_ours_is_silent(silent: model.Lease) -> None:
    assert codes(HOOK, leases=(silent,), pods=(pod(HOOK),)) == []


def test_the_workload_that_leads_is_the_one_whose_name_fits_best() -> None:
    injector = runs("hook-injector", "acme/hook:1.0")
    late = lease(timedelta(hours=1), holder="hook-injector-5d78-abcde")
    item = only("HLT016", HOOK, injector, leases=(late,), pods=(pod(injector, name="hook-injector-5d78-abcde"),))
    assert "hook-injector" in fix(item)


def test_of_two_copies_the_one_beside_the_lease_is_blamed() -> None:
    here, there = (runs("twin", "acme/twin:1", namespace=namespace) for namespace in ("a", "b"))
    late = lease(timedelta(minutes=10), holder="twin-5d78-x2x4z", namespace="a")
    result = judged(here, there, leases=(late,), pods=(pod(here), pod(there, name="twin-5d78-other")))
    assert [item.code for item in result.findings] == ["HLT016"]
    assert [(each.id, each.score == 100) for each in result.addons] == [("twin/a/twin", False), ("twin/b/twin", True)]


def test_a_lease_in_another_namespace_than_its_leader_is_found() -> None:
    elsewhere = lease(timedelta(minutes=10), namespace="kube-system")
    assert codes(HOOK, leases=(elsewhere,), pods=(pod(HOOK),)) == ["HLT016"]


def test_a_lease_that_an_older_version_left_behind_is_silent() -> None:
    """Its holder is no pod any more, and nobody has renewed it for weeks: the lease has another name now."""
    left = lease(timedelta(days=40), holder="hook-111-gone", name="hook-old-leader")
    assert codes(HOOK, leases=(left, lease(timedelta(seconds=2))), pods=(pod(HOOK),)) == []
    assert codes(HOOK, leases=(replace(left, renewed=NOW - timedelta(minutes=5)),), pods=(pod(HOOK),)) == ["HLT016"]


# ── Around it ───────────────────────────────────────────────────────────────────────────────────────────────────


def event(subject: ObjectRef, reason: str = "FailedMount", ago: timedelta | None = timedelta(minutes=5)) -> model.Event:
    seen = None if ago is None else NOW - ago
    return model.Event(
        name="e", namespace="apps", subject=subject, reason=reason, message="why", count=4, last_seen=seen
    )


OWN_POD = ObjectRef(kind="Pod", name="hook-5d78-x2x4z", namespace="apps")


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (OWN_POD, "FailedCreatePodSandBox"),
        (HOOK.ref, "FailedGetResourceMetric"),
        (ObjectRef(kind="Service", name="hook", namespace="apps"), "FailedToUpdateEndpoint"),
    ],
)
def test_a_telling_event_about_an_addons_object_is_found(subject: ObjectRef, reason: str) -> None:
    parts: dict[str, Any] = {"pods": (pod(HOOK),), "services": (SERVICE,), "endpoint_slices": (slice_of(2),)}
    item = only("HLT017", HOOK, events=(event(subject, reason),), **parts)
    assert str(item.subject) == f"hook/apps/hook: {reason}"
    assert item.evidence[0].detail == f"{reason} ×4: why"


@pytest.mark.parametrize(
    "silent",
    [
        event(OWN_POD, "BackOff"),
        event(OWN_POD, "FailedCreatePodSandBox", ago=timedelta(hours=2)),
        event(ObjectRef(kind="Pod", name="shop-1", namespace="apps"), "FailedCreatePodSandBox"),
        event(replace(OWN_POD, namespace="shop"), "FailedCreatePodSandBox"),
        event(OWN_POD, "FailedMount"),
    ],
    ids=["repeats what the pod says", "long ago", "of another", "of a namesake", "of a pod that is ready since"],
)
def test_an_event_that_tells_nothing_new_is_silent(silent: model.Event) -> None:
    assert codes(HOOK, events=(silent,), pods=(pod(HOOK),)) == []


def test_events_of_one_reason_are_one_finding() -> None:
    both = (event(OWN_POD, "NetworkNotReady"), event(HOOK.ref, "NetworkNotReady"))
    listed = found(HOOK, pods=(pod(HOOK),), events=(*both, event(OWN_POD, "FailedCreatePodSandBox")))
    assert [(item.code, len(item.evidence)) for item in listed] == [("HLT017", 1), ("HLT017", 2)]


REPLICAS = ObjectRef.of("ReplicaSet", "hook-5d78", "apps")
REVISION = model.Revision(kind="ReplicaSet", name="hook-5d78", namespace="apps", owners=(HOOK.ref,))


@pytest.mark.parametrize("subject", [HOOK.ref, REPLICAS], ids=str)
def test_pods_that_are_refused_explain_a_shortage_and_are_told_alone_where_there_is_none(subject: ObjectRef) -> None:
    parts: dict[str, Any] = {"events": (event(subject, "FailedCreate"),), "revisions": (REVISION,)}
    assert codes(HOOK, **parts) == ["HLT017"]
    (short,) = found(runs(available=1), **parts)
    assert (short.code, short.evidence[-1].detail) == ("HLT005", "FailedCreate ×4: why")


def starting(waiting: str = "ContainerCreating") -> model.Pod:
    return pod(HOOK, status(waiting=waiting), phase="Pending", ready=False)


def test_a_volume_that_cannot_be_mounted_keeps_a_container_from_being_made() -> None:
    item = only("HLT003", HOOK, events=(event(OWN_POD),), pods=(starting(),))
    assert item.evidence[0].detail == "FailedMount: why"
    assert codes(HOOK, pods=(starting(),)) == []


def test_a_mount_that_came_late_is_not_why_a_running_container_is_not_ready() -> None:
    """`failed to sync configmap cache` is said of many a pod as it starts, and passes within seconds."""
    running = pod(HOOK, status(), ready=False)
    assert "HLT003" not in codes(HOOK, events=(event(OWN_POD),), pods=(running,))


def custom(name: str, kind: str = "Hook", api_version: str = "hook.test/v1") -> model.OtherObject:
    return model.OtherObject(name=name, namespace="apps", api_version=api_version, kind=kind)


def state(of: model.OtherObject, health: Health = Health.DEGRADED) -> model.ObjectHealth:
    return model.ObjectHealth(ref=of.ref, api_version=of.api_version, health=health, reason="denied")


def test_custom_resources_that_are_degraded_are_one_finding_a_kind() -> None:
    others = (custom("a"), custom("b"), custom("c", kind="Policy"))
    listed = found(HOOK, others=others, object_health=[state(each) for each in others])
    assert [(item.code, str(item.subject), len(item.evidence)) for item in listed] == [
        ("HLT018", "Hook of hook", 2),
        ("HLT018", "Policy of hook", 1),
    ]


@pytest.mark.parametrize("health", [each for each in Health if each is not Health.DEGRADED])
def test_custom_resources_that_are_not_degraded_are_silent(health: Health) -> None:
    assert codes(HOOK, others=(custom("a"),), object_health=[state(custom("a"), health)]) == []


def test_custom_resources_of_another_group_or_unjudged_are_silent() -> None:
    foreign = custom("a", api_version="other.test/v1")
    assert codes(HOOK, others=(foreign,), object_health=[state(foreign)]) == []
    assert codes(HOOK, others=(custom("a"),)) == []
    assert codes(HOOK, others=(custom("a"),), object_health=[state(foreign)]) == [], "a namesake of another group"


def test_a_namesake_of_another_group_hides_nothing() -> None:
    """Knative has a Certificate as well; both may bear one name."""
    mine, foreign = custom("web"), custom("web", api_version="networking.internal.test/v1")
    healths = [state(mine), state(foreign, Health.HEALTHY)]
    for listed in (healths, healths[::-1]):
        item = only("HLT018", HOOK, others=(mine, foreign), object_health=listed)
        assert [shown.ref for shown in item.evidence] == [mine.ref]


def test_kinds_of_one_name_in_two_groups_of_an_addon_are_two_findings() -> None:
    known = replace(CATALOG, addons={"hook": addon("hook", "acme/hook", crd_groups=("a.test", "b.test"))})
    both = (custom("x", api_version="a.test/v1"), custom("x", api_version="b.test/v1"))
    listed = judged(HOOK, known=known, others=both, object_health=map(state, both)).findings
    assert [str(item.subject) for item in listed] == ["Hook.a.test of hook", "Hook.b.test of hook"]


def test_what_flux_and_argo_cd_are_asked_for_are_custom_resources_of_theirs() -> None:
    groups = ("helm.toolkit.fluxcd.io", "argoproj.io")
    known = replace(CATALOG, addons={"hook": addon("hook", "acme/hook", crd_groups=groups)})
    failed = Condition(type="Ready", status="False", reason="InstallFailed", message="timed out")
    parts: dict[str, Any] = {
        "flux_helm_releases": (model.FluxHelmRelease(name="db", namespace="flux", conditions=(failed,)),),
        "applications": (model.Application(name="shop", namespace="argocd", health="Degraded", sync="Synced"),),
    }
    said = tuple(judge_others(View(snapshot(**parts))))
    listed = judged(HOOK, known=known, object_health=said, **parts).findings
    assert [(str(item.subject), item.evidence[0].subject) for item in listed if item.code == "HLT018"] == [
        ("HelmRelease of hook", "HelmRelease/flux/db"),
        ("Application of hook", "Application/argocd/shop"),
    ]


def quota(used: str, hard: str, resource: str = "pods", namespace: str = "apps") -> model.ResourceQuota:
    return model.ResourceQuota(name="q", namespace=namespace, hard={resource: hard}, used={resource: used})


@pytest.mark.parametrize(
    ("full", "found_it"),
    [
        (quota("10", "10"), True),
        (quota("2000m", "2", "requests.cpu"), True),
        (quota("1Gi", "1024Mi", "limits.memory"), True),
        (quota("9", "10"), False),
        (quota("0", "0"), False),
        (quota("10", "10", namespace="shop"), False),
        (model.ResourceQuota(name="q", namespace="apps", hard={"pods": "10"}), False),
        (quota("1", "1", "services.loadbalancers"), False),
        (quota("5", "5", "count/secrets"), False),
        (quota("much", "some"), False),
    ],
    ids=[
        "pods",
        "in other units",
        "in binary units",
        "room left",
        "none allowed",
        "elsewhere",
        "no status",
        "nothing that a pod takes",
        "nor this",
        "no quantities",
    ],
)
def test_a_quota_that_is_used_up_for_pods(full: model.ResourceQuota, found_it: bool) -> None:
    assert codes(HOOK, quotas=(full,)) == (["HLT019"] if found_it else [])


def answer(health: Health, addon_id: str = "hook") -> model.ProbeAnswer:
    return model.ProbeAnswer(addon=addon_id, name="dns query", health=health, detail="no answer in 1 s")


def test_a_probe_that_failed_is_found_and_one_that_could_not_be_made_is_not() -> None:
    assert only("HLT020", HOOK, probes=(answer(Health.DEGRADED),)).evidence[0].detail == "no answer in 1 s"
    assert codes(HOOK, probes=(answer(Health.UNKNOWN), answer(Health.HEALTHY))) == []
    assert codes(HOOK, probes=(answer(Health.DEGRADED, "coredns"),)) == []


def test_a_probe_that_could_not_be_made_covers_nothing() -> None:
    parts: dict[str, Any] = {"pods": (pod(HOOK),)}
    plain, unknown = one(HOOK, **parts), one(HOOK, probes=(answer(Health.UNKNOWN),), **parts)
    assert (unknown.score, unknown.coverage) == (plain.score, plain.coverage)
    assert one(HOOK, probes=(answer(Health.HEALTHY),), **parts).coverage > plain.coverage


@pytest.mark.parametrize(
    ("status", "issues", "found_it"),
    [
        ("ACTIVE", (), False),
        ("UPDATING", (), False),
        ("DEGRADED", (), True),
        ("UPDATE_FAILED", (), True),
        ("ACTIVE", (model.EksIssue(code="AccessDenied", message="no role", resources=("arn:x",)),), True),
    ],
)
def test_what_eks_reports(status: str, issues: tuple[model.EksIssue, ...], found_it: bool) -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status=status, issues=issues)
    seen = found(DNS, eks=eks(addons=(listed,)))
    assert [item.code for item in seen] == (["EKS005"] if found_it else [])
    if issues:
        assert seen[0].evidence[1].detail == "no role (arn:x)"


def test_a_deletion_that_failed_is_not_fixed_by_an_update() -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status="DELETE_FAILED")
    assert "update-addon" not in fix(only("EKS005", DNS, eks=eks(addons=(listed,))))


def node(name: str, status: str, age: timedelta = timedelta(days=3)) -> model.Node:
    ready = Condition(type="Ready", status=status, reason="KubeletNotReady", message="no CNI")
    return model.Node(name=name, conditions=(ready,), created=NOW - age)


def test_nodes_that_are_not_ready_are_one_finding() -> None:
    assert only("HLT021", nodes=(node("a", "False"), node("b", "True"))).subject == ObjectRef.of("Node", "a")
    both = only("HLT021", nodes=(node("a", "False"), node("b", "Unknown"), node("c", "True")))
    assert (str(both.subject), len(both.evidence)) == ("2 of 3 nodes", 2)
    assert codes(nodes=(node("c", "True"), model.Node(name="d"))) == []


def test_a_node_that_runs_short_is_found() -> None:
    short = Condition(type="DiskPressure", status="True", message="kubelet has disk pressure")
    pressed = replace(node("a", "True"), conditions=(*node("a", "True").conditions, short))
    item = only("HLT024", nodes=(pressed, node("b", "True")))
    assert (str(item.subject), item.evidence[0].detail) == ("Node/a", "DiskPressure: kubelet has disk pressure")
    relieved = replace(pressed, conditions=(*node("a", "True").conditions, replace(short, status="False")))
    assert codes(nodes=(relieved,)) == []


def test_a_node_that_is_just_joining_is_not_broken() -> None:
    """With an autoscaler there is always one: it is not ready until its CNI is."""
    assert codes(nodes=(node("new", "False", timedelta(seconds=30)), node("old", "True"))) == []


# ── Causes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def causes(*workloads: model.Workload, **parts: Any) -> dict[str, str | None]:
    """The findings, with the code of their cause."""
    listed = found(*workloads, **parts)
    named = {item.id: item.code for item in listed}
    assert all(item.cause is None or item.cause in named for item in listed)
    return {item.code: named[item.cause] if item.cause else None for item in listed}


CRASHED = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=5), ready=False)
EFFECTS: dict[str, Any] = {"services": (SERVICE,), "webhook_configurations": (called(),)}


def test_pods_that_crash_are_why_their_service_and_its_webhook_do_not_answer() -> None:
    parts = {**EFFECTS, "api_services": (api("False"),), "pods": (CRASHED,)}
    assert causes(runs(available=0), **parts) == {
        "HLT001": None,
        "HLT008": "HLT001",
        "HLT009": "HLT008",
        "HLT010": "HLT008",
    }


def test_what_was_scaled_to_zero_is_why_its_webhook_does_not_answer() -> None:
    assert causes(runs(desired=0), **EFFECTS) == {"HLT006": None, "HLT009": "HLT006"}


def test_causes_stand_above_their_effects_though_these_are_more_urgent() -> None:
    listed = by_urgency(found(runs(desired=0), **EFFECTS))
    assert [(item.code, item.severity.value) for item in listed] == [("HLT006", "recommended"), ("HLT009", "required")]


def test_a_service_that_selects_nothing_has_no_cause_in_pods() -> None:
    lost = replace(SERVICE, labels={"app": "hook"}, selector={"app": "typo"})
    parts: dict[str, Any] = {"services": (lost,), "webhook_configurations": (called(),), "pods": (CRASHED,)}
    labelled = replace(runs(available=0), labels={"app": "hook"})
    assert causes(labelled, **parts) == {"HLT001": None, "HLT008": None, "HLT009": "HLT008"}


def test_one_of_two_workloads_that_is_down_is_no_sure_cause() -> None:
    other = runs("hook-b", "acme/hook:1.0")
    both = replace(other, template=replace(other.template, labels={"app": "hook"}))
    assert causes(runs(available=0), both, pods=(CRASHED,), **EFFECTS)["HLT008"] is None


def test_a_ca_that_has_ended_is_why_an_api_is_not_available() -> None:
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(2),)}
    ended = replace(api("False"), ca_expires=NOW - timedelta(days=1))
    assert causes(HOOK, api_services=(ended,), **parts) == {"HLT012": None, "HLT010": "HLT012"}
    ending = replace(ended, ca_expires=NOW + timedelta(days=3))
    assert causes(HOOK, api_services=(ending,), **parts) == {"HLT012": None, "HLT010": None}


TOO_FEW = model.EksIssue(code="InsufficientNumberOfReplicas", message="unhealthy")


@pytest.mark.parametrize(
    ("issues", "cause"),
    [
        ((TOO_FEW,), "HLT005"),
        ((TOO_FEW, model.EksIssue(code="AccessDenied", message="no role")), None),
        ((), None),
    ],
    ids=["too few pods", "something else besides", "no issue is named"],
)
def test_eks_misses_pods_because_they_are_down(issues: tuple[model.EksIssue, ...], cause: str | None) -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status="DEGRADED", issues=issues)
    short = replace(DNS, available=1)
    assert causes(short, eks=eks(addons=(listed,)))["EKS005"] == cause


def unavailable_on(node_name: str, **more: Any) -> model.Pod:
    return pod(HOOK, name=f"hook-5d78-{node_name}", node=node_name, ready=False, **more)


@pytest.mark.parametrize("down", [("a",), ("a", "b")], ids=["one node", "two nodes"])
def test_a_node_that_is_down_is_why_its_pods_are_not_available(down: tuple[str, ...]) -> None:
    nodes = tuple(node(name, "Unknown" if name in down else "True") for name in "abc")
    pods = tuple(unavailable_on(name) for name in down)
    assert causes(runs(available=0), nodes=nodes, pods=pods) == {"HLT021": None, "HLT005": "HLT021"}


def test_a_node_is_no_cause_where_pods_elsewhere_are_not_ready_either_or_a_rollout_is_stuck() -> None:
    nodes = (node("a", "Unknown"), node("b", "True"))
    assert causes(runs(available=0), nodes=nodes, pods=(unavailable_on("a"), unavailable_on("b")))["HLT005"] is None
    stuck = runs(available=1, conditions=(STUCK,))
    assert causes(stuck, nodes=nodes, pods=(unavailable_on("a"),))["HLT005"] is None


def test_without_its_network_a_node_is_not_ready_and_not_the_other_way_round() -> None:
    network = addon("hook", "acme/hook", provides=(ClusterService.POD_NETWORK,))
    parts: dict[str, Any] = {"nodes": (node("a", "False"), node("b", "True")), "pods": (unavailable_on("a"),)}
    known = replace(CATALOG, addons={"hook": network})
    assert causes(runs(available=1), known=known, **parts) == {"HLT021": None, "HLT005": None}


def test_every_code_of_health_has_a_function_that_makes_it() -> None:
    assert {code for code, check in CHECKS.items() if check.capability is Capability.HEALTH} <= set(MAKERS)


# ── Whose pods ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_pods_belong_to_the_deployment_of_their_replica_set_with_or_without_it() -> None:
    def pods(*given: model.Pod, **parts: Any) -> list[model.Pod]:
        return list(View(snapshot(workloads=(HOOK,), pods=given, **parts)).pods[HOOK.ref])

    hashed = pod(HOOK)
    assert pods(hashed) == [hashed]
    revision = model.Revision(kind="ReplicaSet", name="renamed", namespace="apps", owners=(HOOK.ref,))
    owned = replace(hashed, owners=(ObjectRef(kind="ReplicaSet", name="renamed"),), labels={})
    assert pods(owned, revisions=(revision,)) == [owned]
    assert pods(replace(hashed, namespace="b")) == []


def test_static_and_bare_pods_are_workloads_of_their_own() -> None:
    mirror = model.Pod(name="etcd-n1", namespace="kube-system", owners=(ObjectRef(kind="Node", name="n1"),))
    made = model.Pod(name="main-1", namespace="apps", owners=(ObjectRef(kind="Cluster", name="main", group="db.test"),))
    assert [str(ref) for ref in View(snapshot(pods=(mirror, made))).workloads] == [
        "Pod/kube-system/etcd-n1",
        "Pod/apps/main",
    ]


def test_a_workload_that_was_read_is_not_made_up_from_its_pods() -> None:
    view = View(snapshot(workloads=(HOOK,), pods=(pod(HOOK), pod(HOOK, name="hook-5d78-b"))))
    assert list(view.workloads.values()) == [HOOK]


# ── Scores ──────────────────────────────────────────────────────────────────────────────────────────────────────

WELL: dict[str, Any] = {
    "pods": (pod(HOOK),),
    "services": (SERVICE,),
    "endpoint_slices": (slice_of(2),),
    "probes": (answer(Health.HEALTHY),),
}
PARTS = (
    "workloads",
    "pods",
    "services",
    "endpoint_slices",
    "webhook_configurations",
    "api_services",
    "crds",
    "disruption_budgets",
    "leases",
    "events",
    "quotas",
)


def aspects(*workloads: model.Workload, **parts: Any) -> dict[Aspect, Health]:
    return {aspect.name: aspect.health for aspect in one(*workloads, **parts).aspects}


def test_all_read_and_all_healthy_is_a_hundred_of_a_hundred() -> None:
    health = one(HOOK, **WELL)
    assert (health.score, health.coverage, health.health) == (100, 100, Health.HEALTHY)


@pytest.mark.parametrize(
    ("ill", "cap"), [(runs(available=0), 49), (runs(available=1), 89)], ids=["required", "recommended"]
)
def test_an_addon_with_something_wrong_is_capped(ill: model.Workload, cap: int) -> None:
    score = one(ill, **WELL).score
    assert score is not None
    assert score <= cap


def test_what_is_merely_worth_knowing_costs_nothing() -> None:
    dns = runs("coredns", "coredns/coredns:v1")
    health = one(dns, pods=(pod(dns),))
    assert codes(dns, pods=(pod(dns),)) == ["HLT015"]
    assert (health.score, health.health) == (100, Health.HEALTHY)


def test_an_addon_is_degraded_where_something_is_required_and_on_its_way_while_pods_come() -> None:
    assert one(runs(available=0), **WELL).health is Health.DEGRADED
    assert one(runs(available=1), **WELL).health is Health.PROGRESSING


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING"])
def test_what_eks_is_changing_is_on_its_way_and_says_where_to(status: str) -> None:
    update = model.EksUpdate(
        id="1", type="AddonUpdate", status="InProgress", created=NOW, params={"AddonVersion": "v1.13.2-eksbuild.1"}
    )
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status=status, updates=(update,))
    health = one(DNS, pods=(pod(DNS),), eks=eks(addons=(listed,)))
    (aspect,) = (aspect for aspect in health.aspects if aspect.name is Aspect.EKS)
    assert (health.health, aspect.health) == (Health.PROGRESSING, Health.PROGRESSING)
    assert aspect.reason == f"eks add-on coredns: status {status} to v1.13.2-eksbuild.1, since {NOW:%Y-%m-%d %H:%M} UTC"
    bare = one(DNS, pods=(pod(DNS),), eks=eks(addons=(replace(listed, updates=()),)))
    assert [each.reason for each in bare.aspects if each.name is Aspect.EKS] == [f"eks add-on coredns: status {status}"]


def test_an_addon_of_which_most_was_not_read_is_unknown_though_nothing_is_wrong() -> None:
    missing = gaps(*(part for part in PARTS if part != "workloads"))
    health = one(HOOK, gaps=missing, **WELL)
    assert health.coverage < COVERAGE_MIN
    assert (health.health, health.score) == (Health.UNKNOWN, 100)
    assert health.unknown_reason == f"only {health.coverage} % of it could be read"
    assert one(runs(available=0), gaps=missing, **WELL).health is Health.DEGRADED, "what is wrong is surely wrong"


@pytest.mark.parametrize("part", PARTS)
def test_coverage_falls_with_each_part_that_was_not_read_and_the_aspect_says_which(part: str) -> None:
    health = one(HOOK, gaps=gaps(part), **WELL)
    assert health.coverage < 100
    unknown = [aspect for aspect in health.aspects if aspect.health is Health.UNKNOWN]
    assert next(aspect.reason for aspect in unknown) == f"{part}: forbidden"


def test_coverage_falls_and_never_rises_as_more_is_missing() -> None:
    coverages = [one(HOOK, gaps=gaps(*PARTS[:count]), **WELL).coverage for count in range(len(PARTS) + 1)]
    assert coverages == sorted(coverages, reverse=True)
    assert coverages[0] == 100
    assert coverages[-1] <= 10, "only the probe is left"


@given(st.sets(st.sampled_from([part for part in PARTS if part != "workloads"])))
def test_a_part_that_was_not_read_never_raises_the_score_of_an_ill_addon(missing: set[str]) -> None:
    short = runs(available=1)
    assert (one(short, gaps=gaps(*missing), **WELL).score or 0) <= (one(short, **WELL).score or 0)


def test_eks_is_an_aspect_of_what_eks_keeps_and_of_nothing_else() -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status="ACTIVE")
    kept = one(DNS, pods=(pod(DNS),), eks=eks(addons=(listed,)))
    assert "eks" in [aspect.name for aspect in kept.aspects]
    unseen = one(DNS, pods=(pod(DNS),), eks=eks(addons=(listed,)), gaps=gaps("eks:addons"))
    assert unseen.coverage < kept.coverage
    assert "eks" not in [aspect.name for aspect in one(HOOK, **WELL).aspects]


def test_an_addon_of_which_no_state_was_seen_is_unknown_with_the_reason() -> None:
    record = model.HelmRelease(name="hook", namespace="apps", chart="hook", chart_version="1.0")
    health = one(helm_releases=(record,))
    assert (health.health, health.score, health.coverage) == (Health.UNKNOWN, None, 0)
    assert health.unknown_reason == "none of its workloads was read"


def test_a_manifest_says_what_is_wanted_not_how_it_is() -> None:
    files = model.Cluster(name="chart", kubernetes="v1.34.0", source="files")
    health = one(runs(available=None, ready=None), cluster=files, gaps=gaps("pods", "events"))
    assert (health.health, health.score, health.coverage) == (Health.UNKNOWN, None, 0)
    assert health.unknown_reason == "the input has no state of its workloads"


def test_what_aws_runs_is_not_judged() -> None:
    built_in = [each for each in judged(eks=eks(auto_mode=True)).addons if each.id == "coredns/auto-mode"]
    assert [(each.health, each.score, each.unknown_reason) for each in built_in] == [
        (Health.UNKNOWN, None, "AWS runs it outside the cluster")
    ]


def test_what_an_addon_does_not_have_counts_nowhere() -> None:
    """A DaemonSet without Service, webhook, CRD or lease."""
    agent = runs("twin", "acme/twin:1", kind="DaemonSet")
    health = one(agent, pods=(pod(agent),))
    assert {aspect.name: aspect.health for aspect in health.aspects} == {
        Aspect.ROLLOUT: Health.HEALTHY,
        Aspect.PODS: Health.HEALTHY,
        Aspect.EVENTS: Health.HEALTHY,
        Aspect.PROBE: Health.UNKNOWN,
    }
    assert health.coverage == round(100 * (30 + 20 + 5) / (30 + 20 + 5 + 10))


@pytest.mark.parametrize(
    ("aspect", "parts"),
    [
        (Aspect.ENDPOINTS, {"services": (SERVICE,), "endpoint_slices": (slice_of(2),)}),
        (
            Aspect.ADMISSION,
            {"services": (SERVICE,), "endpoint_slices": (slice_of(2),), "webhook_configurations": (called(),)},
        ),
        (Aspect.APIS, {"crds": (crd(("Established", "True")),)}),
        (Aspect.RESILIENCE, {"disruption_budgets": (budget(allowed=1),)}),
        (Aspect.LEADERSHIP, {"leases": (lease(timedelta(seconds=2)),)}),
        (
            Aspect.CUSTOM_RESOURCES,
            {"others": (custom("a"),), "object_health": (state(custom("a"), Health.HEALTHY),)},
        ),
        (Aspect.PROBE, {"probes": (answer(Health.HEALTHY),)}),
    ],
    ids=lambda value: value.value if isinstance(value, Aspect) else "",
)
def test_what_an_addon_has_counts(aspect: Aspect, parts: dict[str, Any]) -> None:
    agent = runs(kind="DaemonSet")
    assert aspects(agent, pods=(pod(agent),)).get(aspect, Health.UNKNOWN) is Health.UNKNOWN
    assert aspects(agent, pods=(pod(agent),), **parts)[aspect] is Health.HEALTHY


def test_an_addon_without_a_probe_is_not_blamed_for_it_once_others_were_probed() -> None:
    assert aspects(HOOK)[Aspect.PROBE] is Health.UNKNOWN
    assert Aspect.PROBE not in aspects(HOOK, probes=(answer(Health.HEALTHY, "coredns"),))


def test_an_aspect_of_whose_objects_no_state_was_read_is_unknown() -> None:
    known = aspects(HOOK, crds=(crd(),), others=(custom("a"),), object_health=(state(custom("a"), Health.UNKNOWN),))
    assert known[Aspect.APIS] is known[Aspect.CUSTOM_RESOURCES] is Health.UNKNOWN
    assert known[Aspect.PODS] is Health.UNKNOWN, "no pod of it was read, though it has some"
    some = (state(custom("a"), Health.UNKNOWN), state(custom("b"), Health.HEALTHY))
    assert aspects(HOOK, object_health=some)[Aspect.CUSTOM_RESOURCES] is Health.HEALTHY


def test_a_render_is_not_healthy_though_its_chart_brings_a_pod_to_test_it() -> None:
    files = model.Cluster(name="chart", kubernetes="v1.34.0", source="files")
    test_pod = model.Pod(
        name="hook-test", namespace="apps", containers=(model.ContainerStatus(name="t", image="acme/hook:1.0"),)
    )
    parts: dict[str, Any] = {
        "pods": (test_pod,),
        "services": (SERVICE,),
        "webhook_configurations": (called(),),
        "crds": (crd(),),
        "disruption_budgets": (budget(allowed=None, pods=None, healthy=None),),
        "gaps": gaps("events", "leases", "endpoint_slices"),
    }
    result = judged(runs(available=None, ready=None), cluster=files, **parts)
    assert result.addons
    assert {(health.health, health.score, health.coverage) for health in result.addons} == {(Health.UNKNOWN, None, 0)}
    assert result.score is None


@pytest.mark.parametrize(
    "part", ["custom_resources", "others", "custom_resources:hooks.hook.test", "others:hooks.hook.test"]
)
def test_custom_resources_that_could_not_be_read_are_not_healthy(part: str) -> None:
    others: dict[str, Any] = {"others": (custom("a"),), "object_health": (state(custom("a"), Health.HEALTHY),)}
    health = one(HOOK, gaps=gaps(part), **others, **WELL)
    (aspect,) = (aspect for aspect in health.aspects if aspect.name is Aspect.CUSTOM_RESOURCES)
    assert (aspect.health, aspect.reason) == (Health.UNKNOWN, f"{part}: forbidden")
    assert health.coverage < one(HOOK, **others, **WELL).coverage


def test_custom_resources_of_others_that_could_not_be_read_do_not_matter() -> None:
    parts = gaps("custom_resources:webs.web.test", "others:cronjobs.batch")
    assert Aspect.CUSTOM_RESOURCES not in aspects(HOOK, gaps=parts, **WELL)


def test_a_webhook_whose_service_is_gone_is_not_healthy() -> None:
    """The inventory says so; the score of the add-on knows it."""
    gone = replace(called().webhooks[0], service=model.ServiceTarget(namespace="apps", name="gone"))
    half = replace(called(), webhooks=(*called().webhooks, gone))
    parts: dict[str, Any] = {"services": (SERVICE,), "endpoint_slices": (slice_of(2),), "pods": (pod(HOOK),)}
    health = one(HOOK, webhook_configurations=(half,), **parts)
    assert {aspect.name: aspect.health for aspect in health.aspects}[Aspect.ADMISSION] is Health.DEGRADED
    assert health.health is Health.DEGRADED


@pytest.mark.parametrize(
    "subject",
    [
        model.MissingRef(HOOK.ref, ObjectRef.of("ServiceAccount", "hook", "apps")),
        model.MissingRef(model.InstallationRef("hook/apps/hook", "hook"), ObjectRef.of("Service", "hook", "apps")),
    ],
    ids=["an object of it needs it", "it came with it"],
)
def test_what_an_addon_needs_and_lacks_counts_in_its_score(subject: model.MissingRef) -> None:
    lost = finding("DEP003", subject, model.Evidence(kind="record", subject="it", detail="is gone"))
    twin = runs("twin", "acme/twin:1")
    view = View(snapshot(workloads=(HOOK, twin), pods=(pod(HOOK), pod(twin))))
    inventory = take_inventory(view, CATALOG)
    owners = find_dependencies(view, inventory, CATALOG).owners
    result = check_health(view, inventory, CATALOG, owners, missing=(lost,))
    ill, well = sorted(result.addons, key=lambda each: each.id)
    assert (ill.addon, ill.health, well.health) == ("hook", Health.DEGRADED, Health.HEALTHY)
    assert ill.score is not None
    assert ill.score <= 49
    assert [aspect.name for aspect in ill.aspects if aspect.health is Health.DEGRADED] == [Aspect.OBJECTS]
    assert lost not in result.findings, "it is somebody else's"


def test_a_cluster_is_at_most_twenty_above_its_worst() -> None:
    many = [runs("twin", "acme/twin:1", namespace=f"n{number}") for number in range(9)]
    ill = runs("hook", "acme/hook:1", available=0)
    health = judged(*many, ill)
    worst = min(each.score for each in health.addons if each.score is not None)
    assert health.score == worst + 20
    assert judged(*many).score == 100


def test_a_cluster_of_which_nothing_is_known_has_no_score() -> None:
    assert (judged().score, judged().coverage) == (None, 0)


def test_an_unknown_addon_does_not_count_as_well_but_lowers_the_coverage() -> None:
    record = model.HelmRelease(name="other", namespace="b", chart="twin", chart_version="1.0")
    alone, beside = judged(HOOK, **WELL), judged(HOOK, helm_releases=(record,), **WELL)
    assert (alone.score, alone.coverage) == (100, 100)
    assert (beside.score, beside.coverage) == (100, 50)


@given(st.integers(0, 2**32))
def test_odd_snapshots_never_stop_it_and_numbers_stay_within_bounds(seed: int) -> None:
    view = View(odd.snapshot(seed))
    inventory = take_inventory(view, CATALOG)
    owners = find_dependencies(view, inventory, CATALOG).owners
    said = [state(other) for other in view.snapshot.others]
    result = check_health(view, inventory, CATALOG, owners, said, (answer(Health.DEGRADED),))
    assert [each.id for each in result.addons] == [row.id for row in inventory.installations]
    for score, coverage in ((result.score, result.coverage), *((each.score, each.coverage) for each in result.addons)):
        assert 0 <= coverage <= 100
        assert score is None or 0 <= score <= 100
    assert set(by_urgency(result.findings)) == set(result.findings)
    assert all(item.cause in {None, *(other.id for other in result.findings)} for item in result.findings)
    for each in result.addons:
        assert (each.health is Health.UNKNOWN) == bool(each.unknown_reason)
        assert each.health is Health.UNKNOWN or each.score is not None
        assert each.health is not Health.HEALTHY or each.coverage >= COVERAGE_MIN
    assert all(item.evidence and fix(item) and str(item.subject) for item in result.findings)
