"""The table of kinds: the rule for the state of each custom resource, by group and kind, in any version.

The rule is Argo CD's if it has one for the kind, otherwise it follows the controller's documentation of its status. A
kind without an entry is assessed by general_rules.by_conditions. Used by object_health.py.
"""

from collections.abc import Mapping
from functools import cache

from addonctl.health.general_rules import by_conditions
from addonctl.health.status_rules import (
    DEGRADED,
    FINE,
    HEALTHY,
    PROGRESSING,
    STALE,
    SUSPENDED,
    UNKNOWN,
    Rule,
    State,
    any_ready,
    attached,
    because,
    by_pod,
    condition,
    count,
    every_condition,
    first,
    flag,
    must,
    observed,
    phase,
    replicas,
    scaled,
    stale,
    steps,
    suspended,
    text,
    told,
    when,
)
from addonctl.model import OtherObject

# ── Kinds that need more than the small rules ───────────────────────────────────────────────────────────────────


def _rollout_stale(it: OtherObject) -> State | None:
    """Argo Rollouts writes generations as strings; before 1.0 it wrote a hash, which cannot be compared."""
    seen, workload = it.fields.get("status.observedGeneration", ""), it.fields.get("status.workloadObservedGeneration")
    if not it.has_status or (seen.isdecimal() and int(seen) < it.generation):
        return STALE
    wanted = it.annotations.get("rollout.argoproj.io/workload-generation")
    return STALE if workload and wanted and workload != wanted else None


def _rollout_done(it: OtherObject) -> State | None:
    """Before 1.0 there was no phase: a rollout is done when all replicas are updated and available."""
    newest, short = text(it, "status.currentPodHash"), replicas(it)
    active = text(it, "status.blueGreen.activeSelector", "status.activeSelector")
    if short and short[0] is not HEALTHY:
        return short
    if active:
        return FINE if active == newest else (PROGRESSING, "its new version does not serve yet")
    total, updated = count(it, "status.replicas"), count(it, "status.updatedReplicas")
    if total is not None and updated is not None and total > updated:
        return PROGRESSING, f"{total - updated} old replicas still exist"
    stable = text(it, "status.stableRS", "status.canary.stableRS")
    return FINE if stable and stable == newest else (PROGRESSING, "its new version is not the stable one yet")


def _stopped_notebook(it: OtherObject) -> State | None:
    return (SUSPENDED, "it was stopped") if "kubeflow-resource-stopped" in it.annotations else None


def _machines(it: OtherObject) -> State | None:
    wanted, healthy = count(it, "status.expectedMachines"), count(it, "status.currentHealthy")
    if wanted is None or healthy is None:
        return None
    return FINE if healthy >= wanted else (DEGRADED, f"{healthy} of {wanted} machines are healthy")


def _with_violations(it: OtherObject) -> State | None:
    """A constraint that finds violations is working."""
    said, violations = by_pod(it), count(it, "status.totalViolations")
    return (HEALTHY, f"its audit found {violations} violations") if said == FINE and violations else said


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────

READY = condition("Ready")
# For what runs to completion: Jobs, and the training jobs, workflows and runs modelled on them.
ENDS = first(
    when(DEGRADED, "Failed"), when(SUSPENDED, "Suspended"), when(HEALTHY, "Complete", "Succeeded", "Completed")
)
_PHASE = phase("status.phase")
_CILIUM_TROUBLES = (
    "cilium.io/NoMatchingNode",
    "cilium.io/MissingPeerConfigs",
    "cilium.io/MissingAuthSecret",
    "cilium.io/ConflictingClusterConfigs",
)
_ready = must(READY)
_ends = must(ENDS, when(PROGRESSING, "Running", "Restarting", "Created"))
_flux = must(suspended, READY)
_run = must(condition("Succeeded"))
_keda = must(suspended, when(DEGRADED, "Fallback"), because(DEGRADED, "PartialTriggerError"), READY)
_istio = first(condition("Healthy"), condition("Reconciled", false=PROGRESSING))
_velero = must(suspended, phase("status.phase", notready=DEGRADED))
_to_all, _route = must(attached()), must(attached(to_all=False))
_analysis = must(phase("status.phase", inconclusive=UNKNOWN))
_prometheus = must(suspended, when(DEGRADED, "Reconciled", status="False"), condition("Available"))
_snapshot = must(told(DEGRADED, "status.error.message"), flag("status.readyToUse"))
_policy = must(flag("status.conditionStatus.ready", false=DEGRADED), READY, flag("status.ready", false=DEGRADED))
_operator = first(
    when(DEGRADED, "Degraded", "Failing"), when(PROGRESSING, "Progressing"), condition("Available", false=PROGRESSING)
)

