"""A fault that shows on somebody else's object is laid to the add-on that reports it, or that is named."""

from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl import model
from addonctl.catalog import ClusterService, EksInstall, Fingerprints, Install, KnownIssue, Symptoms
from addonctl.findings import by_urgency
from addonctl.health import symptoms
from addonctl.health.known import fitting
from addonctl.model import AddOnRef, Finding, Health, InstallationRef, ObjectRef, Severity
from addonctl.versions import Version, VersionRange
from tests.builders import NOW, small_catalog
from tests.core.test_health import CATALOG, DNS, HOOK, codes, fix, found, pod, runs, status

NET = replace(
    CATALOG.addons["hook"],
    symptoms=Symptoms(reporters=("hook-ctl",), words=('plugin type="hook"',), harmless=("Denied",)),
    known_issues=(
        KnownIssue(what="the range is used up", says="no free address", fix="add a range", url="https://x.test/1"),
        KnownIssue(what="it cannot bind", crashes="main", fix="turn it off", versions=VersionRange.of("1.0 - 1.2")),
    ),
    leans_on={"Thing": ("Place",)},
)
DISK = replace(CATALOG.addons["twin"], id="disk", fingerprints=Fingerprints(csi_drivers=("disk.csi.test",)))
KNOWN = replace(small_catalog(), addons={**CATALOG.addons, "hook": NET, "disk": DISK})
SHOP = runs("shop", "shop:1")
WAITS = pod(SHOP, name="shop-1", ready=False, phase="Pending")
NO_ADDRESS = 'plugin type="hook" failed (add): no free address'


def warning(
    of: ObjectRef = WAITS.ref,
    message: str = NO_ADDRESS,
    *,
    reason: str = "FailedCreatePodSandBox",
    reporter: str = "kubelet",
    count: int = 9,
    minutes: int = 2,
) -> model.Event:
    return model.Event(
        name=f"{of.name}.{reason}",
        namespace=of.namespace,
        subject=of,
        reason=reason,
        message=message,
        reporter=reporter,
        count=count,
        first_seen=NOW - timedelta(minutes=minutes + 30),
        last_seen=NOW - timedelta(minutes=minutes),
    )


def laid(*events: model.Event, pods: tuple[model.Pod, ...] = (WAITS,), **parts: object) -> list[Finding]:
    made = found(HOOK, SHOP, known=KNOWN, pods=pods, events=events, **parts)
    return [item for item in made if item.code == "HLT017"]


def test_what_an_addon_is_named_for_is_laid_to_it_once_with_all_objects() -> None:
    other = replace(WAITS, name="shop-2")
    (item,) = laid(warning(), warning(other.ref), pods=(WAITS, other))
    assert item.subject == InstallationRef("hook/apps/hook", "hook", topic="FailedCreatePodSandBox")
    assert item.severity is Severity.REQUIRED
    assert item.evidence[0].subject == "2 Pods"
    assert item.evidence[0].detail == f"FailedCreatePodSandBox ×18 on 2 Pods since 2026-11-24 11:28 UTC: {NO_ADDRESS}"
    assert [each.subject for each in item.evidence[1:3]] == ["Pod/apps/shop-1", "Pod/apps/shop-2"]


def test_a_known_cause_is_shown_with_its_link_and_what_helps() -> None:
    (item,) = laid(warning())
    assert item.evidence[-1].detail == "known cause: the range is used up (https://x.test/1)"
    assert "# Add a range." in fix(item)


@pytest.mark.parametrize(
    "silent",
    [
        warning(message='plugin type="other" failed (add)'),
        warning(minutes=90),
        warning(message=f'failed calling webhook "x": {NO_ADDRESS}'),
        warning(ObjectRef.of("Pod", "gone", "apps")),
    ],
    ids=["names another", "of long ago", "a webhook's", "of a pod that is gone"],
)
def test_what_is_not_its_fault_or_is_over_is_not_laid_to_it(silent: model.Event) -> None:
    assert laid(silent) == []


