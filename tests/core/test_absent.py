"""What objects wait for, what hangs, and what there are two of, though no event says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl import model
from addonctl.catalog import ClusterService, Fingerprints, ImageFingerprint
from addonctl.findings import by_urgency
from addonctl.model import AddOnRef, InstallationRef, ObjectRef, Severity
from tests.builders import NOW, small_catalog
from tests.core.test_health import CATALOG, HOOK, fix, found, pod, runs

PRINTS = Fingerprints(
    images=(ImageFingerprint(path="acme/disk"),),
    csi_drivers=("disk.csi.test",),
    crd_groups=("disk.test",),
    ingress_controllers=("test/lb",),
    load_balancers=("external",),
    finalizers=("lb.disk.test",),
    startup_taints=("disk.test/not-ready",),
)
DISK = replace(CATALOG.addons["twin"], id="disk", name="Disk", fingerprints=PRINTS)
AGENT = replace(CATALOG.addons["twin"], id="agent", name="Agent", provides=(ClusterService.POD_IDENTITY,))
KUBERNETES = replace(small_catalog().kubernetes, in_tree_drivers={"kubernetes.io/disk": "disk.csi.test"})
KNOWN = replace(small_catalog(), addons={**CATALOG.addons, "disk": DISK, "agent": AGENT}, kubernetes=KUBERNETES)
OLD = NOW - timedelta(hours=2)
CLASS = model.StorageClass(name="gp2", provisioner="kubernetes.io/disk", binding_mode="WaitForFirstConsumer")
CLAIM = model.VolumeClaim(name="data", namespace="shop", storage_class="gp2", phase="Pending", created=OLD)
USER = replace(pod(runs("shop", "shop:1")), namespace="shop", phase="Pending", ready=False, claims=("data",))
DRIVER = replace(runs("disk-node", "acme/disk:1.0", kind="DaemonSet", desired=1))


def of(code: str, *workloads: model.Workload, **parts: object) -> list[model.Finding]:
    parts.setdefault("pods", (pod(HOOK), USER))
    return [item for item in found(HOOK, *workloads, known=KNOWN, **parts) if item.code == code]


# ── Add-ons that are not there ──────────────────────────────────────────────────────────────────────────────────


def test_a_claim_waits_for_the_driver_behind_its_class_by_its_old_name_too() -> None:
    (item,) = of("HLT027", volume_claims=(CLAIM,), storage_classes=(CLASS,))
    assert item.subject == AddOnRef("disk", part="service")
    assert "class gp2 since 2 h; its driver disk.csi.test is not installed" in item.evidence[0].detail
    assert "Install Disk" in fix(item)
    assert of("HLT027", DRIVER, volume_claims=(CLAIM,), storage_classes=(CLASS,)) == []


@pytest.mark.parametrize(
    "silent",
    [
        replace(CLAIM, phase="Bound"),
        replace(CLAIM, created=NOW - timedelta(minutes=1)),
        replace(CLAIM, storage_class="other"),
        replace(CLAIM, name="for-later"),
    ],
    ids=["bound", "young", "of another class", "nobody uses it"],
)
def test_a_claim_that_nothing_is_missing_for_is_silent(silent: model.VolumeClaim) -> None:
    assert of("HLT027", volume_claims=(silent,), storage_classes=(CLASS,)) == []


def test_a_pod_waits_for_the_driver_of_a_volume_that_needs_no_claim() -> None:
    inline = replace(USER, claims=(), csi_drivers=("disk.csi.test",), node="node-1", created=OLD)
    (item,) = of("HLT027", pods=(pod(HOOK), inline))
    assert item.subject == AddOnRef("disk", part="service")
    assert "a volume of disk.csi.test, which is not installed" in item.evidence[0].detail
    there = (model.CsiDriver(name="disk.csi.test"),)
    assert of("HLT027", pods=(pod(HOOK), inline), csi_drivers=there) == []


def test_a_node_waits_for_the_agent_that_takes_its_taint_away() -> None:
    taint = model.Taint(key="disk.test/not-ready", effect="NoExecute")
    node = model.Node(name="node-1", taints=(taint,), created=OLD)
    (item,) = of("HLT027", nodes=(node,))
    assert item.evidence[0].subject == "Node/node-1"
    assert "disk.test/not-ready stays" in item.evidence[0].detail
    assert of("HLT027", nodes=(replace(node, created=NOW),)) == []
    assert of("HLT027", DRIVER, nodes=(node,)) == []
    (item,) = of("HLT028", DRIVER, nodes=(node,), pods=(pod(HOOK), pod(DRIVER, node="node-1")))
    assert (item.subject, item.evidence[0].subject) == (DRIVER.ref, "Node/node-1")
    assert "kubectl delete" in fix(item)


def test_what_waits_for_an_address_waits_for_its_controller() -> None:
    named = model.IngressClass(name="lb", controller="test/lb")
    ingress = model.Ingress(name="web", namespace="shop", ingress_class="lb", created=OLD)
    annotated = {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
    service = model.Service(name="web", namespace="shop", type="LoadBalancer", annotations=annotated, created=OLD)
    (item,) = of("HLT027", ingresses=(ingress,), ingress_classes=(named,), services=(service,))
    assert [each.subject for each in item.evidence] == ["disk", "Ingress/shop/web", "Service/shop/web"]
    served = replace(ingress, load_balancers=("lb.test",))
    assert of("HLT027", ingresses=(served,), ingress_classes=(named,)) == []
    assert of("HLT027", services=(replace(service, annotations={}),)) == []


def test_associations_without_an_agent_hand_out_nothing() -> None:
    given = model.PodIdentity(namespace="apps", service_account="hook", role_arn="arn:aws:iam::1:role/hook")
    eks = model.Eks(cluster=model.EksCluster(name="prod-eu-1"), pod_identities=(given,))
    node = model.Node(name="node-1")
    (item,) = of("HLT027", eks=eks, nodes=(node,))
    assert item.evidence[0].subject == "ServiceAccount/apps/hook"
    auto = replace(eks, cluster=replace(eks.cluster, auto_mode=True))
    assert of("HLT027", eks=auto, nodes=(node,)) == []


def test_manifests_wait_for_nothing() -> None:
    assert of("HLT027", volume_claims=(CLAIM,), storage_classes=(CLASS,), pods=()) == []


# ── Agents ──────────────────────────────────────────────────────────────────────────────────────────────────────

TAINT = model.Taint(key="dedicated", value="gpu", effect="NoSchedule")
NODES = (model.Node(name="a"), model.Node(name="b", taints=(TAINT,)))
VOLUME = model.Volume(name="pv-1", driver="disk.csi.test")
BOUND = replace(CLAIM, phase="Bound", volume="pv-1")


def on_nodes(tolerations: tuple[model.Toleration, ...] = ()) -> dict[str, object]:
    """The driver's only pod runs on node a, a pod that waits for a volume of it on node b."""
    daemon = replace(DRIVER, template=replace(DRIVER.template, tolerations=tolerations))
    user = replace(USER, node="b")
    return {
        "nodes": NODES,
        "volumes": (VOLUME,),
        "volume_claims": (BOUND,),
        "pods": (pod(HOOK), pod(daemon, name="disk-node-a", node="a"), user),
    }


