"""A fault that shows on somebody else's object is laid to the add-on that reports it, or that is named."""

from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl import model
from addonctl.catalog import Fingerprints, KnownIssue, Symptoms
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
    assert item.evidence[0].detail == f"FailedCreatePodSandBox ×18 since 2026-11-24 11:28 UTC: {NO_ADDRESS}"
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