def test_a_pod_that_has_its_address_by_now_and_one_that_just_began_are_no_symptoms() -> None:
    assert laid(warning(), pods=(pod(SHOP, name="shop-1"),)) == []
    young = replace(WAITS, created=NOW - timedelta(seconds=20))
    assert laid(warning(count=1), pods=(young,)) == []
    assert len(laid(warning(count=3), pods=(young,))) == 1


def test_what_a_controller_reports_is_laid_to_it_but_for_what_it_reports_of_its_users() -> None:
    ingress = model.Ingress(name="web", namespace="shop")
    failed = warning(ingress.ref, "no subnet", reason="FailedBuildModel", reporter="hook-ctl_pod-1")
    (item,) = laid(failed, ingresses=(ingress,))
    assert item.severity is Severity.REQUIRED
    (served,) = laid(failed, ingresses=(replace(ingress, load_balancers=("lb.test",)),))
    assert served.severity is Severity.RECOMMENDED
    assert laid(replace(failed, count=1), ingresses=(replace(ingress, load_balancers=("lb.test",)),)) == []
    assert laid(replace(failed, reason="Denied"), ingresses=(ingress,)) == []


def test_what_is_laid_to_an_addon_that_is_not_there_asks_for_it() -> None:
    claim = model.VolumeClaim(name="data", namespace="shop", phase="Pending")
    waits = warning(claim.ref, "driver name disk.csi.test not found", reason="ProvisioningFailed")
    (item,) = laid(waits, volume_claims=(claim,))
    assert item.subject == AddOnRef("disk", part="ProvisioningFailed")
    assert "Install Twin" in fix(item)
    assert laid(waits, volume_claims=(replace(claim, phase="Bound"),)) == []


def test_the_addon_that_pods_wait_for_stands_above_them() -> None:
    waiting = pod(DNS, name="dns-1", ready=False, phase="Pending")
    short = replace(DNS, ready=0, available=0)
    items = found(HOOK, short, known=KNOWN, pods=(waiting,), events=(warning(waiting.ref),))
    assert [(item.code, item.cause) for item in by_urgency(items)] == [
        ("HLT017", None),
        ("HLT005", "HLT017 hook/apps/hook: FailedCreatePodSandBox"),
    ]


def test_a_crash_without_words_shows_what_is_known_of_its_version() -> None:
    crashed = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=7), ready=False)
    (item,) = (each for each in found(HOOK, known=KNOWN, pods=(crashed,)) if each.code == "HLT001")
    assert item.evidence[-1].detail == "known cause: it cannot bind"
    worded = replace(crashed, containers=(replace(crashed.containers[0], last_words="panic: nil map"),))
    (item,) = (each for each in found(HOOK, known=KNOWN, pods=(worded,)) if each.code == "HLT001")
    assert item.evidence[-1].kind == "pod"


def test_a_known_issue_of_another_version_or_without_a_sign_is_not_shown() -> None:
    silent = (status(),)
    assert [issue.what for issue in fitting(NET, Version.of("1.1.0"), (), silent)] == ["it cannot bind"]
    assert fitting(NET, Version.of("1.3.0"), (), silent) == []
    assert fitting(NET, None, (), silent) == []
    unsigned = replace(NET, known_issues=(KnownIssue(what="for readers"),))
    assert fitting(unsigned, Version.of("1.1.0"), ("anything", ""), silent) == []


def test_custom_resources_come_below_those_that_they_lean_on() -> None:
    def degraded(kind: str) -> model.ObjectHealth:
        ref = ObjectRef(group="hook.test", kind=kind, namespace="apps", name="a")
        return model.ObjectHealth(ref=ref, api_version="hook.test/v1", health=Health.DEGRADED, reason="no", rule="kind")

    items = found(HOOK, known=KNOWN, object_health=(degraded("Thing"), degraded("Place")))
    assert [(str(item.subject), item.cause) for item in by_urgency(items)] == [
        ("Place of hook", None),
        ("Thing of hook", "HLT018 Place of hook"),
    ]


