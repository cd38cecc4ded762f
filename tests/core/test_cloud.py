"""What AWS says of the cluster, its node groups and its subnets is judged as well as what it says of add-ons."""

from dataclasses import replace
from datetime import timedelta

from addonctl import model
from addonctl.catalog import ClusterService
from addonctl.findings import by_urgency
from addonctl.model import AwsRef, Condition, ObjectRef, Severity
from tests.builders import NOW
from tests.core.test_health import HOOK, fix, found, pod, runs
from tests.core.test_symptoms import KNOWN, WAITS, warning

EVICTION = model.EksIssue(code="PodEvictionFailure", message="Reached max retries", resources=("node-1",))
MAIN = model.NodeGroup(name="main", status="DEGRADED", issues=(EVICTION,))
CLUSTER = model.EksCluster(name="prod-eu-1", status="ACTIVE")
FAILED = model.EksUpdate(
    id="u-1",
    type="VersionUpdate",
    status="Failed",
    created=NOW - timedelta(days=1),
    params={"Version": "1.35"},
    errors=(replace(EVICTION, code="IpNotAvailable", message="no address"),),
)


def of(code: str, *workloads: model.Workload, **parts: object) -> list[model.Finding]:
    given = {key: parts.pop(key) for key in tuple(parts) if key in ("pods", "disruption_budgets")}
    eks = model.Eks(cluster=parts.pop("cluster", CLUSTER), **parts)  # type: ignore[arg-type]
    return [item for item in found(*(workloads or (HOOK,)), eks=eks, **given) if item.code == code]


def test_a_node_group_that_aws_calls_ill_is_found_with_its_reason_and_a_sound_one_is_not() -> None:
    (item,) = of("EKS008", node_groups=(MAIN, model.NodeGroup(name="other", status="ACTIVE")))
    assert (item.subject, item.severity) == (AwsRef("node group", "main"), Severity.REQUIRED)
    assert [each.detail for each in item.evidence] == ["status DEGRADED", "Reached max retries node-1"]
    assert "PodDisruptionBudget" in fix(item)


def test_the_budget_that_kept_a_node_from_being_drained_is_the_cause() -> None:
    budget = model.DisruptionBudget(
        name="hook",
        namespace="apps",
        selector={"app": "hook"},
        min_available="1",
        disruptions_allowed=0,
        healthy=1,
        pods=1,
    )
    one = runs(desired=1)
    parts = {"disruption_budgets": (budget,), "node_groups": (MAIN,)}
    (item,) = of("EKS008", one, pods=(pod(one, node="node-1"),), **parts)
    assert item.cause == "HLT013 PodDisruptionBudget/apps/hook"
    (item,) = of("EKS008", one, pods=(pod(one, node="node-2"),), **parts)
    assert item.cause is None


def test_profiles_capabilities_and_the_cluster_itself_are_judged() -> None:
    parts = {
        "fargate_profiles": (model.FargateProfile(name="fp", status="CREATE_FAILED"),),
        "capabilities": (model.EksCapability(name="argo", type="ARGOCD", status="DEGRADED"),),
        "cluster": replace(CLUSTER, health_issues=("KmsKeyDisabled",)),
    }
    assert sorted(str(item.subject) for item in of("EKS008", **parts)) == [
        "Fargate profile fp",
        "capability argo",
        "cluster prod-eu-1",
    ]
    assert of("EKS008") == []


def test_an_update_that_failed_lately_is_found_unless_a_later_one_worked() -> None:
    (item,) = of("EKS009", updates=(FAILED,))
    assert item.evidence[0].detail == "VersionUpdate to 1.35 failed on 2026-11-23 12:00 UTC"
    assert "up to five" in fix(item)
    later = replace(FAILED, id="u-2", status="Successful", created=NOW, errors=())
    assert of("EKS009", updates=(later, FAILED)) == []
    assert of("EKS009", updates=(replace(FAILED, created=NOW - timedelta(days=60)),)) == []
    assert of("EKS009", updates=(replace(FAILED, addon="coredns"),)) == []
    assert of("EKS009", updates=(replace(FAILED, errors=(EVICTION,)),), node_groups=(MAIN,)) == []


