"""The health of small objects: every state that a controller can report, and none made up where nothing says so."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources.manifests import Collection
from addonctl.catalog import Catalog
from addonctl.health import judge
from addonctl.health.object_rules import RULES, rule_for
from addonctl.model import Cluster, Health, ObjectHealth, View
from tests.builders import NOW, small_catalog, snapshot

DECODER = Decoder(small_catalog())
WHEN = "2026-11-24T10:00:00Z"
LATER = "2026-11-24T11:00:00Z"


def health_of(api_version: str, kind: str, *, live: bool = True, meta: Any = None, **body: Any) -> ObjectHealth | None:
    """What is said of one object as an API server would give it, or, not `live`, as a manifest writes it."""
    marks = {"uid": "u-1", "creationTimestamp": WHEN} if live else {}
    document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it", **marks, **(meta or {})}, **body}
    collection = Collection(DECODER)
    collection.add(File("test.json", body=json.dumps(document).encode()))
    said = judge(View(collection.snapshot(Cluster(name="test"), NOW)))
    assert len(said) <= 1
    for one in said:
        assert one.reason or one.health is Health.HEALTHY, one
    return said[0] if said else None


def word(api_version: str, kind: str, **more: Any) -> str:
    said = health_of(api_version, kind, **more)
    return said.health.value if said else "none"


def conditions(*told: str) -> dict[str, Any]:
    """`Ready=False/Pending: not yet` … as a status."""
    found = []
    for line in told:
        head, _, message = line.partition(": ")
        name, _, rest = head.partition("=")
        status, _, reason = rest.partition("/")
        found.append({"type": name, "status": status, "reason": reason, "message": message})
    return {"conditions": found}


# ── Kinds of Kubernetes ─────────────────────────────────────────────────────────────────────────────────────────

_DONE = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, "healthy"),
        ({"paused": True}, {}, "suspended"),
        ({}, {"observedGeneration": 1}, "progressing"),
        ({}, {"updatedReplicas": 2}, "progressing"),
        ({}, {"replicas": 4}, "progressing"),
        ({}, {"availableReplicas": 2}, "progressing"),
        ({}, conditions("Progressing=False/ProgressDeadlineExceeded: timed out"), "degraded"),
        ({"replicas": 0}, {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}, "healthy"),
    ],
)
def test_deployments(spec: Mapping[str, Any], status: Mapping[str, Any], expected: str) -> None:
    body = {"spec": {"replicas": 3, **spec}, "status": {**_DONE, **status}, "meta": {"generation": 2}}
    assert word("apps/v1", "Deployment", **body) == expected


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, "healthy"),
        ({}, {"readyReplicas": 2}, "progressing"),
        ({}, {"observedGeneration": 1}, "progressing"),
        ({}, {"updateRevision": "b", "updatedReplicas": 1}, "progressing"),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updateRevision": "b", "updatedReplicas": 0}, "healthy"),
        (
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
            {"updateRevision": "b", "updatedReplicas": 1},
            "healthy",
        ),
        (
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
            {"updateRevision": "b", "updatedReplicas": 1},
            "progressing",
        ),
    ],
)
def test_stateful_sets(spec: Mapping[str, Any], status: Mapping[str, Any], expected: str) -> None:
    body = {
        "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate"}, **spec},
        "meta": {"generation": 2},
        "status": {**_DONE, "currentRevision": "a", "updateRevision": "a", **status},
    }
    assert word("apps/v1", "StatefulSet", **body) == expected


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, "healthy"),
        ({}, {"updatedNumberScheduled": 1}, "progressing"),
        ({}, {"numberAvailable": 1}, "progressing"),
        ({}, {"observedGeneration": 1}, "progressing"),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updatedNumberScheduled": 0}, "healthy"),
        ({}, {"desiredNumberScheduled": 0, "updatedNumberScheduled": 0, "numberAvailable": 0}, "healthy"),
    ],
)
def test_daemon_sets(spec: Mapping[str, Any], status: Mapping[str, Any], expected: str) -> None:
    counts = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2}
    body = {"spec": spec, "status": {"observedGeneration": 2, **counts, **status}, "meta": {"generation": 2}}
    assert word("apps/v1", "DaemonSet", **body) == expected


def test_replica_sets_of_none_are_older_revisions() -> None:
    assert word("apps/v1", "ReplicaSet", spec={"replicas": 0}, status={"replicas": 0}) == "none"
    assert word("apps/v1", "ReplicaSet", spec={"replicas": 2}, status={"availableReplicas": 2}) == "healthy"
    assert word("apps/v1", "ReplicaSet", spec={"replicas": 2}, status={"availableReplicas": 1}) == "progressing"
    failed = conditions("ReplicaFailure=True/FailedCreate: quota exceeded")
    assert word("apps/v1", "ReplicaSet", spec={"replicas": 2}, status=failed) == "degraded"
    assert word("apps/v1", "ControllerRevision", revision=1) == "none"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"active": 1}, "progressing"),
        ({"succeeded": 1, **conditions("SuccessCriteriaMet=True", "Complete=True")}, "healthy"),
        (conditions("Failed=True/BackoffLimitExceeded: Job has reached the specified backoff limit"), "degraded"),
        (conditions("Suspended=True/JobSuspended: Job suspended"), "suspended"),
        ({"active": 1, **conditions("Suspended=False/JobResumed: Job resumed")}, "progressing"),
    ],
)
def test_jobs(status: Mapping[str, Any], expected: str) -> None:
    assert word("batch/v1", "Job", spec={}, status=status) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, "healthy"),
        ({"lastScheduleTime": WHEN, "lastSuccessfulTime": LATER}, "healthy"),
        ({"lastScheduleTime": LATER, "lastSuccessfulTime": WHEN}, "degraded"),
        ({"lastScheduleTime": LATER, "lastSuccessfulTime": WHEN, "active": [{"name": "it-1"}]}, "healthy"),
        ({"lastScheduleTime": LATER}, "healthy"),
    ],
)
def test_cron_jobs(status: Mapping[str, Any], expected: str) -> None:
    assert word("batch/v1", "CronJob", spec={"schedule": "* * * * *"}, status=status) == expected


def pod(policy: str = "Always", phase: str = "Running", notes: Any = None, **container: Any) -> str:
    ready = container.get("ready", False)
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        "containerStatuses": [{"name": "main", "ready": ready, **container}],
    }
    spec = {"restartPolicy": policy, "containers": [{"name": "main", "image": "i"}]}
    return word("v1", "Pod", spec=spec, status=status, meta={"annotations": notes or {}})


def test_pods() -> None:
    crashing: dict[str, Any] = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    own_pace = {"argocd.argoproj.io/ignore-restart-policy": "true"}
    assert pod(ready=True) == "healthy"
    assert pod() == "progressing"
    assert pod(**crashing) == "degraded"
    assert pod(phase="Pending", state={"waiting": {"reason": "ErrImagePull"}}) == "degraded"
    assert pod(phase="Pending", state={"waiting": {"reason": "CreateContainerConfigError"}}) == "degraded"
    assert pod(phase="Pending", state={"waiting": {"reason": "ContainerCreating"}}) == "progressing"
    assert pod(lastState={"terminated": {"exitCode": 1, "reason": "Error"}}) == "degraded"
    assert pod("OnFailure", **crashing) == "progressing"
    assert pod("Never", ready=True) == "progressing"
    assert pod("Never", ready=True, notes=own_pace) == "healthy"
    assert pod("Never", notes=own_pace, **crashing) == "degraded"
    assert pod("Never", ready=True, notes=own_pace | {"argocd.argoproj.io/hook": "Sync"}) == "progressing"
    assert pod("Never", "Succeeded") == "healthy"
    assert pod("Never", "Failed", state={"terminated": {"exitCode": 3}}) == "degraded"
    assert pod(phase="Unknown") == "unknown"


def test_a_failed_pod_tells_why() -> None:
    evicted = health_of("v1", "Pod", status={"phase": "Failed", "reason": "Evicted"})
    assert evicted is not None
    assert evicted.reason == "it failed: Evicted"
    ended = health_of(
        "v1",
        "Pod",
        spec={"containers": [{"name": "main"}]},
        status={
            "phase": "Failed",
            "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 3}}}],
        },
    )
    assert ended is not None
    assert ended.reason == "it failed: container main ended with code 3"


_BALANCED = {"loadBalancer": {"ingress": [{"hostname": "a.elb.amazonaws.com"}]}}
_SIMPLE: list[tuple[str, str, dict[str, Any], str]] = [
    ("v1", "Service", {"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1"}}, "healthy"),
    ("v1", "Service", {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}, "progressing"),
    ("v1", "Service", {"spec": {"type": "LoadBalancer"}, "status": _BALANCED}, "healthy"),
    ("v1", "Service", {"spec": {"type": "ExternalName"}}, "healthy"),
    ("networking.k8s.io/v1", "Ingress", {"status": _BALANCED}, "healthy"),
    ("networking.k8s.io/v1", "Ingress", {"status": {"loadBalancer": {}}}, "progressing"),
    ("extensions/v1beta1", "Ingress", {"status": _BALANCED}, "healthy"),
    ("v1", "PersistentVolumeClaim", {"status": {"phase": "Bound"}}, "healthy"),
    ("v1", "PersistentVolumeClaim", {"status": {"phase": "Pending"}}, "progressing"),
    ("v1", "PersistentVolumeClaim", {"status": {"phase": "Lost"}}, "degraded"),
    ("v1", "PersistentVolume", {"status": {"phase": "Failed"}}, "degraded"),
    ("v1", "Namespace", {"status": {"phase": "Active"}}, "healthy"),
    ("v1", "Namespace", {"status": {"phase": "Terminating"}}, "progressing"),
    ("v1", "Node", {"status": conditions("Ready=True", "DiskPressure=False")}, "healthy"),
    ("v1", "Node", {"status": conditions("Ready=Unknown/NodeStatusUnknown: Kubelet stopped posting")}, "degraded"),
    ("v1", "Node", {"status": conditions("Ready=True", "DiskPressure=True/KubeletHasDiskPressure")}, "degraded"),
    ("v1", "Node", {"spec": {"unschedulable": True}, "status": conditions("Ready=True")}, "suspended"),
    ("apiregistration.k8s.io/v1", "APIService", {"status": conditions("Available=True/Passed")}, "healthy"),
    ("apiregistration.k8s.io/v1", "APIService",
     {"status": conditions("Available=False/MissingEndpoints: no endpoints")},
     "progressing"),
    ("apiregistration.k8s.io/v1", "APIService", {"status": {}}, "progressing"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": conditions("AbleToScale=True/ReadyForNewScale")},
     "healthy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": conditions(
        "AbleToScale=True/SucceededGetScale", "ScalingActive=False/FailedGetExternalMetric: no metrics")}, "degraded"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": conditions(
        "AbleToScale=True/SucceededGetScale", "ScalingActive=False/ScalingDisabled: scaled to zero")}, "healthy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {"status": conditions("AbleToScale=False/BackoffBoth")},
     "progressing"),
    ("policy/v1", "PodDisruptionBudget", {"status": {"currentHealthy": 0, "desiredHealthy": 1}}, "progressing"),
    ("v1", "ReplicationController", {"spec": {"replicas": 1}, "status": {"availableReplicas": 1}}, "healthy"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", {"status": conditions("Denied=True: no")}, "degraded"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", {"status": {}}, "progressing"),
]  # fmt: skip


@pytest.mark.parametrize(("api_version", "kind", "body", "expected"), _SIMPLE)
def test_other_kinds_of_kubernetes(api_version: str, kind: str, body: Mapping[str, Any], expected: str) -> None:
    assert word(api_version, kind, **body) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["NamesAccepted=True", "Established=True"], "healthy"),
        (["NamesAccepted=False/PluralConflict: in use", "Established=False"], "degraded"),
        (["NamesAccepted=True", "Established=False/Installing"], "degraded"),
        (["NonStructuralSchema=True/Violations: no type", "NamesAccepted=True", "Established=True"], "degraded"),
        (["NamesAccepted=True", "Established=True", "Terminating=True/InstanceDeletion: busy"], "progressing"),
        (["NamesAccepted=True"], "degraded"),
        ([], "progressing"),
    ],
)
def test_custom_resource_definitions(told: list[str], expected: str) -> None:
    spec = {"group": "a.io", "names": {"kind": "A", "plural": "as"}, "versions": [{"name": "v1"}]}
    kind = "CustomResourceDefinition"
    assert word("apiextensions.k8s.io/v1", kind, spec=spec, status=conditions(*told)) == expected


# ── Custom resources with a rule ────────────────────────────────────────────────────────────────────────────────

_READY, _FAILED = conditions("Ready=True/Good"), conditions("Ready=False/Bad: it broke")
_UNDECIDED = conditions("Ready=Unknown/Working")
_OWN: list[tuple[str, str, dict[str, Any], str]] = [
    ("cert-manager.io/v1", "Certificate", {"status": _READY}, "healthy"),
    ("cert-manager.io/v1", "Certificate", {"status": _FAILED}, "degraded"),
    ("cert-manager.io/v1", "Certificate", {"status": conditions("Ready=False", "Issuing=True/DoesNotExist: x")},
     "progressing"),
    ("cert-manager.io/v1", "CertificateRequest", {"status": conditions("Ready=False/Pending: waiting")}, "progressing"),
    ("cert-manager.io/v1", "CertificateRequest", {"status": conditions("Ready=False/Failed: no")}, "degraded"),
    ("cert-manager.io/v1", "ClusterIssuer", {"status": _FAILED}, "degraded"),
    ("acme.cert-manager.io/v1", "Order", {"status": {"state": "valid"}}, "healthy"),
    ("acme.cert-manager.io/v1", "Order", {"status": {"state": "ready"}}, "progressing"),
    ("acme.cert-manager.io/v1", "Challenge", {"status": {"state": "invalid", "reason": "404"}}, "degraded"),
    ("external-secrets.io/v1", "ClusterSecretStore", {"status": _FAILED}, "degraded"),
    ("external-secrets.io/v1", "PushSecret", {}, "progressing"),
    ("generators.external-secrets.io/v1alpha1", "Password", {"status": {}}, "none"),
    ("karpenter.sh/v1beta1", "NodePool", {"status": _UNDECIDED}, "progressing"),
    ("karpenter.k8s.aws/v1", "EC2NodeClass", {"status": conditions("Ready=False/SubnetsNotFound: none")}, "degraded"),
    ("keda.sh/v1alpha1", "ScaledObject", {"status": conditions("Ready=True", "Paused=True/ScaledObjectPaused")},
     "suspended"),
    ("keda.sh/v1alpha1", "TriggerAuthentication", {"status": {"scaledobjects": "a"}}, "none"),
    ("kyverno.io/v1", "ClusterPolicy", {"status": {"ready": True}}, "healthy"),
    ("policies.kyverno.io/v1", "ValidatingPolicy", {"status": {"conditionStatus": {"ready": False, "message": "RBAC"}}},
     "degraded"),
    ("templates.gatekeeper.sh/v1", "ConstraintTemplate", {"status": {"created": True, "byPod": [
        {"id": "a", "observedGeneration": 1}]}}, "healthy"),
    ("templates.gatekeeper.sh/v1", "ConstraintTemplate", {"status": {"byPod": [
        {"id": "a", "errors": [{"code": "rego_parse_error", "message": "unexpected eof"}]}]}}, "degraded"),
    ("templates.gatekeeper.sh/v1", "ConstraintTemplate", {"meta": {"generation": 2}, "status": {"byPod": [
        {"id": "a", "observedGeneration": 1}]}}, "progressing"),
    ("constraints.gatekeeper.sh/v1beta1", "K8sRequiredLabels", {"status": {"totalViolations": 7, "byPod": [
        {"id": "a", "observedGeneration": 1, "enforced": True}]}}, "healthy"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository", {"status": _FAILED}, "degraded"),
    ("source.toolkit.fluxcd.io/v1beta2", "OCIRepository", {"spec": {"suspend": True}, "status": _READY}, "suspended"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository", {"spec": {"type": "oci"}}, "healthy"),
    ("source.toolkit.fluxcd.io/v1", "HelmChart", {}, "progressing"),
    ("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease", {"spec": {"suspend": True}, "status": _FAILED}, "suspended"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", {"status": _UNDECIDED}, "progressing"),
    ("image.toolkit.fluxcd.io/v1", "ImageRepository", {"status": _FAILED}, "degraded"),
    ("notification.toolkit.fluxcd.io/v1beta3", "Alert", {}, "none"),
    ("argoproj.io/v1alpha1", "Application", {"status": {"health": {"status": "Missing"}}}, "missing"),
    ("argoproj.io/v1alpha1", "Application", {"status": {"sync": {"status": "Synced"}}}, "progressing"),
    ("argoproj.io/v1alpha1", "ApplicationSet", {"status": conditions("ErrorOccurred=True/X: no cluster")}, "degraded"),
    ("argoproj.io/v1alpha1", "ApplicationSet", {"status": conditions(
        "ErrorOccurred=False", "ResourcesUpToDate=True")}, "healthy"),
    ("argoproj.io/v1alpha1", "Workflow", {"status": {"phase": "Running"}}, "progressing"),
    ("argoproj.io/v1alpha1", "AnalysisRun", {"status": {"phase": "Inconclusive"}}, "unknown"),
    ("argoproj.io/v1alpha1", "Sensor", {"status": conditions("DependenciesProvided=True", "Deployed=Unknown")},
     "progressing"),
    ("networking.istio.io/v1", "VirtualService", {"status": {}}, "none"),
    ("serving.knative.dev/v1", "Revision", {"status": conditions("Active=False/NoTraffic", "Ready=True")}, "healthy"),
    ("serving.kserve.io/v1beta1", "InferenceService", {"status": {
        **conditions("Ready=False"), "modelStatus": {"transitionStatus": "InProgress"}}}, "progressing"),
    ("kubeflow.org/v1", "PyTorchJob", {"status": conditions("Created=True", "Running=True/JobRunning")}, "progressing"),
    ("kubeflow.org/v1", "TFJob", {"status": conditions("Running=False", "Failed=True/JobFailed: OOM")}, "degraded"),
    ("kubeflow.org/v1", "Notebook", {"meta": {"annotations": {"kubeflow-resource-stopped": WHEN}}, "status": {
        "readyReplicas": 0}}, "suspended"),
    ("sparkoperator.k8s.io/v1beta2", "SparkApplication",
     {"status": {"applicationState": {"state": "SUBMISSION_FAILED"}}},
     "degraded"),
    ("sparkoperator.k8s.io/v1beta2", "ScheduledSparkApplication", {"status": {"scheduleState": "Scheduled"}},
     "healthy"),
    ("tekton.dev/v1", "PipelineRun", {"status": conditions("Succeeded=Unknown/Running")}, "progressing"),
    ("tekton.dev/v1", "TaskRun", {"status": conditions("Succeeded=False/TaskRunTimeout: too slow")}, "degraded"),
    ("velero.io/v1", "Backup", {"status": {"phase": "WaitingForPluginOperationsPartiallyFailed"}}, "progressing"),
    ("velero.io/v1", "Backup", {"status": {"phase": "PartiallyFailed"}}, "degraded"),
    ("velero.io/v1", "Schedule", {"spec": {"paused": True}, "status": {"phase": "Enabled"}}, "suspended"),
    ("velero.io/v1", "BackupStorageLocation", {"status": {"phase": "Unavailable", "message": "denied"}}, "degraded"),
    ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", {"status": conditions("RecommendationProvided=True")},
     "healthy"),
    ("monitoring.coreos.com/v1", "Alertmanager", {"status": conditions(
        "Available=True", "Reconciled=False/ReconciliationFailed: bad config")}, "degraded"),
    ("monitoring.coreos.com/v1", "ServiceMonitor", {"status": {"bindings": [
        {"name": "k8s", "conditions": [{"type": "Accepted", "status": "False", "message": "bad regex"}]}]}},
     "degraded"),
    ("monitoring.coreos.com/v1", "PrometheusRule", {}, "none"),
    ("opentelemetry.io/v1alpha1", "Instrumentation", {"status": {}}, "none"),
    ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", {"status": {"readyToUse": True}}, "healthy"),
    ("groupsnapshot.storage.k8s.io/v1beta1", "VolumeGroupSnapshot", {"status": {"error": {"message": "no"}}},
     "degraded"),
    ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", {"meta": {"generation": 2}, "status": {"observedGeneration": 1}},
     "progressing"),
    ("rds.services.k8s.aws/v1alpha1", "DBInstance", {"status": conditions("ACK.ResourceSynced=True")}, "healthy"),
    ("ec2.services.k8s.aws/v1alpha1", "VPC", {"status": conditions("ACK.Terminal=True: quota")}, "degraded"),
    ("operator.tigera.io/v1", "TigeraStatus", {"status": conditions("Available=True", "Degraded=False")}, "healthy"),
    ("operator.tigera.io/v1", "TigeraStatus", {"status": conditions("Available=True", "Progressing=True: rolls")},
     "progressing"),
    ("crd.projectcalico.org/v1", "IPPool", {"status": {"a": 1}}, "none"),
    ("cilium.io/v2", "CiliumEndpoint", {"status": {"state": "waiting-for-identity"}}, "progressing"),
    ("cilium.io/v2", "CiliumNetworkPolicy", {"status": conditions("Valid=False: bad CIDR")}, "degraded"),
    ("nvidia.com/v1", "ClusterPolicy", {"status": {"state": "notReady"}}, "progressing"),
    ("externaldns.k8s.io/v1alpha1", "DNSEndpoint", {"meta": {"generation": 1}, "status": {"observedGeneration": 1}},
     "healthy"),
    ("flagger.app/v1beta1", "Canary", {"status": {"phase": "WaitingPromotion"}}, "progressing"),
]  # fmt: skip


@pytest.mark.parametrize(("api_version", "kind", "body", "expected"), _OWN)
def test_custom_resources_of_add_ons(api_version: str, kind: str, body: Mapping[str, Any], expected: str) -> None:
    said = health_of(api_version, kind, **body)
    assert (said.health.value if said else "none") == expected
    assert said is None or said.rule == "kind"


_LISTENER = {"name": "https", "conditions": [{"type": "Programmed", "status": "True", "observedGeneration": 2}]}


@pytest.mark.parametrize(
    ("own", "listener", "expected"),
    [
        ({"type": "Accepted", "status": "True"}, {}, "healthy"),
        ({"type": "Programmed", "status": "False", "reason": "AddressNotAssigned"}, {}, "progressing"),
        ({"type": "Accepted", "status": "False", "message": "invalid"}, {}, "degraded"),
        ({"type": "Accepted", "status": "True"}, {"type": "ResolvedRefs", "status": "False"}, "degraded"),
        ({"type": "Accepted", "status": "True", "observedGeneration": 1}, {}, "progressing"),
    ],
)
def test_gateways(own: Mapping[str, Any], listener: Mapping[str, Any], expected: str) -> None:
    told = [*_LISTENER["conditions"], *([listener] if listener else [])]
    status = {"conditions": [own], "listeners": [{**_LISTENER, "conditions": told}]}
    assert word("gateway.networking.k8s.io/v1beta1", "Gateway", meta={"generation": 2}, status=status) == expected


def test_every_custom_resource_group_of_the_catalog_is_thought_of(catalog: Catalog) -> None:
    groups = {group for addon in catalog.addons.values() for group in addon.fingerprints.crd_groups}
    with_a_type = {"helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"}
    assert groups - with_a_type <= {group for group, _ in RULES}


# ── Kinds without a rule ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (_READY, "healthy"),
        (_FAILED, "degraded"),
        (_UNDECIDED, "progressing"),
        (conditions("Ready=False/Creating"), "progressing"),
        (conditions("Ready=False/StatefulSetNotReady: 1 of 3"), "progressing"),
        (conditions("Ready=False/Migrating: Error: checksum mismatch"), "degraded"),
        (conditions("Ready=True", "Synced=False/ReconcileError: denied"), "degraded"),
        (conditions("Synced=False/ReconcilePaused: paused"), "suspended"),
        (conditions("Ready=True", "Stalled=True/X: retries exhausted"), "degraded"),
        (conditions("Ready=False/X", "Reconciling=True: works"), "progressing"),
        (conditions("Available=False/Init: starting", "Progressing=True", "Degraded=False"), "progressing"),
        (conditions("AllReplicasReady=True", "ClusterAvailable=True"), "healthy"),
        (conditions("Succeeded=True", "Running=False"), "healthy"),
        ({**_READY, "observedGeneration": 1}, "progressing"),
        ({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}, "progressing"),
        ({"conditions": [{"type": "Ready", "status": True}]}, "healthy"),
        ({"conditions": [{"type": "Ready", "status": "False", "severity": "Info"}]}, "progressing"),
        ({"phase": "Running"}, "healthy"),
        ({"phase": "Failed", "message": "no space"}, "degraded"),
        ({"state": "IN_PROGRESS"}, "progressing"),
        ({"phase": "Failed", **_READY}, "degraded"),
        ({"health": {"status": "Degraded"}}, "degraded"),
        ({"availableReplicas": 1}, "progressing"),
        ({"ready": True}, "healthy"),
        ({**conditions("Admitted=True"), "availableReplicas": 1}, "progressing"),
        (conditions("FailedCreatePod=True: quota"), "degraded"),
        (conditions("Available=True", "Progressing=False/ProgressDeadlineExceeded: timed out"), "degraded"),
        (conditions("Ready=Unknown/PartialTriggerError: a trigger fails"), "degraded"),
        (conditions("Ready=True", "example.org/hibernation=True/Hibernated: asleep"), "suspended"),
        (conditions("In-progress=True: promoting"), "progressing"),
        (conditions("Ready=False/Resource is being created"), "progressing"),
        ({"currentState": "Credentials are not set properly"}, "degraded"),
        ({"currentState": "Not yet initialized"}, "progressing"),
        ({"errorDescription": "the limit of roles is reached"}, "degraded"),
        ({"answer": 42}, "unknown"),
        ({"state": 3}, "unknown"),
        ({"conditions": "odd"}, "unknown"),
        ({}, "progressing"),
        (None, "progressing"),
    ],
)
def test_kinds_without_a_rule(status: Any, expected: str) -> None:
    said = health_of("example.org/v1", "Widget", meta={"generation": 2}, spec={"replicas": 2}, status=status)
    assert (said.health.value if said else "none") == expected
    assert said is None or said.rule == "conditions"


def test_what_its_user_switched_off_is_suspended() -> None:
    assert word("example.org/v1", "Widget", spec={"paused": True}, status=_FAILED) == "suspended"
    deeper = {"updateStrategy": {"rollingUpdate": {"paused": True}}}
    assert word("example.org/v1", "Widget", spec=deeper, status=_READY) == "suspended"


def test_what_is_made_to_end_is_at_work_while_it_runs() -> None:
    assert word("example.org/v1", "WidgetBackup", status={"phase": "Running"}) == "progressing"
    assert word("example.org/v1", "WidgetBackup", status=conditions("Running=True", "Completed=True")) == "healthy"
    assert word("example.org/v1", "Widget", status={"phase": "Running"}) == "healthy"


# ── Life and its absence ────────────────────────────────────────────────────────────────────────────────────────

_MANIFESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("apps/v1", "Deployment", {"spec": {"replicas": 0, "paused": True}}),
    ("apps/v1", "DaemonSet", {}),
    ("batch/v1", "Job", {}),
    ("batch/v1", "CronJob", {"spec": {"suspend": True}}),
    ("v1", "Pod", {}),
    ("v1", "Service", {"spec": {"type": "ClusterIP"}}),
    ("v1", "Service", {"spec": {"clusterIP": "None"}}),
    ("v1", "Namespace", {}),
    ("networking.k8s.io/v1", "Ingress", {}),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {}),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}),
    ("argoproj.io/v1alpha1", "Application", {}),
    ("argoproj.io/v1alpha1", "CronWorkflow", {}),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository", {"spec": {"type": "oci"}}),
]


@pytest.mark.parametrize(("api_version", "kind", "body"), _MANIFESTS)
def test_a_manifest_is_unknown(api_version: str, kind: str, body: Mapping[str, Any]) -> None:
    said = health_of(api_version, kind, live=False, **body)
    assert said is not None
    assert (said.health, said.reason) == (Health.UNKNOWN, "the input has no status for it")


def test_a_live_object_without_status_is_waited_for() -> None:
    assert word("apps/v1", "Deployment", spec={"replicas": 1}) == "progressing"
    assert word("cert-manager.io/v1", "Certificate") == "progressing"


def test_a_custom_resource_without_status_waits_for_its_controller_applied_or_not() -> None:
    said = health_of("cert-manager.io/v1", "Certificate", live=False)
    assert said is not None
    assert said.health is Health.PROGRESSING


def test_what_is_being_deleted_is_on_its_way() -> None:
    gone = {"deletionTimestamp": WHEN}
    assert word("apps/v1", "Deployment", meta=gone) == "progressing"
    assert word("v1", "Pod", meta=gone, status={"phase": "Failed"}) == "progressing"
    assert word("example.org/v1", "Widget", meta=gone) == "progressing"


def test_metadata_alone_tells_nothing() -> None:
    other = model.OtherObject(name="it", uid="u", api_version="cert-manager.io/v1", kind="Certificate")
    assert judge(View(snapshot(others=(other,)))) == ()


# ── Whatever a controller writes ────────────────────────────────────────────────────────────────────────────────

_TEXT = st.sampled_from(["", "True", "False", "Unknown", "Ready", "Failed", "Paused", "Pending", "3", "-1", "²", "\n"])
_CONDITION = st.builds(
    model.Condition,
    type=_TEXT | st.text(max_size=4),
    status=_TEXT | st.text(max_size=4),
    reason=_TEXT,
    message=_TEXT,
    severity=_TEXT,
    observed_generation=st.none() | st.integers(-2, 3),
)
_CONDITIONS = st.lists(_CONDITION, max_size=4).map(tuple)
_FIELD_NAMES = (
    "status.phase",
    "status.state",
    "status.ready",
    "spec.paused",
    "spec.replicas",
    "status.readyReplicas",
    "status.updatedReplicas",
    "status.scale.statusReplicas",
    "status.observedGeneration",
    "status.totalViolations",
    "status.readyToUse",
)
_OTHER = st.builds(
    model.OtherObject,
    name=st.just("it"),
    uid=st.sampled_from(["", "u"]),
    generation=st.integers(0, 3),
    api_version=st.sampled_from(sorted({f"{group}/v1".removeprefix("/") for group, _ in RULES} | {"a.io/v1"})),
    kind=st.sampled_from(sorted({kind for _, kind in RULES} | {"Widget"})),
    has_status=st.sampled_from([None, False, True]),
    observed_generation=st.none() | st.integers(-1, 3),
    conditions=_CONDITIONS,
    fields=st.dictionaries(st.sampled_from(_FIELD_NAMES), _TEXT | st.just("1/2"), max_size=5),
    parents=st.lists(st.builds(model.ConditionsOf, parent=_TEXT, conditions=_CONDITIONS), max_size=2).map(tuple),
)
_COUNT = st.none() | st.integers(0, 3)
_WORKLOAD = st.builds(
    model.Workload,
    name=st.just("it"),
    uid=st.sampled_from(["", "u"]),
    conditions=_CONDITIONS,
    strategy=_TEXT,
    kind=st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"]),
    generation=st.integers(0, 2),
    observed_generation=_COUNT,
    desired=_COUNT,
    ready=_COUNT,
    available=_COUNT,
    updated=_COUNT,
    total=_COUNT,
    active=_COUNT,
    partition=st.integers(0, 3),
    paused=st.booleans(),
)


@given(st.lists(_OTHER, max_size=2), st.lists(_WORKLOAD, max_size=1), _CONDITIONS)
def test_nothing_odd_crashes_and_trouble_has_a_reason(
    others: list[model.OtherObject], workloads: list[model.Workload], told: tuple[model.Condition, ...]
) -> None:
    crd = model.CustomResourceDefinition(name="it", uid="u", conditions=told)
    node = model.Node(name="it", uid="u", conditions=told)
    scaler = model.Autoscaler(name="it", uid="u", conditions=told)
    world = snapshot(
        others=tuple(others), workloads=tuple(workloads), crds=(crd,), nodes=(node,), autoscalers=(scaler,)
    )
    for said in judge(View(world)):
        assert said.reason or said.health is Health.HEALTHY, said
    for bare in (other for other in others if not (other.uid or other.generation or other.has_status)):
        assert all(
            said.health in (Health.UNKNOWN, Health.PROGRESSING) for said in judge(View(snapshot(others=(bare,))))
        )


def test_a_kind_is_found_by_itself_its_group_or_what_its_group_is_under() -> None:
    assert rule_for("cert-manager.io", "Certificate") != rule_for("cert-manager.io", "Issuer")
    assert rule_for("s3.services.k8s.aws", "Bucket") == rule_for("ec2.services.k8s.aws", "VPC")
    assert rule_for("example.org", "Widget") == (None, False)


# ── Kinds that nobody knows ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, "progressing"),
        ({"conditions": []}, "progressing"),
        (
            {"certificateStatus": "Active", "domains": [{"status": "Active"}, {"status": "FailedNotVisible"}]},
            "degraded",
        ),
        ({"lastOperation": {"state": "Succeeded"}}, "healthy"),
        ({"by": {"gateway": {"state": "Accepted"}}}, "healthy"),
        ({"by": {"gateway": {"state": "Rejected"}}}, "degraded"),
        ({"ingress": [{"conditions": [{"type": "Admitted", "status": "False"}]}]}, "degraded"),
        ({"wrapped": {"conditions": [{"type": "Ready", "status": "True"}]}}, "healthy"),
        ({"status": "ERROR, the secret was not found"}, "degraded"),
        ({"healthy": False}, "degraded"),
        ({"replicas": 3, "readyReplicas": 1}, "progressing"),
        ({"replicas": 3, "readyReplicas": 3}, "healthy"),
        ({"uid": "927b3c23"}, "unknown"),
    ],
)
def test_a_status_of_an_unknown_kind_is_read_wherever_it_says_something(status: dict[str, Any], expected: str) -> None:
    assert word("odd.test/v1", "Odd", status=status) == expected


def test_a_living_object_of_an_unknown_kind_waits_for_its_first_status_and_a_manifest_does_not() -> None:
    assert word("odd.test/v1", "Odd") == "progressing"
    assert word("odd.test/v1", "Odd", live=False) == "none"
    assert word("node.k8s.io/v1", "RuntimeClass") == "none"


@pytest.mark.parametrize(("allowed", "expected"), [(1, "healthy"), (0, "degraded"), (None, "progressing")])
def test_a_budget_is_degraded_while_it_allows_no_eviction(allowed: int | None, expected: str) -> None:
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    assert word("policy/v1", "PodDisruptionBudget", spec={}, status=status) == expected