def test_eks_is_not_told_to_apply_the_version_again_for_want_of_pods() -> None:
    few = model.EksIssue(code="InsufficientNumberOfReplicas", message="too few")
    addon = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.1", status="DEGRADED", issues=(few,))
    denied = replace(few, code="AdmissionRequestDenied")
    parts = {"eks": model.Eks(cluster=model.EksCluster(name="prod-eu-1"), addons=(addon,))}
    (item,) = (each for each in found(DNS, **parts) if each.code == "EKS005")
    assert "update-addon" not in fix(item)
    assert "kubectl get pods" in fix(item)
    parts = {"eks": model.Eks(cluster=model.EksCluster(name="prod-eu-1"), addons=(replace(addon, issues=(denied,)),))}
    (item,) = (each for each in found(DNS, **parts) if each.code == "EKS005")
    assert "exempt" in fix(item)


def test_objects_are_counted_by_kind() -> None:
    pods = [ObjectRef.of("Pod", name, "a") for name in ("x", "y", "y")]
    assert symptoms.objects_in_short(pods) == "2 Pods"
    assert symptoms.objects_in_short(pods[1:]) == "Pod/a/y"
    assert symptoms.objects_in_short([*pods, ObjectRef.of("Node", "n")]) == "2 Pods, 1 Node"


def test_a_sound_cluster_has_no_symptoms() -> None:
    assert codes(HOOK, SHOP, known=KNOWN, pods=(pod(HOOK), pod(SHOP))) == []


def test_a_network_that_crashes_stands_above_the_nodes_that_wait_for_it() -> None:
    network = replace(NET, provides=(ClusterService.POD_NETWORK,))
    known = replace(KNOWN, addons={**KNOWN.addons, "hook": network})
    message = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    waits = model.Condition(type="Ready", status="False", message=message)
    node = model.Node(name="node-1", conditions=(waits,), created=NOW - timedelta(days=1))
    crashed = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=7), ready=False, node="node-1")
    items = found(HOOK, known=known, pods=(crashed,), nodes=(node,))
    causes = {item.code: item.cause for item in items}
    assert causes == {"HLT001": None, "HLT021": "HLT001 Deployment/apps/hook"}
    lost = replace(node, conditions=(replace(waits, message="Kubelet stopped posting node status."),))
    causes = {item.code: item.cause for item in found(HOOK, known=known, pods=(crashed,), nodes=(lost,))}
    assert causes == {"HLT001": None, "HLT021": None}


def test_a_volume_that_is_not_attached_is_laid_to_the_driver_behind_it() -> None:
    claim = model.VolumeClaim(name="data", namespace="apps", phase="Bound", volume="pvc-1")
    volume = model.Volume(name="pvc-1", driver="disk.csi.test")
    waits = replace(WAITS, claims=("data",))
    attach = warning(
        message='Multi-Attach error for volume "pvc-1" Volume is already used', reason="FailedAttachVolume"
    )
    parts = {"pods": (waits,), "volume_claims": (claim,), "volumes": (volume,)}
    (item,) = laid(attach, **parts)  # type: ignore[arg-type]
    assert item.subject == AddOnRef("disk", part="FailedAttachVolume")
    missing = warning(message='configmap "settings" not found', reason="FailedMount")
    assert laid(missing, **parts) == []  # type: ignore[arg-type]


def test_a_sidecar_names_its_driver_behind_its_own_name() -> None:
    claim = model.VolumeClaim(name="data", namespace="apps", phase="Bound")
    resize = warning(
        claim.ref, "it cannot grow", reason="VolumeResizeFailed", reporter="external-resizer disk.csi.test"
    )
    assert laid(resize, volume_claims=(claim,)) == []
    (item,) = laid(resize, volume_claims=(replace(claim, phase="Pending"),))
    assert item.subject == AddOnRef("disk", part="VolumeResizeFailed")


