"""Why a pod is not ready: the best of what the kubelet, its claims, its node and the warnings about it say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl import model
from addonctl.catalog import Catalog
from addonctl.health.unready import why_not_ready
from addonctl.model import Condition, ObjectRef, View
from tests.builders import NOW, snapshot
from tests.core.test_health import CATALOG, HOOK, codes, fix, found, only, pod, status

WAITS = pod(HOOK, status(waiting="ContainerCreating"), phase="Pending", ready=False, node="node-1")
CLAIM = model.VolumeClaim(name="data", namespace="apps", storage_class="gp3", phase="Pending")
UNSCHEDULED = Condition(
    type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes: Insufficient cpu"
)


def warning(of: ObjectRef, reason: str, message: str, *, minutes: int = 1) -> model.Event:
    seen = NOW - timedelta(minutes=minutes)
    return model.Event(name=f"{of.name}.{reason}", subject=of, reason=reason, message=message, last_seen=seen)


def why(of: model.Pod, *events: model.Event, **parts: tuple[object, ...]) -> str:
    return why_not_ready(View(snapshot(pods=(of,), events=events, **parts)), of).text


def test_the_last_words_of_a_container_say_why_it_ends() -> None:
    ended = status(waiting="CrashLoopBackOff", restarts=5, last_exit="Error", last_words="one\n\nno route to host\n")
    assert why(replace(WAITS, containers=(ended,))) == "container main ended: Error: one no route to host"
    (crashed,) = only("HLT001", HOOK, pods=(pod(HOOK, ended, ready=False),)).evidence
    assert crashed.detail.endswith("no route to host")


def test_that_a_pull_pauses_is_less_than_why_it_failed() -> None:
    pulls = status(waiting="ImagePullBackOff", waits_for='Back-off pulling image "acme/hook:1.0"')
    failed = warning(WAITS.ref, "Failed", 'Failed to pull image "acme/hook:1.0": not found')
    assert why(replace(WAITS, containers=(pulls,)), failed).endswith("not found")
    assert "Back-off" in why(replace(WAITS, containers=(pulls,)))


@pytest.mark.parametrize("reason", ["FailedCreatePodSandBox", "FailedMount", "Unhealthy"])
def test_the_newest_warning_says_more_than_the_conditions_and_one_that_repeats_says_less(reason: str) -> None:
    events = (
        warning(WAITS.ref, "BackOff", "Back-off restarting"),
        warning(WAITS.ref, reason, "an older one", minutes=9),
        warning(WAITS.ref, reason, "connection refused", minutes=5),
        warning(WAITS.ref, reason, "of yesterday", minutes=60 * 24),
    )
    not_ready = Condition(type="Ready", status="False", reason="ContainersNotReady", message="unready: [main]")
    assert why(replace(WAITS, conditions=(not_ready,)), *events) == f"{reason}: connection refused"
    assert why(replace(WAITS, conditions=(not_ready,))) == "unready: [main]"


def test_a_node_that_is_down_is_why() -> None:
    lost = Condition(type="Ready", status="Unknown", message="Kubelet stopped posting node status.")
    node = model.Node(name="node-1", conditions=(lost,))
    assert why(WAITS, nodes=(node,)) == "its node node-1 is not ready: Kubelet stopped posting node status."


def test_a_pod_of_which_nothing_is_known_still_has_an_answer() -> None:
    assert why(pod(HOOK, phase="", ready=False)) == "not ready"


def test_a_pod_that_waits_for_its_volume_is_not_told_to_wait_for_nodes() -> None:
    waits = replace(WAITS, claims=("data",), node="", conditions=(UNSCHEDULED,))
    denied = warning(CLAIM.ref, "ProvisioningFailed", "UnauthorizedOperation")
    parts = {"pods": (waits,), "volume_claims": (CLAIM,), "events": (denied,)}
    item = only("HLT025", HOOK, **parts)
    assert item.evidence[0].detail == "claim data: ProvisioningFailed: UnauthorizedOperation"
    assert "persistentvolumeclaim/data" in fix(item)
    assert "HLT004" not in codes(HOOK, **parts)


def test_a_claim_that_waits_for_its_pod_is_not_why_there_is_no_room() -> None:
    waits = replace(WAITS, claims=("data",), node="", conditions=(UNSCHEDULED,))
    (item,) = (each for each in found(HOOK, pods=(waits,), volume_claims=(CLAIM,)) if each.code.startswith("HLT0"))
    assert item.code == "HLT004"
    binding = replace(UNSCHEDULED, message='running PreBind plugin "VolumeBinding": binding volumes: timed out')
    bound = (replace(waits, conditions=(binding,)),)
    assert codes(HOOK, pods=bound, volume_claims=(CLAIM,)) == ["HLT025"]


@pytest.mark.parametrize(
    ("message", "helps"),
    [
        ("0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}. preemption: 0/3", "tolerate"),
        ("0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.", "lower its requests"),
        ("0/3 nodes are available: 3 Too many pods.", "allow more pods"),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "nodeSelector"),
        ("0/1 nodes are available: 1 node(s) had volume node affinity conflict.", "another zone"),
        ("0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.", "host port"),
        ("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", "replicas"),
        (
            "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
            "not ready: see the findings",
        ),
    ],
)
def test_what_helps_a_pod_without_a_node_is_what_the_scheduler_says(message: str, helps: str) -> None:
    waits = replace(WAITS, node="", conditions=(replace(UNSCHEDULED, message=message),))
    assert helps in fix(only("HLT004", HOOK, pods=(waits,)))


def test_a_crash_that_any_addon_may_have_is_known_by_its_words(catalog: Catalog) -> None:
    words = "listen tcp :8443: bind: address already in use"
    ended = status(waiting="CrashLoopBackOff", restarts=5, last_words=words)
    known = replace(CATALOG, kubernetes=catalog.kubernetes)
    item = only("HLT001", HOOK, known=known, pods=(pod(HOOK, ended, ready=False),))
    assert "another process on the node listens at its port" in item.evidence[-1].detail
    assert "host's network" in item.evidence[-1].detail
    other = replace(ended, last_words="panic")
    assert only("HLT001", HOOK, known=known, pods=(pod(HOOK, other, ready=False),)).evidence[-1].kind == "pod"
