"""A cluster as one meets it: more than a dozen add-ons by every means, some of them in trouble.

Small manifests of our own with the real names, labels, images and API groups, on simulated nodes. EKS add-ons come
through the EKS of the tests, Helm charts through the real helm, the rest through kubectl and the custom resources of
Argo CD and Flux. The demo snapshot is read from this cluster (scripts/make_demo.py).
"""

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from addonctl.adapters import knowledge
from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_for
from tests.eks.server import EksServer

NAME = "prod-eu-1"
ECR = "602401143452.dkr.ecr.eu-central-1.amazonaws.com"
CRD = "CustomResourceDefinition"
Object = dict[str, Any]
World = tuple[Cluster, EksServer]
_ON_THE_HOST = ("aws-node", "kube-proxy", "eks-pod-identity-agent", "kps-prometheus-node-exporter")


def _meta(name: str, namespace: str = "", labels: Mapping[str, str] | None = None, **more: Any) -> Object:
    meta: Object = {"name": name, **more}
    return meta | ({"namespace": namespace} if namespace else {}) | ({"labels": dict(labels)} if labels else {})


def workload(
    kind: str,
    name: str,
    namespace: str,
    images: str | Iterable[str],
    labels: Mapping[str, str],
    replicas: int = 2,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """A workload with one container an image."""
    listed = [images] if isinstance(images, str) else list(images)
    pods: Object = {
        "containers": [
            {
                "name": f"c{n}" if n else name,
                "image": image,
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
            }
            for n, image in enumerate(listed)
        ]
    }
    if name in _ON_THE_HOST:
        pods["hostNetwork"] = True
    template = {"metadata": {"labels": dict(labels)}, "spec": pods}
    spec: Object = {"selector": {"matchLabels": dict(labels)}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    meta = _meta(name, namespace, labels) | ({"annotations": dict(annotations)} if annotations else {})
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def idle_deployment(addon: str, image: str) -> Object:
    """An add-on's Deployment for the eye, in its own namespace: the pod waits until it is told to end."""
    deployment = workload("Deployment", addon, addon, image, {"app.kubernetes.io/name": addon}, 1)
    deployment["spec"]["template"]["spec"]["containers"][0] |= {"args": ["sleep"], "imagePullPolicy": "IfNotPresent"}
    return deployment


def service(name: str, namespace: str, selector: Mapping[str, str], port: int = 443) -> Object:
    spec = {"selector": dict(selector), "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name, namespace), "spec": spec}


def crd(group: str, kind: str, version: str, plural: str = "") -> Object:
    """A CRD that takes anything."""
    plural = plural or f"{kind.lower()}{'es' if kind.endswith('s') else 's'}".replace(
        "ys", "ies" if kind.endswith("y") else "ys"
    )
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": CRD,
        "metadata": _meta(f"{plural}.{group}"),
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
            ],
        },
    }


def webhook(kind: str, name: str, namespace: str, target: str) -> Object:
    """A webhook configuration on Services of a namespace that nobody has: it must not hold up this cluster."""
    hook = {
        "name": f"{name}.example.com",
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": target, "namespace": namespace, "path": "/"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "no-such-namespace"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"], "operations": ["CREATE"]}],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": _meta(name),
        "webhooks": [hook],
    }


# ── EKS add-ons: what AWS would apply ───────────────────────────────────────────────────────────────────────────