def test_a_readiness_gate_names_what_it_waits_for() -> None:
    gate = model.Condition(
        type="Ready",
        status="False",
        reason="ReadinessGatesNotReady",
        message='corresponding condition of pod readiness gate plugin type="hook" does not exist.',
    )
    gated = replace(WAITS, phase="Running", conditions=(gate,))
    (item,) = laid(pods=(gated,))
    assert str(item.subject) == "hook/apps/hook: ReadinessGatesNotReady"


# ── Roles ───────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = warning(message='plugin type="hook" failed: UnauthorizedOperation')
IN_AWS = replace(NET, install=Install(eks=EksInstall(name="hook", requires_iam=True)))
NEEDS_ROLE = replace(KNOWN, addons={**KNOWN.addons, "hook": IN_AWS})
WITH_ACCOUNT = replace(HOOK, template=replace(HOOK.template, service_account="hook"))
ACCOUNT = model.ServiceAccount(name="hook", namespace="apps")


def roles_told(account: model.ServiceAccount = ACCOUNT, event: model.Event = REFUSED, **parts: object) -> list[str]:
    given = {"pods": (WAITS,), "events": (event,), "service_accounts": (account,)} | parts
    items = found(WITH_ACCOUNT, SHOP, known=NEEDS_ROLE, **given)
    return [seen.detail for item in items if item.code == "HLT017" for seen in item.evidence if seen.kind == "iam"]


