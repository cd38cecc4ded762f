"""What the probes of an update count on the real cluster: calm, pods that end, that hang, and add-ons that are away."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from addonctl.adapters.api_connection import connect
from addonctl.adapters.signals import ProbeSignals
from addonctl.model import Counts
from addonctl.model.plan import Step
from tests.builders import step
from tests.cluster.changes import Object, condition, pods, wait_until_sound
from tests.cluster.cluster import Cluster
from tests.cluster.processes import sh, wait_for
from tests.cluster.test_live import audited

_CALM_S = 20
_COREDNS = step("dns", of="Deployment/kube-system/coredns")
_METRICS = step("metrics", of="Deployment/kube-system/metrics-server")
_ADMISSION = step("admission", of="Deployment/gatekeeper-system/gatekeeper-controller-manager")
_DNS_PODS = ("kube-system", "k8s-app=kube-dns")
_GATEKEEPER_PODS = ("gatekeeper-system", "control-plane=controller-manager")
Counted = dict[tuple[str, str], Counts]


@contextmanager
def probing(cluster: Cluster, asked: Step, direct: bool | None = None) -> Iterator[Callable[[datetime], Counted]]:
    """What was counted after a moment; it has begun."""
    signals = ProbeSignals(connect(None, str(cluster.kubeconfig)), direct=direct)

    def since(moment: datetime) -> Counted:
        return {(each.sli, each.pod): each.counts for each in signals.counted(asked, moment)}

    try:
        began = datetime.now(UTC)
        wait_for("a first count", lambda: bool(since(began)), 20)
        yield since
    finally:
        began_to_close = time.monotonic()
        signals.close()
        assert time.monotonic() - began_to_close < 2


def ready(cluster: Cluster, which: tuple[str, str]) -> list[Object]:
    return [pod for pod in pods(cluster, *which) if condition(pod, "Ready") == "True"]


def dns_pods(cluster: Cluster) -> list[Object]:
    return ready(cluster, _DNS_PODS)


def uids(found: list[Object]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in found}


def requests_of_the_api(cluster: Cluster) -> int:
    """All that the API server has answered so far."""
    lines = cluster.kubectl("get", "--raw", "/metrics").splitlines()
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("apiserver_request_total{")))


@pytest.fixture(autouse=True)
def sound(cluster: Cluster) -> Iterator[None]:
    wait_until_sound(cluster)
    yield
    wait_until_sound(cluster)


@pytest.mark.parametrize(
    ("asked", "direct", "rate", "behind"),
    [
        (_COREDNS, None, 10, _DNS_PODS),
        (_COREDNS, False, 10, _DNS_PODS),
        (_METRICS, None, 5, None),
        (_ADMISSION, None, 10, _GATEKEEPER_PODS),  # half of them dry runs, half reviews
    ],
    ids=["dns", "dns by forwards", "metrics", "admission"],
)
def test_in_calm_nothing_fails_and_all_is_asked_at_the_rate(
    cluster: Cluster,
    asked: Step,
    direct: bool | None,
    rate: float,
    behind: tuple[str, str] | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with probing(cluster, asked, direct) as counted:
        time.sleep(2)  # connections are made
        began, cpu, sent = datetime.now(UTC), time.process_time(), len(audited(cluster, "admin"))
        before = requests_of_the_api(cluster)
        time.sleep(_CALM_S)
        found, cpu_s = counted(began), time.process_time() - cpu
        after, ours = requests_of_the_api(cluster), audited(cluster, "admin")[sent:]
    counts = sum(found.values(), Counts())
    assert counts.failed == 0
    assert counts.requests == pytest.approx(rate * _CALM_S, rel=0.15)
    through = set() if asked is _COREDNS else {""}  # from here the DNS Service is not routed
    assert {pod for _, pod in found} == through | (uids(ready(cluster, behind)) if behind else set())
    made = [each for each in ours if each.get("userAgent", "").startswith("addonctl")]
    with capsys.disabled():
        print(
            f"\n{counts.requests} in {_CALM_S} s: {len(made) / _CALM_S:.2f} of {(after - before) / _CALM_S:.1f}"
            f" API requests/s, {cpu_s / _CALM_S:.2%} of a core"
        )
    if asked is _COREDNS:
        assert len(made) / _CALM_S < 0.7, "a list of endpoints every few seconds, and few connections"
    stored = [each for each in made if each["verb"] not in ("get", "list") and "dryRun=All" not in each["requestURI"]]
    assert [each for each in stored if "portforward" not in each["requestURI"]] == []


@pytest.mark.parametrize("direct", [None, False], ids=["direct", "forwards"])
def test_a_pod_that_is_replaced_fails_nothing_and_its_successor_is_asked(cluster: Cluster, direct: bool | None) -> None:
    before = dns_pods(cluster)
    with probing(cluster, _COREDNS, direct) as counted:
        began = datetime.now(UTC)
        cluster.kubectl("-n", "kube-system", "delete", "pod", before[0]["metadata"]["name"])
        wait_for("the successor", lambda: len(dns_pods(cluster)) == 2, 60)
        (successor,) = uids(dns_pods(cluster)) - uids(before)
        wait_for("its answers", lambda: counted(began).get(("dns", successor), Counts()).requests >= 10, 30)
        time.sleep(3)
        found = counted(began)
    assert {key: counts for key, counts in found.items() if counts.failed} == {}
    assert uids(dns_pods(cluster)) <= {pod for _, pod in found}


def processes_of(pod: Object) -> list[int]:
    """The processes named coredns that have the pod's address."""
    address = pod["status"]["podIP"]
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit()
        and (process / "comm").read_text().strip() == "coredns"
        and f"{address}\n" in (process / "net" / "fib_trie").read_text()
    ]