def eks_manifests(addon: str, version: str) -> list[Object]:
    """The workloads of an EKS add-on at a version, in kube-system."""
    here = "kube-system"
    match addon:
        case "vpc-cni":
            images = (f"{ECR}/amazon-k8s-cni:{version}", f"{ECR}/amazon/aws-network-policy-agent:v1.2.0-eksbuild.1")
            return [workload("DaemonSet", "aws-node", here, images, {"k8s-app": "aws-node"})]
        case "kube-proxy":
            image = f"{ECR}/eks/kube-proxy:{version.replace('-eksbuild', '-minimal-eksbuild')}"
            return [workload("DaemonSet", "kube-proxy", here, image, {"k8s-app": "kube-proxy"})]
        case "coredns":
            labels = {"k8s-app": "kube-dns", "eks.amazonaws.com/component": "coredns"}
            return [
                workload("Deployment", "coredns", here, f"{ECR}/eks/coredns:{version}", labels),
                service("kube-dns", here, {"k8s-app": "kube-dns"}, 53),
            ]
        case "aws-ebs-csi-driver":
            image, labels = (
                f"{ECR}/eks/aws-ebs-csi-driver:{version.partition('-')[0]}",
                {"app.kubernetes.io/name": addon},
            )
            driver = {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "CSIDriver",
                "metadata": _meta("ebs.csi.aws.com"),
                "spec": {"attachRequired": True},
            }
            return [
                workload("Deployment", "ebs-csi-controller", here, image, labels | {"app": "ebs-csi-controller"}),
                workload("DaemonSet", "ebs-csi-node", here, image, labels | {"app": "ebs-csi-node"}),
                driver,
            ]
        case "eks-pod-identity-agent":
            image = f"{ECR}/eks/eks-pod-identity-agent:{version.partition('-')[0]}"
            return [workload("DaemonSet", addon, here, image, {"app.kubernetes.io/name": addon})]
        case "metrics-server":
            image = f"{ECR}/eks/metrics-server:{version}"
            return [workload("Deployment", addon, here, image, {"app.kubernetes.io/name": addon})]
    raise ValueError(addon)


def install_by_eks(cluster: Cluster, server: EksServer) -> None:
    """EKS add-ons of a cluster that was upgraded to 1.34 while vpc-cni stayed behind, and one update failed."""

    def apply(_: str, addon: str, version: str, __: Mapping[str, Any], ___: str) -> None:
        for document in eks_manifests(addon, version):
            cluster.apply(json.dumps(document), manager="eks")

    server.state.applier = apply
    server.create_cluster(NAME, "1.32", upgradePolicy={"supportType": "STANDARD"})
    client = server.client("eks")

    def create(addon: str, version: str, **more: Any) -> None:
        client.create_addon(clusterName=NAME, addonName=addon, addonVersion=version, **more)

    create("vpc-cni", "v1.17.1-eksbuild.1", serviceAccountRoleArn="arn:aws:iam::123456789012:role/vpc-cni")
    server.state.clusters[NAME]["version"] = "1.34"
    create("kube-proxy", "v1.34.6-eksbuild.18")
    create("coredns", "v1.12.4-eksbuild.18", configurationValues='{"replicaCount": 3}')
    create("eks-pod-identity-agent", "v1.3.10-eksbuild.3")
    create("metrics-server", "v0.9.0-eksbuild.6")
    create("aws-ebs-csi-driver", "v1.63.0-eksbuild.1")
    server.state.fail_next = (
        "InsufficientNumberOfReplicas",
        "The add-on is unhealthy because it doesn't have enough replicas.",
    )
    client.update_addon(
        clusterName=NAME, addonName="aws-ebs-csi-driver", addonVersion="v1.64.0-eksbuild.1", resolveConflicts="PRESERVE"
    )


# ── Helm ────────────────────────────────────────────────────────────────────────────────────────────────────────


def install_by_helm(
    cluster: Cluster,
    release: str,
    chart: str,
    version: str,
    app_version: str,
    namespace: str,
    documents: Iterable[Object],
    *values: str,
) -> None:
    """Installs a chart of our own under a real chart's name."""
    labels = {
        "helm.sh/chart": f"{chart}-{version}",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/version": app_version,
    }
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder) / "templates"
        templates.mkdir()
        head = {"apiVersion": "v2", "name": chart, "version": version, "appVersion": app_version}
        (Path(folder) / "Chart.yaml").write_text(json.dumps(head))
        for number, document in enumerate(documents):
            document["metadata"]["labels"] = labels | document["metadata"].get("labels", {})
            (templates / f"{number}.yaml").write_text(json.dumps(document))
        given = [part for value in values for part in ("--set", value)]
        cluster.helm("install", release, folder, "-n", namespace, "--create-namespace", *given)