def test_an_addon_that_aws_refuses_and_that_has_no_role_is_told_so() -> None:
    assert roles_told() == ["no annotation eks.amazonaws.com/role-arn: it has the role of its node, if any"]
    annotated = replace(ACCOUNT, annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/hook"})
    assert roles_told(annotated) == []
    assert roles_told(event=warning()) == []


def test_an_association_is_a_role_and_so_is_that_of_the_eks_addon() -> None:
    cluster = model.EksCluster(name="prod-eu-1")
    given = model.PodIdentity(namespace="apps", service_account="hook", role_arn="arn:aws:iam::1:role/hook")
    assert "no Pod Identity association" in roles_told(eks=model.Eks(cluster=cluster))[0]
    assert roles_told(eks=model.Eks(cluster=cluster, pod_identities=(given,))) == []


ROLE = "arn:aws:iam::123456789012:role/hook"
ON_EKS = model.Eks(
    cluster=model.EksCluster(name="prod-eu-1"),
    node_groups=(model.NodeGroup(name="main", node_role="arn:aws:iam::123456789012:role/nodes"),),
)


def judged_roles(account: model.ServiceAccount = ACCOUNT, **parts: object) -> list[model.Finding]:
    given = {"service_accounts": (account,), "eks": ON_EKS} | parts
    return [item for item in found(WITH_ACCOUNT, SHOP, known=NEEDS_ROLE, **given) if item.code == "HLT033"]


def annotated(role: str) -> model.ServiceAccount:
    return replace(ACCOUNT, annotations={"eks.amazonaws.com/role-arn": role})


def test_an_addon_that_calls_aws_has_the_role_of_its_node_or_its_own() -> None:
    (item,) = judged_roles()
    assert (str(item.subject), item.severity) == ("hook/apps/hook: role", Severity.INFO)
    assert "role/nodes" in fix(item)
    assert judged_roles(annotated(ROLE)) == []
    given = model.PodIdentity(namespace="apps", service_account="hook", role_arn=ROLE)
    assert judged_roles(eks=replace(ON_EKS, pod_identities=(given,))) == []
    assert judged_roles(eks=None) == [], "whether there is an association is not known"
    assert (
        judged_roles(gaps=(model.Gap(part="eks:pod_identities", reason=model.GapReason.FORBIDDEN, detail="403"),)) == []
    )


def test_where_aws_refuses_it_its_missing_role_is_the_cause() -> None:
    items = found(
        WITH_ACCOUNT, SHOP, known=NEEDS_ROLE, service_accounts=(ACCOUNT,), eks=ON_EKS, pods=(WAITS,), events=(REFUSED,)
    )
    role, symptom = (next(item for item in items if item.code == code) for code in ("HLT033", "HLT017"))
    assert role.severity is Severity.REQUIRED
    assert "UnauthorizedOperation" in role.evidence[-1].detail
    assert symptom.cause == role.id


def test_pods_on_fargate_have_no_role_of_a_node() -> None:
    node = model.Node(name="fargate-1", labels={"eks.amazonaws.com/compute-type": "fargate"})
    (item,) = judged_roles(nodes=(node,), pods=(replace(pod(WITH_ACCOUNT), node="fargate-1"),))
    assert item.severity is Severity.REQUIRED
    assert "fargate-1 (fargate)" in item.evidence[-1].detail


def test_two_roles_for_one_account_and_what_is_no_role_are_told() -> None:
    other = model.PodIdentity(namespace="apps", service_account="hook", role_arn=ROLE + "-2")
    (item,) = judged_roles(annotated(ROLE), eks=replace(ON_EKS, pod_identities=(other,)))
    assert (str(item.subject), item.severity) == ("ServiceAccount/apps/hook", Severity.RECOMMENDED)
    (item,) = judged_roles(annotated("hook"))
    assert item.severity is Severity.REQUIRED


# ── Nodes, and what is young ────────────────────────────────────────────────────────────────────────────────────


def test_what_agents_say_of_a_node_is_heard() -> None:
    broken = model.Condition(type="NetworkingReady", status="False", reason="IPAMDNotReady", message="ipamd is down")
    stuck = model.Condition(type="KernelDeadlock", status="True", message="task blocked")
    ready = model.Condition(type="Ready", status="True")
    fine = model.Condition(type="StorageReady", status="True")
    nodes = (
        model.Node(name="a", conditions=(ready, broken, fine)),
        model.Node(name="b", conditions=(ready, stuck)),
        model.Node(name="c", conditions=(ready, fine)),
    )
    (item,) = (each for each in found(HOOK, nodes=nodes) if each.code == "HLT024")
    assert [seen.detail for seen in item.evidence] == ["NetworkingReady: ipamd is down", "KernelDeadlock: task blocked"]


def test_what_was_created_within_a_minute_is_on_its_way() -> None:
    new = replace(HOOK, ready=0, available=0, created=NOW - timedelta(seconds=20))
    (item,) = (each for each in found(new) if each.code == "HLT005")
    assert item.severity is Severity.INFO
    (item,) = (each for each in found(replace(new, created=NOW - timedelta(minutes=5))) if each.code == "HLT005")
    assert item.severity is Severity.REQUIRED
    crd = model.CustomResourceDefinition(
        name="xs.hook.test",
        group="hook.test",
        kind="X",
        conditions=(model.Condition(type="Established", status="False"),),
    )
    assert "HLT011" in codes(HOOK, crds=(crd,))
    assert "HLT011" not in codes(HOOK, crds=(replace(crd, created=NOW - timedelta(seconds=20)),))


def test_an_addon_whose_own_pods_crash_is_down_before_it_fails_others() -> None:
    crashed = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=7), ready=False)
    items = found(HOOK, SHOP, known=KNOWN, pods=(crashed, WAITS), events=(warning(),))
    assert {item.code: item.cause for item in items} == {"HLT001": None, "HLT017": "HLT001 Deployment/apps/hook"}


def test_an_addon_does_not_wait_for_itself() -> None:
    waits = pod(HOOK, name="hook-1", ready=False, phase="Pending")
    short = replace(HOOK, ready=0, available=0)
    items = found(short, known=KNOWN, pods=(waits,), events=(warning(waits.ref),))
    assert {item.code: item.cause for item in items} == {"HLT005": None, "HLT017": "HLT005 Deployment/apps/hook"}