@pytest.mark.parametrize("direct", [None, False], ids=["direct", "forwards"])
def test_a_pod_that_hangs_fails_and_the_other_does_not(
    cluster: Cluster, direct: bool | None, capsys: pytest.CaptureFixture[str]
) -> None:
    ill, well = dns_pods(cluster)
    (process,) = processes_of(ill)
    with probing(cluster, _COREDNS, direct) as counted:
        time.sleep(2)
        began, key = datetime.now(UTC), ("dns", ill["metadata"]["uid"])
        os.kill(process, signal.SIGSTOP)
        try:
            wait_for("failures", lambda: counted(began).get(key, Counts()).failed > 0, 20)
            first_s = (datetime.now(UTC) - began).total_seconds()
            time.sleep(4)
        finally:
            os.kill(process, signal.SIGCONT)
        found = counted(began)
    with capsys.disabled():
        print(f"\nfirst failure after {first_s:.1f} s; {found}")
    assert found[key].failed >= 5
    assert found["dns", well["metadata"]["uid"]].failed == 0


_FROM_A_NODE = """
import json, sys, time
from datetime import UTC, datetime
from addonctl.adapters.api_connection import connect
from addonctl.adapters.signals import ProbeSignals
from tests.cluster.test_signals import _COREDNS
signals, since = ProbeSignals(connect(None, sys.argv[1])), datetime.now(UTC)
signals.counted(_COREDNS, since)
time.sleep(8)
found = signals.counted(_COREDNS, since)
signals.close()
print(json.dumps({each.pod: [each.counts.requests, each.counts.failed] for each in found}))
"""


def test_from_a_node_the_service_is_asked_too(cluster: Cluster) -> None:
    command = (sys.executable, "-c", _FROM_A_NODE, str(cluster.kubeconfig))
    found = json.loads(sh("nsenter", "--net=/run/netns/addonctl-node-0", *command))
    assert set(found) == {"", *uids(dns_pods(cluster))}
    for requests, failed in found.values():
        assert requests > 15
        assert failed == 0


@pytest.mark.parametrize(
    ("asked", "namespace", "name"),
    [(_METRICS, "kube-system", "metrics-server"), (_ADMISSION, "gatekeeper-system", "gatekeeper-controller-manager")],
    ids=["metrics", "admission"],
)
def test_an_add_on_that_is_away_fails_and_recovers(cluster: Cluster, asked: Step, namespace: str, name: str) -> None:
    scale = ("-n", namespace, "scale", f"deployment/{name}")
    with probing(cluster, asked) as counted:
        (sli,) = (objective.sli for objective in asked.objectives)
        cluster.kubectl(*scale, "--replicas=0")
        try:
            began = datetime.now(UTC)
            wait_for("failures", lambda: counted(began).get((sli, ""), Counts()).failed >= 5, 60)
        finally:
            cluster.kubectl(*scale, "--replicas=1")
        cluster.ready(f"deployment/{name}", namespace)

        def recovered() -> bool:
            moment = datetime.now(UTC)
            time.sleep(3)
            counts = counted(moment).get((sli, ""), Counts())
            return counts.requests >= 3 and not counts.failed

        wait_for("recovery", recovered, 60)