def _helm_releases(cluster: Cluster) -> None:
    name = "app.kubernetes.io/name"
    install_by_helm(cluster, "cert-manager", "cert-manager", "v1.19.1", "v1.19.1", "cert-manager", [
        workload("Deployment", "cert-manager", "cert-manager", "quay.io/jetstack/cert-manager-controller:v1.19.1",
                 {name: "cert-manager"}),
        workload("Deployment", "cert-manager-webhook", "cert-manager", "quay.io/jetstack/cert-manager-webhook:v1.19.1",
                 {name: "webhook"}, 1),
        service("cert-manager-webhook", "cert-manager", {name: "webhook"}),
        crd("cert-manager.io", "Certificate", "v1"),
        webhook("ValidatingWebhookConfiguration", "cert-manager-webhook", "cert-manager", "cert-manager-webhook"),
    ], "crds.enabled=true", "adminPassword=not-in-any-snapshot")  # fmt: skip
    install_by_helm(cluster, "aws-load-balancer-controller", "aws-load-balancer-controller", "1.17.1", "v2.17.1",
                    "kube-system", [
        workload("Deployment", "aws-load-balancer-controller", "kube-system",
                 "public.ecr.aws/eks/aws-load-balancer-controller:v2.17.1", {name: "aws-load-balancer-controller"}),
    ])  # fmt: skip
    install_by_helm(cluster, "karpenter", "karpenter", "1.8.1", "1.8.1", "karpenter", [
        workload("Deployment", "karpenter", "karpenter",
                 "public.ecr.aws/karpenter/controller:1.8.1@sha256:" + "1f" * 32, {name: "karpenter"}),
    ])  # fmt: skip
    install_by_helm(cluster, "kps", "kube-prometheus-stack", "79.12.0", "v0.86.2", "monitoring", [
        workload("Deployment", "kps-kube-prometheus-stack-operator", "monitoring",
                 "quay.io/prometheus-operator/prometheus-operator:v0.86.2",
                 {"app": "kube-prometheus-stack-operator"}, 1),
        workload("Deployment", "kps-kube-state-metrics", "monitoring",
                 "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0", {name: "kube-state-metrics"}, 1),
        workload("DaemonSet", "kps-prometheus-node-exporter", "monitoring",
                 "quay.io/prometheus/node-exporter:v1.10.2", {name: "prometheus-node-exporter"}),
    ])  # fmt: skip
    for release, zone in (("external-dns-public", "public"), ("external-dns-private", "private")):
        install_by_helm(cluster, release, "external-dns", "1.18.0", "0.18.0", f"dns-{zone}", [
            workload("Deployment", release, f"dns-{zone}", "registry.k8s.io/external-dns/external-dns:v0.18.0",
                     {name: "external-dns", "zone": zone}, 1),
        ])  # fmt: skip


# ── GitOps and kubectl ──────────────────────────────────────────────────────────────────────────────────────────

_ARGO, _FLUX = "argoproj.io", "toolkit.fluxcd.io"


