"""A real Prometheus that scrapes the real cluster: asked, and counting what its CoreDNS answers, pod by pod."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from addonctl.adapters import knowledge
from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.probes import dns_query
from addonctl.adapters.prometheus import Found, Place, Prometheus, at, choose, found, inside
from addonctl.adapters.signals import counters
from addonctl.errors import Forbidden, Invalid, NotFound, NotReachable
from addonctl.model import Counts, Objective
from tests.builders import step
from tests.cluster.changes import pods
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import Kept
from tests.cluster.processes import wait_for
from tests.cluster.prometheus import running, scraping, serving

pytestmark = pytest.mark.prove
_COREDNS = step(of="Deployment/kube-system/coredns")
_COREDNS = replace(_COREDNS, objectives=(Objective(sli="dns-responses", additional=True, of_users=True),))


@pytest.fixture(scope="module")
def url(kept: Kept, cluster: Cluster) -> Iterator[str]:
    kept.need("prometheus")
    with scraping(cluster) as address:
        yield address


@pytest.fixture
def prometheus(url: str) -> Prometheus:
    return at(Place(url=url))


def test_it_scrapes_the_api_server_the_kubelets_and_pods(prometheus: Prometheus) -> None:
    def jobs() -> set[str]:
        return {each.labels["job"] for each in prometheus.instant("up == 1").series}

    wanted = {"apiserver", "kubelet", "kubelet/cadvisor", "kubelet/resource", "pods"}
    wait_for("every job", lambda: jobs() == wanted, 30)
    down = prometheus.instant("up == 0").series
    assert [each.labels for each in down if each.labels["job"] != "pods"] == []


@pytest.mark.parametrize(
    "query",
    [
        'container_memory_working_set_bytes{namespace="kube-system", pod=~"coredns-.*"}',
        'container_cpu_usage_seconds_total{namespace="gatekeeper-system"}',
        "apiserver_request_total",
        'coredns_build_info{namespace="kube-system"}',
    ],
)
def test_what_add_ons_use_and_answer_is_known(prometheus: Prometheus, query: str) -> None:
    wait_for(query, lambda: bool(prometheus.instant(query).series), 30)


def test_points_come_as_they_were_scraped(prometheus: Prometheus) -> None:
    def scraped() -> int:
        return max((len(each.points) for each in prometheus.instant('up{job="apiserver"}[11s]').series), default=0)

    wait_for("two scrapes", lambda: scraped() == 2, 30)


def test_inside_the_cluster_it_is_found_and_asked_through_the_api_server(kept: Kept, cluster: Cluster) -> None:
    kept.need("prometheus")
    connection = connect(None, str(cluster.kubeconfig))
    with running(cluster):
        (place,) = found(ApiObjects(connection))
        assert (place.namespace, place.service, place.port) == ("monitoring", "prometheus", 80)
        chosen = choose("", ("cluster",), (), connection)
        assert chosen is not None
        assert chosen.name == "Service monitoring/prometheus"
        wait_for("a scrape", lambda: chosen.label_values("job").values == ("itself",), 90)
        with pytest.raises(Invalid, match="parse error"):
            chosen.instant("sum(")
        somebody = connect(None, str(cluster.kubeconfig_of("default")))
        with pytest.raises(Forbidden, match="services/proxy") as refused:
            inside(somebody, place).instant("up")
        assert "services/proxy" in refused.value.fix


def test_a_service_without_a_pod_says_so(cluster: Cluster) -> None:
    connection = connect(None, str(cluster.kubeconfig))
    connection.retries = False
    with pytest.raises(NotFound) as missing:
        inside(connection, Found("default", "none", 80, "")).instant("up")
    assert missing.value.fix


def _ask(address: str, name: str, times: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.connect((address, 53))
        for number in range(times):
            asking.send(dns_query(name, number))
            asking.recv(4096)


def test_what_coredns_answered_is_counted_by_the_pod_that_did(
    cluster: Cluster, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names outside of the cluster are refused here: the Corefile of the tests forwards nothing."""
    monkeypatch.setattr(counters, "_AT_LEAST_S", 2.0)
    (ill, well) = pods(cluster, "kube-system", "k8s-app=kube-dns")
    known = knowledge.load().addons["coredns"].counted_slis
    signals = counters.CounterSignals(
        lambda: prometheus, ApiObjects(connect(None, str(cluster.kubeconfig))), lambda _: known
    )
    try:
        signals.counted(_COREDNS, datetime.now(UTC))
        time.sleep(12)  # what was asked before is scraped, and read
        began = datetime.now(UTC)
        for pod, refused in ((ill, 40), (well, 0)):
            _ask(pod["status"]["podIP"], "kubernetes.default.svc.cluster.local", 200)
            _ask(pod["status"]["podIP"], "example.com", refused)
        expected = {ill["metadata"]["uid"]: Counts(240, 40), well["metadata"]["uid"]: Counts(200)}

        def counted() -> dict[str, Counts]:
            return {each.pod: each.counts for each in signals.counted(_COREDNS, began)}

        wait_for("all of them", lambda: counted() == expected, 20)
        with capsys.disabled():
            print(f"\ncounted after {(datetime.now(UTC) - began).total_seconds():.1f} s, scraped every 5 s")
        time.sleep(6)
        assert counted() == expected, "nothing is counted twice"
    finally:
        signals.close()


def test_nothing_is_left_running(kept: Kept, tmp_path: Path) -> None:
    kept.need("prometheus")
    with serving(tmp_path) as address:
        assert at(Place(url=address)).label_values("job").values == ()
    with pytest.raises(NotReachable):
        at(Place(url=address)).label_values("job")