RULES: Mapping[tuple[str, str], Rule | None] = {
    # Kubernetes
    ("", "ReplicationController"): must(when(DEGRADED, "ReplicaFailure"), stale, replicas),
    ("certificates.k8s.io", "CertificateSigningRequest"): must(
        when(DEGRADED, "Denied", "Failed"), when(HEALTHY, "Approved")
    ),
    ("flowcontrol.apiserver.k8s.io", "*"): first(when(DEGRADED, "Dangling"), when(HEALTHY, "Dangling", status="False")),
    ("snapshot.storage.k8s.io", "VolumeSnapshot"): _snapshot,
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"): _snapshot,
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"): _snapshot,
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotContent"): _snapshot,
    ("autoscaling.k8s.io", "VerticalPodAutoscaler"): must(
        when(DEGRADED, "ConfigUnsupported"), condition("RecommendationProvided", false=PROGRESSING)
    ),
    ("autoscaling.k8s.io", "VerticalPodAutoscalerCheckpoint"): None,
    ("gateway.networking.k8s.io", "ReferenceGrant"): None,
    **{("gateway.networking.k8s.io", f"{protocol}Route"): _route for protocol in ("HTTP", "GRPC", "TLS", "TCP", "UDP")},
    ("gateway.networking.k8s.io", "*"): _to_all,
    ("cluster.x-k8s.io", "MachineHealthCheck"): must(suspended, _machines),
    ("cluster.x-k8s.io", "MachinePool"): must(suspended, phase("status.phase", scaling=HEALTHY)),
    ("addons.cluster.x-k8s.io", "ClusterResourceSet"): must(stale, condition("ResourcesApplied")),
    ("autoscaling.x-k8s.io", "CapacityBuffer"): must(condition("ReadyForProvisioning")),
    ("policy.networking.k8s.io", "*"): None,
    ("wgpolicyk8s.io", "*"): None,
    # cert-manager; its group before 0.11
    ("cert-manager.io", "Certificate"): must(when(PROGRESSING, "Issuing"), READY),
    ("cert-manager.io", "CertificateRequest"): must(
        when(DEGRADED, "Denied", "InvalidRequest"), condition("Ready", pending=("Pending",))
    ),
    ("cert-manager.io", "*"): _ready,
    ("acme.cert-manager.io", "*"): must(phase("status.state", ready=PROGRESSING)),
    ("certmanager.k8s.io", "Order"): must(phase("status.state", ready=PROGRESSING)),
    ("certmanager.k8s.io", "Challenge"): must(phase("status.state", ready=PROGRESSING)),
    ("certmanager.k8s.io", "*"): must(when(PROGRESSING, "Issuing"), READY),
    # Secrets
    ("external-secrets.io", "ClusterExternalSecret"): must(
        when(HEALTHY, "Ready"), when(DEGRADED, "NotReady", "PartiallyReady"), READY
    ),
    ("external-secrets.io", "*"): _ready,
    ("generators.external-secrets.io", "GeneratorState"): READY,
    ("generators.external-secrets.io", "*"): None,
    ("secrets-store.csi.x-k8s.io", "SecretProviderClass"): None,
    ("secrets-store.csi.x-k8s.io", "SecretProviderClassPodStatus"): must(flag("status.mounted")),
    # Nodes and scaling
    ("karpenter.sh", "NodeClaim"): must(
        when(SUSPENDED, "Disrupting", "DisruptionReason"), READY, steps("Launched", "Registered", "Initialized")
    ),
    ("karpenter.sh", "*"): _ready,
    ("karpenter.k8s.aws", "*"): _ready,
    ("eks.amazonaws.com", "NodeClass"): _ready,
    ("eks.amazonaws.com", "TargetGroupBinding"): must(observed),
    ("eks.amazonaws.com", "*"): READY,
    ("keda.sh", "ScaledObject"): _keda,
    ("keda.sh", "ScaledJob"): _keda,
    ("keda.sh", "*"): None,
    ("eventing.keda.sh", "*"): must(condition("Active")),
    # Policies
    ("kyverno.io", "Policy"): _policy,
    ("kyverno.io", "ClusterPolicy"): _policy,
    ("kyverno.io", "UpdateRequest"): must(phase("status.state", skip=HEALTHY)),
    ("kyverno.io", "*"): first(READY, flag("status.ready", false=DEGRADED)),
    ("reports.kyverno.io", "*"): None,
    ("policies.kyverno.io", "PolicyException"): None,
    ("policies.kyverno.io", "*"): _policy,
    ("templates.gatekeeper.sh", "*"): must(by_pod),
    ("constraints.gatekeeper.sh", "*"): must(_with_violations),
    ("mutations.gatekeeper.sh", "*"): must(by_pod),
    ("expansion.gatekeeper.sh", "*"): must(by_pod),
    ("connection.gatekeeper.sh", "*"): must(by_pod),
    ("config.gatekeeper.sh", "*"): by_pod,
    ("externaldata.gatekeeper.sh", "*"): by_pod,
    ("syncset.gatekeeper.sh", "*"): None,
    ("status.gatekeeper.sh", "*"): None,
    # Flux
    ("image.toolkit.fluxcd.io", "*"): _flux,
    ("notification.toolkit.fluxcd.io", "Receiver"): _flux,
    ("notification.toolkit.fluxcd.io", "*"): first(suspended, READY),
    ("source.toolkit.fluxcd.io", "*"): _flux,
    ("source.extensions.fluxcd.io", "*"): _flux,
    # Argo
    ("argoproj.io", "ApplicationSet"): must(
        when(DEGRADED, "ErrorOccurred"),
        when(PROGRESSING, "RolloutProgressing"),
        condition("ResourcesUpToDate", false=PROGRESSING),
    ),
    ("argoproj.io", "Rollout"): must(
        _rollout_stale,
        when(DEGRADED, "InvalidSpec"),
        because(SUSPENDED, "RolloutPaused"),
        suspended,
        _PHASE,
        because(DEGRADED, "RolloutAborted", "ProgressDeadlineExceeded"),
        _rollout_done,
    ),
    ("argoproj.io", "AnalysisRun"): _analysis,
    ("argoproj.io", "Experiment"): _analysis,
    ("argoproj.io", "Workflow"): must(phase("status.phase", running=PROGRESSING)),
    ("argoproj.io", "CronWorkflow"): first(when(DEGRADED, "SpecError", "SubmissionError"), lambda it: FINE),
    ("argoproj.io", "EventBus"): must(every_condition),
    ("argoproj.io", "EventSource"): must(every_condition),
    ("argoproj.io", "Sensor"): must(every_condition),
    ("argoproj.io", "AppProject"): None,
    # Meshes
    **{(f"{group}.istio.io", "*"): _istio for group in ("networking", "security", "telemetry", "extensions")},
    ("policy.linkerd.io", "*"): attached(to_all=False),
    ("workload.linkerd.io", "*"): READY,
    ("linkerd.io", "*"): None,
    # Controllers that write their status as most do
    ("awspca.cert-manager.io", "*"): _ready,
    ("gateway.envoyproxy.io", "*"): by_conditions,
    ("application-networking.k8s.aws", "*"): by_conditions,
    **{(f"{group}.crossplane.io", "*"): by_conditions for group in ("apiextensions", "ops", "pkg", "protection")},
    # Knative
    ("eventing.knative.dev", "EventType"): READY,
    **{
        (f"{group}.knative.dev", "*"): _ready
        for group in ("serving", "eventing", "messaging", "flows", "sources", "sinks")
    },
    **{(f"{group}.internal.knative.dev", "*"): READY for group in ("networking", "autoscaling", "caching")},
    ("operator.knative.dev", "*"): must(
        when(DEGRADED, "InstallSucceeded", "DependenciesInstalled", status="False"),
        condition("Ready", false=PROGRESSING),
    ),
    # Machine learning and batch
    ("serving.kserve.io", "InferenceService"): must(
        when(SUSPENDED, "Stopped"),
        phase("status.modelStatus.transitionStatus", blockedbyfailedload=DEGRADED, invalidspec=DEGRADED),
        READY,
    ),
    ("serving.kserve.io", "InferenceGraph"): _ready,
    ("serving.kserve.io", "LLMInferenceService"): _ready,
    ("serving.kserve.io", "TrainedModel"): _ready,
    ("serving.kserve.io", "*"): READY,
    **{
        ("kubeflow.org", f"{framework}Job"): _ends
        for framework in ("PyTorch", "TF", "MPI", "XGBoost", "Paddle", "JAX", "MX", "Train")
    },
    **{("kubeflow.org", kind): _ends for kind in ("Experiment", "Trial")},
    ("trainer.kubeflow.org", "TrainJob"): _ends,
    ("kubeflow.org", "Suggestion"): must(ENDS, when(HEALTHY, "Running")),
    ("kubeflow.org", "Notebook"): must(_stopped_notebook, READY, any_ready),
    ("kubeflow.org", "ScheduledWorkflow"): first(
        when(DEGRADED, "Error"), when(SUSPENDED, "Disabled"), when(HEALTHY, "Enabled", "Running", "Succeeded")
    ),
    ("kubeflow.org", "Profile"): first(when(DEGRADED, "Failed"), when(HEALTHY, "Successful")),
    ("kubeflow.org", "PVCViewer"): must(flag("status.ready"), READY),
    ("tensorboard.kubeflow.org", "Tensorboard"): must(any_ready),
    ("sparkoperator.k8s.io", "SparkApplication"): must(suspended, phase("status.applicationState.state")),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication"): must(
        suspended, phase("status.scheduleState", scheduled=HEALTHY)
    ),
    ("sparkoperator.k8s.io", "SparkConnect"): must(phase("status.state"), READY),
    **{("tekton.dev", kind): _run for kind in ("PipelineRun", "TaskRun", "Run", "CustomRun")},
    ("tekton.dev", "*"): None,
    ("resolution.tekton.dev", "ResolutionRequest"): _run,
    ("operator.tekton.dev", "*"): _ready,
    # Backups
    ("velero.io", "VolumeSnapshotLocation"): _PHASE,
    ("velero.io", "*"): _velero,
    # Monitoring
    **{
        ("monitoring.coreos.com", kind): _prometheus
        for kind in ("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler")
    },
    ("monitoring.coreos.com", "*"): attached(to_all=False),
    ("opentelemetry.io", "OpenTelemetryCollector"): must(phase("spec.mode", sidecar=HEALTHY), scaled),
    ("opentelemetry.io", "ClusterObservability"): _ready,
    ("opentelemetry.io", "*"): None,
    ("cloudwatch.aws.amazon.com", "Instrumentation"): None,
    ("cloudwatch.aws.amazon.com", "*"): scaled,
    # AWS
    ("elbv2.k8s.aws", "TargetGroupBinding"): must(observed),
    ("elbv2.k8s.aws", "*"): None,
    ("gateway.k8s.aws", "*"): None,
    ("aga.k8s.aws", "GlobalAccelerator"): must(phase("status.status"), READY),
    ("crd.k8s.amazonaws.com", "*"): None,
    ("s3.csi.aws.com", "*"): None,
    ("vpcresources.k8s.aws", "*"): None,
    ("networking.k8s.aws", "*"): None,
    ("*.services.k8s.aws", "*"): must(
        when(DEGRADED, "ACK.Terminal", "ACK.Recoverable"), condition("ACK.ResourceSynced", false=PROGRESSING), READY
    ),
    # Networks
    ("operator.tigera.io", "TigeraStatus"): must(_operator),
    ("operator.tigera.io", "*"): first(_operator, READY, phase("status.state")),
    ("crd.projectcalico.org", "*"): None,
    ("projectcalico.org", "*"): None,
    ("cilium.io", "CiliumNetworkPolicy"): condition("Valid"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"): condition("Valid"),
    ("cilium.io", "CiliumEndpoint"): must(phase("status.state", disconnected=DEGRADED)),
    ("cilium.io", "CiliumNode"): first(told(DEGRADED, "status.ipam.operator-status.error"), lambda it: FINE),
    ("cilium.io", "CiliumLoadBalancerIPPool"): first(when(DEGRADED, "cilium.io/PoolConflict"), lambda it: FINE),
    ("cilium.io", "*"): when(DEGRADED, *_CILIUM_TROUBLES),
    # GPUs, names, deliveries
    ("nvidia.com", "*"): must(because(DEGRADED, "ReconcileFailed"), phase("status.state", ignored=SUSPENDED), READY),
    ("resource.nvidia.com", "ComputeDomain"): must(phase("status.status")),
    ("nfd.k8s-sigs.io", "*"): None,
    ("externaldns.k8s.io", "DNSEndpoint"): must(observed),
    ("flagger.app", "Canary"): must(phase("status.phase")),
}
"""By group and kind; `*` is every other kind of the group, `*.x` every group under x. None: the kind has no state."""


@cache
def rule_for(group: str, kind: str) -> tuple[Rule | None, bool]:
    """The rule for a kind, and whether the table has the kind."""
    for key in ((group, kind), (group, "*"), ("*." + group.partition(".")[2], "*")):
        if key in RULES:
            return RULES[key], True
    return None, False