def _gitops(cluster: Cluster) -> None:
    part, metrics = "app.kubernetes.io/part-of", "keda-operator-metrics-apiserver"
    kinds = [
        crd(_ARGO, "Application", "v1alpha1"),
        crd(f"helm.{_FLUX}", "HelmRelease", "v2"),
        crd(f"kustomize.{_FLUX}", "Kustomization", "v1"),
        crd(f"source.{_FLUX}", "GitRepository", "v1"),
    ]
    _apply(cluster, *kinds)
    cluster.kubectl(
        "wait", "--for=condition=Established", "--timeout=30s", *(f"crd/{kind['metadata']['name']}" for kind in kinds)
    )
    _apply(
        cluster,
        *(_namespace(name) for name in ("argocd", "flux-system", "keda", "external-secrets", "kyverno")),
        workload("Deployment", "argocd-server", "argocd", "quay.io/argoproj/argocd:v3.2.6", {part: "argocd"}, 1),
        workload(
            "StatefulSet",
            "argocd-application-controller",
            "argocd",
            "quay.io/argoproj/argocd:v3.2.6",
            {part: "argocd", "component": "controller"},
            1,
        ),
        workload(
            "Deployment",
            "source-controller",
            "flux-system",
            "ghcr.io/fluxcd/source-controller:v1.7.4",
            {part: "flux", "app.kubernetes.io/version": "v2.7.5"},
            1,
        ),
        _argo_application("keda", "https://kedacore.github.io/charts", "keda", "2.17.2"),
        workload(
            "Deployment",
            "keda-operator",
            "keda",
            "ghcr.io/kedacore/keda:2.17.2",
            {"app.kubernetes.io/name": "keda-operator"},
            annotations={"argocd.argoproj.io/tracking-id": "keda:apps/Deployment:keda/keda-operator"},
        ),
        workload(
            "Deployment",
            metrics,
            "keda",
            "ghcr.io/kedacore/keda-metrics-apiserver:2.17.2",
            {"app.kubernetes.io/name": metrics},
            annotations={"argocd.argoproj.io/tracking-id": f"keda:apps/Deployment:keda/{metrics}"},
        ),
        _flux(
            "HelmRelease",
            f"helm.{_FLUX}/v2",
            "external-secrets",
            {
                "chart": {
                    "spec": {
                        "chart": "external-secrets",
                        "version": "0.20.x",
                        "sourceRef": {"kind": "HelmRepository", "name": "external-secrets"},
                    }
                },
                "releaseName": "external-secrets",
                "targetNamespace": "external-secrets",
            },
        ),
        _flux(
            "Kustomization",
            f"kustomize.{_FLUX}/v1",
            "policies",
            {"path": "./policies", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
        ),
        _flux("GitRepository", f"source.{_FLUX}/v1", "fleet", {"url": "https://git.example.com/platform/fleet"}),
        workload(
            "Deployment",
            "kyverno-admission-controller",
            "kyverno",
            "ghcr.io/kyverno/kyverno:v1.16.1",
            {part: "kyverno", f"kustomize.{_FLUX}/name": "policies", f"kustomize.{_FLUX}/namespace": "flux-system"},
        ),
    )
    # What Flux's helm-controller does: a Helm release, kept by the HelmRelease above.
    install_by_helm(
        cluster,
        "external-secrets",
        "external-secrets",
        "0.20.4",
        "v0.20.4",
        "external-secrets",
        [
            workload(
                "Deployment",
                "external-secrets",
                "external-secrets",
                "ghcr.io/external-secrets/external-secrets:v0.20.4",
                {"app.kubernetes.io/name": "external-secrets"},
                1,
            ),
        ],
    )


def _by_kubectl(cluster: Cluster) -> None:
    gone = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": _meta("v1beta1.custom.metrics.k8s.io"),
        "spec": {
            "group": "custom.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "prometheus-adapter", "namespace": "monitoring"},
        },
    }
    autoscaler = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mirror/autoscaling/cluster-autoscaler:v1.33.0"
    _apply(
        cluster,
        workload("Deployment", "cluster-autoscaler", "kube-system", autoscaler, {"app": "cluster-autoscaler"}, 1),
        workload(
            "DaemonSet", "node-tuner", "kube-system", "registry.example.com/platform/node-tuner:2.3", {"app": "tuner"}
        ),
        crd("velero.io", "Backup", "v1"),
        crd("velero.io", "Restore", "v1"),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": _meta("cluster-autoscaler", "kube-system"),
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "cluster-autoscaler"}}},
        },
        webhook("MutatingWebhookConfiguration", "vpa-webhook-config", "kube-system", "vpa-webhook"),
        gone,
    )
    # metrics-server is an EKS add-on; somebody installed the chart over it.
    notes = {"meta.helm.sh/release-name": "metrics-server", "meta.helm.sh/release-namespace": "kube-system"}
    over = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta("metrics-server", "kube-system", annotations=notes),
    }
    cluster.apply(json.dumps(over), manager="helm")


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": _meta(name)}


def _argo_application(name: str, repository: str, chart: str, version: str) -> Object:
    spec = {
        "project": "platform",
        "source": {"repoURL": repository, "chart": chart, "targetRevision": version},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        "syncPolicy": {"automated": {"selfHeal": True}},
    }
    return {"apiVersion": f"{_ARGO}/v1alpha1", "kind": "Application", "metadata": _meta(name, "argocd"), "spec": spec}


