"""Use by CloudWatch Container Insights, over HTTP: computed there, on nodes of different size, in few requests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from addonctl.adapters.aws import Aws
from addonctl.adapters.cloudwatch import ContainerInsights
from addonctl.errors import BadInput, Forbidden
from addonctl.model import GapReason
from addonctl.model.usage import Metrics
from tests.eks.server import REGION, EksServer

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
GIB = 2**30
ASKED = [("kube-system", "coredns")]


def samples(pod: str, node_millicores: int, node_bytes: int, *, hours: int = 24) -> Iterator[dict[str, Any]]:
    """A pod that uses 100m, and 300m in one hour of every day, with 1 GiB, one sample in 10 minutes."""
    names = {"ClusterName": "prod-eu-1", "Namespace": "kube-system", "PodName": "coredns", "FullPodName": pod}
    for n in range(hours * 6):
        at = END - timedelta(minutes=10 * (n + 1))
        cpu = 300 if at.hour == 3 else 100
        said = {
            "container_cpu_utilization": (cpu / node_millicores * 100, {"ContainerName": "coredns"}),
            "container_memory_utilization": (GIB / node_bytes * 100, {"ContainerName": "coredns"}),
            "pod_cpu_utilization": (cpu / node_millicores * 100, {}),
            "pod_cpu_usage_total": (cpu, {}),
            "pod_memory_utilization": (GIB / node_bytes * 100, {}),
            "pod_memory_working_set": (GIB, {}),
            "pod_network_rx_bytes": (5000, {}),
        }
        for metric, (value, more) in said.items():
            dimensions = [{"Name": name, "Value": text} for name, text in (names | more).items()]
            yield {"MetricName": metric, "Dimensions": dimensions, "Timestamp": at, "Value": value}


def put(eks: EksServer, data: Iterator[dict[str, Any]]) -> None:
    listed = list(data)
    for n in range(0, len(listed), 1000):
        eks.client("cloudwatch").put_metric_data(Namespace="ContainerInsights", MetricData=listed[n : n + 1000])


def asked(window: timedelta = timedelta(days=1), cluster: str = "prod-eu-1", **how: bool) -> Metrics:
    return ContainerInsights(Aws(REGION, None), cluster, **how).of(ASKED, END, window)


def test_what_containers_used_on_nodes_of_different_size(eks: EksServer) -> None:
    put(eks, samples("coredns-a", 2000, 8 * GIB))
    put(eks, samples("coredns-b", 8000, 64 * GIB))
    found = asked()
    assert [each.pod for each in found.containers] == ["coredns-a", "coredns-b"]
    for each in found.containers:
        assert each.cpu.mean == pytest.approx(100 + 200 / 24)
        assert [each.cpu.p50, each.cpu.p95] == pytest.approx([100, 100])
        assert [each.cpu.p99, each.cpu.max] == pytest.approx([300, 300])
        assert each.memory.max == pytest.approx(GIB)
        assert each.coverage == pytest.approx(0.1)  # one sample in ten minutes
        assert each.days == ()
    assert [each.received for each in found.traffic] == [5000, 5000]
    assert found.gaps == ()


def test_each_day_by_itself(eks: EksServer) -> None:
    put(eks, samples("coredns-a", 2000, 8 * GIB, hours=72))
    (one,) = asked(timedelta(days=2), daily=True).containers
    assert [day.date.isoformat() for day in one.days] == ["2026-11-22", "2026-11-23"]
    assert [day.cpu_max for day in one.days] == [pytest.approx(300)] * 2
    assert [day.memory_max for day in one.days] == [pytest.approx(GIB, abs=2)] * 2
    assert not any(day.whole for day in one.days)


def test_means_alone_are_fewer_figures(eks: EksServer) -> None:
    put(eks, samples("coredns-a", 2000, 8 * GIB))
    found = asked(means=True)
    (one,) = found.containers
    assert one.cpu.mean == pytest.approx(100 + 200 / 24)
    assert one.cpu.p99 is None
    assert found.traffic == ()


def test_a_container_whose_node_is_not_known_is_a_gap(eks: EksServer) -> None:
    put(eks, (each for each in samples("coredns-a", 2000, 8 * GIB) if each["MetricName"] != "pod_cpu_usage_total"))
    found = asked()
    assert found.containers == ()
    (gap,) = found.gaps
    assert gap.part == "usage:nodes"
    assert "of 1 of 1 containers" in gap.detail


def test_a_cluster_without_container_insights_is_told(eks: EksServer) -> None:
    put(eks, samples("coredns-a", 2000, 8 * GIB, hours=1))
    with pytest.raises(BadInput, match="no containers of cluster 'other'"):
        asked(cluster="other")


class Client:
    """boto3's client of CloudWatch as it answers on bad days; requests are counted."""

    def __init__(self, containers: int = 1, state: str = "Complete") -> None:
        self.containers, self.state, self.requests = containers, state, 0

    def list_metrics(self, **_: Any) -> dict[str, Any]:
        names = (
            {"Namespace": "kube-system", "PodName": "coredns", "FullPodName": f"coredns-{n}"}
            for n in range(self.containers)
        )
        metrics = [
            {"Dimensions": [{"Name": k, "Value": v} for k, v in (each | {"ContainerName": "coredns"}).items()]}
            for each in names
        ]
        return {"Metrics": metrics}

    def get_metric_data(self, **query: Any) -> dict[str, Any]:
        assert len(query["MetricDataQueries"]) <= 500
        self.requests += 1
        results = [
            {"Id": each["Id"], "Timestamps": [END], "Values": [50.0], "StatusCode": self.state}
            for each in query["MetricDataQueries"]
        ]
        return {"MetricDataResults": results}


class Fixed(Aws):
    """AWS with that client."""

    def __init__(self, client: Any) -> None:
        super().__init__(REGION, None)
        self.fixed = client

    def client(self, service: str, attempts: int = 1) -> Any:
        return self.fixed


def test_partial_data_is_a_gap_with_its_share() -> None:
    found = ContainerInsights(Fixed(Client(state="PartialData")), "prod-eu-1").of(ASKED, END, timedelta(days=1))
    (gap,) = found.gaps
    assert gap.reason is GapReason.BROKEN
    assert gap.detail == "17 of 17 figures came in part"


def test_requests_are_as_many_for_every_500_containers() -> None:
    def requests(containers: int) -> int:
        client = Client(containers)
        ContainerInsights(Fixed(client), "prod-eu-1").of(ASKED, END, timedelta(days=14))
        return client.requests

    assert requests(500) == 17
    assert requests(1000) == 34


def test_what_is_not_allowed_is_said() -> None:
    class Refusing(Client):
        def list_metrics(self, **_: Any) -> dict[str, Any]:
            error = {"Code": "AccessDenied", "Message": "not authorized to perform: cloudwatch:ListMetrics"}
            raise ClientError({"Error": error}, "ListMetrics")  # type: ignore[typeddict-item]

    with pytest.raises(Forbidden):
        ContainerInsights(Fixed(Refusing()), "prod-eu-1").of(ASKED, END, timedelta(days=1))