def test_a_subnet_without_free_addresses_is_found() -> None:
    def subnet(free: int) -> model.Subnet:
        return model.Subnet(id=f"subnet-{free}", zone="a", cidr="10.0.0.0/26", free_addresses=free)

    none, few = of("EKS010", subnets=(subnet(0), subnet(3), subnet(9)))
    assert (none.severity, few.severity) == (Severity.REQUIRED, Severity.RECOMMENDED)
    assert none.evidence[0].detail == "10.0.0.0/26 in a has no free addresses"
    assert "add a larger subnet" in fix(none).lower()


def test_the_subnet_that_is_used_up_stands_above_the_network_that_has_no_address() -> None:
    network = replace(KNOWN.addons["hook"], provides=(ClusterService.POD_NETWORK,))
    known = replace(KNOWN, addons={**KNOWN.addons, "hook": network})
    node = model.Node(name="node-1", labels={"topology.kubernetes.io/zone": "a"})
    eks = model.Eks(cluster=CLUSTER, subnets=(model.Subnet(id="subnet-1", zone="a", free_addresses=0),))
    waits = replace(WAITS, node="node-1")
    items = found(HOOK, known=known, pods=(waits,), events=(warning(),), nodes=(node,), eks=eks)
    assert [(item.code, item.cause) for item in by_urgency(items)] == [
        ("EKS010", None),
        ("HLT017", "EKS010 subnet subnet-1"),
    ]
    elsewhere = replace(eks, subnets=(replace(eks.subnets[0], zone="b"),))
    items = found(HOOK, known=known, pods=(waits,), events=(warning(),), nodes=(node,), eks=elsewhere)
    assert {item.cause for item in items} == {None}


def _crowded(max_pods: int, **env: str) -> list[model.Finding]:
    network = replace(KNOWN.addons["hook"], provides=(ClusterService.POD_NETWORK,))
    known = replace(KNOWN, addons={**KNOWN.addons, "hook": network})
    containers = (replace(HOOK.template.containers[0], env={"WARM_ENI_TARGET": "1", **env}),)
    agent = replace(HOOK, template=replace(HOOK.template, containers=containers))
    node = model.Node(name="node-1", labels={"node.kubernetes.io/instance-type": "m5.large"}, max_pods=max_pods)
    large = model.InstanceType(
        name="m5.large", vcpus=2, memory_bytes=8 << 30, network_interfaces=3, addresses_per_interface=10
    )
    eks = model.Eks(cluster=CLUSTER, instance_types=(large,))
    waits = replace(WAITS, node="node-1")
    items = found(agent, known=known, pods=(waits,), events=(warning(),), nodes=(node,), eks=eks)
    return [item for item in items if item.code == "EKS011" or (item.cause or "").startswith("EKS011")]


def test_a_node_that_takes_more_pods_than_it_has_addresses_for_is_found_and_is_why_they_get_none() -> None:
    assert _crowded(29) == []
    crowded, symptom = sorted(_crowded(110), key=lambda item: item.code)
    assert (str(crowded.subject), crowded.severity) == ("instance type m5.large", Severity.RECOMMENDED)
    assert crowded.evidence[0].detail == "it takes 110 pods, and has addresses for 29 as m5.large"
    assert (symptom.code, symptom.cause) == ("HLT017", crowded.id)
    assert _crowded(110, ENABLE_PREFIX_DELEGATION="true") == []
    assert _crowded(29, AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG="true")


def test_an_autoscaler_that_gets_no_metric_is_found_below_the_api_that_gives_none() -> None:
    failing = Condition(type="ScalingActive", status="False", reason="FailedGetResourceMetric", message="no metrics")
    scaler = model.Autoscaler(name="any", namespace="apps", target=HOOK.ref, conditions=(failing,))
    (item,) = (each for each in found(HOOK, autoscalers=(scaler,)) if each.code == "HLT032")
    assert (str(item.subject), item.evidence[0].detail) == ("HorizontalPodAutoscaler/apps/any", "no metrics")
    down = Condition(type="Available", status="False", reason="FailedDiscoveryCheck", message="503")
    api = model.ApiService(name="v1beta1.metrics.k8s.io", group="metrics.k8s.io", version="v1beta1", conditions=(down,))
    (item,) = (each for each in found(HOOK, autoscalers=(scaler,), api_services=(api,)) if each.code == "HLT032")
    assert item.cause == "HLT010 APIService/v1beta1.metrics.k8s.io"
    fine = replace(scaler, conditions=(Condition(type="AbleToScale", status="True"),))
    others = replace(scaler, target=ObjectRef.of("Deployment", "shop", "shop"))
    assert [each.code for each in found(HOOK, autoscalers=(fine, others))] == []