def _flux(kind: str, api_version: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": _meta(name, "flux-system"), "spec": spec}


def _apply(cluster: Cluster, *documents: Object) -> None:
    cluster.apply("\n---\n".join(json.dumps(document) for document in documents))


def install(cluster: Cluster, server: EksServer) -> None:
    """All of it, and waits until the simulated pods run; then some of it goes wrong."""
    install_by_eks(cluster, server)
    _helm_releases(cluster)
    _gitops(cluster)
    _by_kubectl(cluster)
    _what_they_come_with(cluster)
    wait_for("all pods", lambda: "False" not in _ready_pods(cluster), 90)
    _crash(cluster, "app=ebs-csi-controller")
    _refuse_certificate(cluster)


def _what_they_come_with(cluster: Cluster) -> None:
    """The cluster-wide objects that every installation of these has, as far as the manifests above lack them."""
    webhooks = {"aws-load-balancer-controller": "aws-load-balancer-webhook-service"}
    for addon in (
        "argo-cd",
        "cert-manager",
        "external-secrets",
        "keda",
        "kube-prometheus-stack",
        "kyverno",
        "metrics-server",
        "aws-load-balancer-controller",
    ):
        for kind, _, name in knowledge.load().addons[addon].own_objects():
            if cluster.kubectl("get", kind, name, "-n", addon, "--ignore-not-found", "-o", "name"):
                continue
            if kind == CRD:
                plural, _, group = name.partition(".")
                _apply(cluster, crd(group, plural.removesuffix("s").capitalize(), "v1", plural=plural))
            elif kind == "APIService":
                version, _, group = name.partition(".")
                spec = {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100}
                _apply(
                    cluster,
                    {"apiVersion": "apiregistration.k8s.io/v1", "kind": kind, "metadata": _meta(name), "spec": spec},
                )
            else:
                _apply(cluster, webhook(kind, name, "kube-system", webhooks[addon]))
    selector = {"app.kubernetes.io/name": "aws-load-balancer-controller"}
    _apply(cluster, service(webhooks["aws-load-balancer-controller"], "kube-system", selector))


def _ready_pods(cluster: Cluster) -> str:
    ready = "{range .items[*]}{.status.conditions[?(@.type=='Ready')].status} {end}"
    listed = cluster.kubectl("get", "pods", "-A", "-o", f"jsonpath={ready}")
    return listed if listed.strip() else "False"


def _crash(cluster: Cluster, selector: str) -> None:
    """Makes simulated pods report what a kubelet reports of a crash loop; on them nothing runs that could crash."""
    pods = json.loads(cluster.kubectl("get", "pods", "-n", "kube-system", "-l", selector, "-o", "json"))["items"]
    for pod in pods:
        status = pod["status"]
        for condition in status["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition |= {"status": "False", "reason": "ContainersNotReady"}
        status["containerStatuses"] = [
            c
            | {
                "ready": False,
                "started": False,
                "restartCount": 14,
                "state": {
                    "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
                },
                "lastState": {
                    "terminated": {"exitCode": 1, "reason": "Error", "finishedAt": c["state"]["running"]["startedAt"]}
                },
            }
            for c in status["containerStatuses"]
        ]
        patch = json.dumps({"status": status})
        cluster.kubectl(
            "patch",
            "pod",
            "-n",
            "kube-system",
            pod["metadata"]["name"],
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        )


def _refuse_certificate(cluster: Cluster) -> None:
    """A Certificate whose issuer does not exist, as cert-manager reports it."""
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": _meta("checkout-tls", "payments"),
        "spec": {"secretName": "checkout-tls", "issuerRef": {"name": "letsencrypt"}},
    }
    _apply(cluster, _namespace("payments"), certificate)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "DoesNotExist",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-20T08:00:00Z",
        "message": "Issuing certificate as Secret does not exist; issuer letsencrypt not found",
    }
    cluster.kubectl(
        "patch",
        "certificate.cert-manager.io",
        "-n",
        "payments",
        "checkout-tls",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": {"conditions": [condition]}}),
    )
