"""What should change of requests: the money of it, and the change in the words of each installer."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.assessment import Assessment
from addonctl.model import CommandLine, Note
from addonctl.model.sizing import Day, Kept, Risk
from addonctl.model.usage import Measured, Metrics, Spread
from addonctl.render.commands import action_lines
from addonctl.resizing import Resizing, resize
from addonctl.usage import report
from tests.builders import snapshot
from tests.judging import assessed

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIB = 2**20
REGION = "us-east-1"
_EKS_DNS = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/coredns:v1.13.2-eksbuild.3"


def dns(**more: Any) -> model.Workload:
    """CoreDNS as EKS has it, requesting far more than it uses below."""
    container = model.Container(
        name="coredns",
        image=_EKS_DNS,
        cpu_request_millicores=400,
        memory_request_bytes=500 * MIB,
        memory_limit_bytes=600 * MIB,
    )
    template = model.PodTemplate(containers=(container,), labels={"k8s-app": "kube-dns"})
    return model.Workload(kind="Deployment", name="coredns", namespace="kube-system", template=template, **more)


def cluster(workload: model.Workload, *autoscalers: model.Autoscaler, eks: bool = False) -> Assessment:
    node = model.Node(
        name="a",
        labels={"node.kubernetes.io/instance-type": "m5.large", "topology.kubernetes.io/region": REGION},
        operating_system="linux",
        cpu_millicores=1930,
        memory_bytes=7 * 2**30,
    )
    pods = tuple(
        model.Pod(
            name=f"coredns-{n}",
            namespace="kube-system",
            phase="Running",
            node="a",
            owners=(workload.ref,),
            cpu_request_millicores=400,
            memory_request_bytes=500 * MIB,
        )
        for n in range(2)
    )
    addon = model.EksAddon(name="coredns", status="ACTIVE", version="v1.13.2-eksbuild.3")
    known = model.Eks(cluster=model.EksCluster(name="prod-eu-1", region=REGION), addons=(addon,) if eks else ())
    read = snapshot(nodes=(node,), pods=pods, workloads=(workload,), autoscalers=autoscalers, eks=known)
    return assessed(read, knowledge.load(), prices=price_table.load)


def resized(assessment: Assessment, days: int = 28, **day: Any) -> Resizing:
    """CoreDNS after days of much less than it requests."""
    used = {"cpu_p50": 10, "cpu_p95": 20, "cpu_p99": 30, "cpu_max": 50, "memory_max": 60 * MIB} | day
    history = tuple(Day(date=date(2026, 11, 24) - timedelta(days=n), **used) for n in range(days, 0, -1))
    measured = Measured(
        namespace="kube-system",
        pod="coredns-0",
        container="coredns",
        cpu=Spread(mean=10),
        memory=Spread(mean=5e7),
        days=history,
    )
    metrics = Metrics(source="test", end=END, window=timedelta(days=days), containers=(measured,))
    view, owners = assessment.view, assessment.dependencies.owners
    found = report(view, owners, tuple(view.workloads.values()), metrics)
    (one,) = resize(assessment, found, knowledge.load(), Risk.MEDIUM)
    return one


def test_less_frees_its_part_of_each_node_that_it_runs_on() -> None:
    assessment = cluster(dns(), eks=True)
    found = resized(assessment)
    (container,) = found.containers
    cpu, memory = container.sizing.cpu.request, container.sizing.memory.request
    assert cpu is not None
    assert memory is not None
    assert cpu < 100
    assert memory < 100 * MIB
    # An m5.large (2 vCPU, 8 GiB) of $70.08 a month, and two pods on it.
    weight = 9 * (400 - cpu) / 1000 + (500 * MIB - memory) / 2**30
    assert found.usd_micros == pytest.approx(-2 * 70_080_000 * weight / 26, abs=2)


def test_of_eks_it_is_one_command_that_updates_its_configuration_and_one_that_undoes_it() -> None:
    found = resized(cluster(dns(), eks=True))
    (do,), (undo,) = found.do, found.undo
    assert isinstance(do, CommandLine)
    assert isinstance(undo, CommandLine)
    (container,) = found.containers
    settings = [f"resources.requests.cpu={container.sizing.cpu.request}m"]
    memory = container.sizing.memory.request or 0
    settings.append(f"resources.requests.memory={memory // MIB}Mi")
    assert do.argv[:3] == ("addonctl", "update", found.installation)
    assert list(do.argv[4::2]) == settings
    assert list(undo.argv[4::2]) == ["resources.requests.cpu=400m", "resources.requests.memory=500Mi"]


def test_what_was_applied_by_hand_is_set_with_kubectl() -> None:
    applier = model.Applier(manager="kubectl-client-side-apply", api_version="apps/v1", operation="Update")
    found = resized(cluster(dns(appliers=(applier,))))
    command = "kubectl -n kube-system set resources deployment/coredns -c coredns --requests=cpu="
    assert any(str(line).startswith(command) for line in action_lines(found.do))


def test_what_has_no_known_owner_is_told_in_words() -> None:
    found = resized(cluster(dns()))
    assert [type(each) for each in found.do] == [Note]


def test_what_an_autoscaler_scales_by_its_requests_stays() -> None:
    scaler = model.Autoscaler(
        name="coredns", namespace="kube-system", target=model.ObjectRef.of("Deployment", "coredns", "kube-system")
    )
    found = resized(cluster(dns(), scaler, eks=True))
    (container,) = found.containers
    assert container.sizing.cpu.kept is Kept.MANAGED_BY_HPA
    assert found.do == ()


def test_use_that_outgrew_its_requests_costs_more() -> None:
    found = resized(cluster(dns(), eks=True), cpu_p50=500, cpu_p95=600, cpu_p99=700, cpu_max=900)
    assert (found.containers[0].sizing.cpu.request or 0) >= 700
    assert found.usd_micros > 0


def test_two_days_change_nothing() -> None:
    assert resized(cluster(dns(), eks=True), days=2).do == ()