def test_a_node_that_an_agent_keeps_off_for_a_taint_is_named_with_it() -> None:
    daemon = replace(DRIVER, template=replace(DRIVER.template, tolerations=()))
    (item,) = of("HLT028", daemon, **on_nodes())
    assert (str(item.subject), item.severity) == ("DaemonSet/apps/disk-node", Severity.REQUIRED)
    assert "taint dedicated=gpu:NoSchedule it does not tolerate; 1 pod on it wait" in item.evidence[0].detail
    assert "let it tolerate dedicated=gpu:NoSchedule" in fix(item)


def test_where_the_agent_runs_or_nobody_waits_for_it_it_is_not_missed() -> None:
    parts = on_nodes()
    everywhere = (*parts["pods"], pod(DRIVER, name="disk-node-b", node="b"))  # type: ignore[misc]
    assert of("HLT028", DRIVER, **(parts | {"pods": everywhere})) == []
    assert of("HLT028", DRIVER, **(parts | {"volumes": (replace(VOLUME, driver="other.csi.test"),)})) == []


# ── Attachments ─────────────────────────────────────────────────────────────────────────────────────────────────

LEFT = model.VolumeAttachment(name="va-1", attacher="disk.csi.test", node="gone", volume="pv-1", created=OLD)


def test_a_volume_that_stays_attached_to_a_node_that_is_gone_is_found() -> None:
    claimed = replace(VOLUME, claim=ObjectRef.of("PersistentVolumeClaim", "data", "shop"))
    (item,) = of("HLT029", DRIVER, volume_attachments=(LEFT,), nodes=NODES, volumes=(claimed,))
    assert item.subject == InstallationRef("disk/apps/disk-node", "disk", topic="attachments")
    assert item.severity is Severity.REQUIRED
    assert item.evidence[0].detail == "PersistentVolume/pv-1: its node gone is gone; a pod waits for it"
    assert "kubectl delete volumeattachment.storage.k8s.io/va-1" in fix(item)
    (unused,) = of("HLT029", volume_attachments=(LEFT,), nodes=NODES)
    assert unused.severity is Severity.RECOMMENDED


def test_an_attachment_that_fails_says_why_and_one_that_works_is_silent() -> None:
    failing = replace(LEFT, node="a", attach_error="rpc error: volume is in another zone")
    (item,) = of("HLT029", volume_attachments=(failing,), nodes=NODES)
    assert "another zone" in item.evidence[0].detail
    young = replace(LEFT, created=NOW - timedelta(minutes=2))
    assert of("HLT029", volume_attachments=(replace(LEFT, node="a"), young), nodes=NODES) == []
    assert of("HLT029", volume_attachments=(LEFT,)) == []


# ── Deletions ───────────────────────────────────────────────────────────────────────────────────────────────────


def held(*finalizers: str, minutes: int = 60, kind: str = "Thing", group: str = "disk.test") -> model.OtherObject:
    return model.OtherObject(
        api_version=f"{group}/v1",
        kind=kind,
        name="thing",
        namespace="shop",
        deleting=True,
        deleted=NOW - timedelta(minutes=minutes),
        finalizers=finalizers,
    )


SHOP = model.Namespace(name="shop", phase="Terminating", deleting=True, deleted=NOW - timedelta(hours=1))


@pytest.mark.parametrize("finalizer", ["disk.test/cleanup", "finalizer.disk.test", "lb.disk.test/resources"])
def test_who_holds_a_deletion_is_asked_for_where_it_is_not_installed(finalizer: str) -> None:
    (item,) = of("HLT030", others=(held(finalizer),), namespaces=(SHOP,))
    assert item.subject == AddOnRef("disk", part="finalizers")
    assert f"in deletion for 60 min, held by finalizer {finalizer}" in item.evidence[0].detail
    assert [each.subject for each in item.evidence] == ["Thing/shop/thing", "Namespace/shop", "disk"]
    assert "Do not delete its CRDs before" in fix(item)


def test_where_the_holder_is_installed_its_log_says_why() -> None:
    (item,) = of("HLT030", DRIVER, others=(held("disk.test/cleanup"),), pods=(pod(HOOK), pod(DRIVER)))
    assert item.subject == InstallationRef("disk/apps/disk-node", "disk", topic="deletion")
    assert "kubectl logs -n apps daemonset/disk-node" in fix(item)


def test_what_is_just_being_deleted_or_held_by_nobody_known_is_silent() -> None:
    for silent in (held("disk.test/cleanup", minutes=2), held("kubernetes"), held()):
        assert of("HLT030", others=(silent,)) == []


def test_a_namespace_tells_what_is_left_in_it_and_which_api_does_not_answer() -> None:
    failed = model.Condition(
        type="NamespaceDeletionDiscoveryFailure",
        status="True",
        reason="DiscoveryFailed",
        message="unable to retrieve the complete list of server APIs: hook.test/v1",
    )
    down = model.Condition(type="Available", status="False", reason="FailedDiscoveryCheck", message="503")
    api = model.ApiService(
        name="v1.hook.test",
        group="hook.test",
        version="v1",
        service=model.ServiceTarget(namespace="apps", name="hook"),
        conditions=(down,),
    )
    service = model.Service(name="hook", namespace="apps", selector={"app": "hook"})
    items = found(
        HOOK, known=KNOWN, namespaces=(replace(SHOP, conditions=(failed,)),), api_services=(api,), services=(service,)
    )
    codes = [(item.code, item.cause) for item in by_urgency(items) if item.code in ("HLT010", "HLT030")]
    assert codes == [("HLT010", "HLT008 Service/apps/hook"), ("HLT030", "HLT010 APIService/v1.hook.test")]
    (item,) = of("HLT030", namespaces=(replace(SHOP, conditions=(failed,)),), api_services=(api,))
    assert item.cause == "INV005 APIService/v1.hook.test", "its Service is gone"
    assert of("HLT030", namespaces=(replace(SHOP, deleted=NOW - timedelta(minutes=1), conditions=(failed,)),)) == []


# ── Defaults ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_two_defaults_all_but_the_newest_are_to_be_unset() -> None:
    old = model.StorageClass(name="gp2", is_default=True, created=NOW - timedelta(days=9))
    new = model.StorageClass(name="gp3", is_default=True, created=OLD)
    (item,) = of("HLT031", storage_classes=(old, new))
    assert str(item.subject) == "StorageClass/gp2 and StorageClass/gp3"
    assert "kubectl annotate storageclass.storage.k8s.io/gp2 storageclass.kubernetes.io/is-default-class-" in fix(item)
    assert of("HLT031", storage_classes=(old, replace(new, is_default=False))) == []


def test_defaults_of_other_kinds_are_counted_where_they_exclude_each_other() -> None:
    marked = {"snapshot.storage.kubernetes.io/is-default-class": "true"}
    one, two = (model.VolumeSnapshotClass(name=name, driver=name, annotations=marked) for name in ("a", "b"))
    assert of("HLT031", volume_snapshot_classes=(one, two)) == []
    assert len(of("HLT031", volume_snapshot_classes=(one, replace(two, driver="a")))) == 1
    places = tuple(
        model.OtherObject(
            api_version="velero.io/v1",
            kind="BackupStorageLocation",
            name=name,
            namespace="velero",
            fields={"spec.default": "true"},
        )
        for name in ("a", "b")
    )
    (item,) = of("HLT031", others=places)
    assert '"default":false' in fix(item).replace(" ", "")
    ingress = {"ingressclass.kubernetes.io/is-default-class": "true"}
    classes = tuple(model.IngressClass(name=name, annotations=ingress) for name in ("a", "b"))
    assert len(of("HLT031", ingress_classes=classes)) == 1
