"""edge-us-2: kept by Flux and Argo CD; Kyverno's webhook refuses every new pod, and nothing else can start.

An image of Kyverno's that nobody can pull took its admission controller down. Its webhook fails closed: three
Deployments cannot replace pods that went away. Beside that, Flux and Argo CD both keep ingress-nginx.
"""

from dataclasses import replace
from datetime import timedelta

from addonctl import model
from addonctl.model import Condition, ObjectRef
from tests.stories.world import NOW, World, argocd, flux, kustomization

_HOOK = "validate.kyverno.svc-fail"
_REFUSED = (
    'Error creating: Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call '
    'webhook: Post "https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s": no endpoints available for '
    'service "kyverno-svc"'
)


def snapshot() -> model.Snapshot:
    world = World("edge-us-2", "1.35")
    world.nodes(3, "edge")
    world.network(kube_proxy="v1.35.3-eksbuild.18", coredns="v1.13.2-eksbuild.11")
    _flux(world)
    _kyverno(world)
    _refused(world, "external-dns", "external-dns", "registry.k8s.io/external-dns/external-dns:v0.19.0", replicas=1)
    _refused(
        world, "external-secrets", "external-secrets", "ghcr.io/external-secrets/external-secrets:v2.8.0", replicas=1
    )
    world.crds("external-secrets.io", "ExternalSecret", "SecretStore", by=argocd("external-secrets"))
    ingress = _refused(
        world,
        "ingress-nginx",
        "ingress-nginx-controller",
        "registry.k8s.io/ingress-nginx/controller:v1.15.0",
        replicas=2,
        ready=1,
    )
    _two_owners(world, ingress)
    return world.snapshot()


def _flux(world: World) -> None:
    keeps_itself = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/version": "v2.7.5"}
    by = kustomization("flux-system")
    by = replace(by, labels={**by.labels, **keeps_itself})
    for name in ("source-controller", "helm-controller", "kustomize-controller"):
        world.deployment("flux-system", name, f"ghcr.io/fluxcd/{name}:v1.7.4", by=by, replicas=1)
    world.add("flux_kustomizations", model.FluxKustomization(namespace="flux-system", name="flux-system"))
    fetched = Condition(type="Ready", status="True", reason="Succeeded", message="stored artifact")
    source = model.FluxSource(
        kind="HelmRepository",
        namespace="flux-system",
        name="platform",
        url="https://charts.example.com",
        conditions=(fetched,),
    )
    world.add("flux_sources", source)


def _flux_release(world: World, name: str, namespace: str, chart_version: str, ready: Condition) -> None:
    made = model.FluxHelmRelease(
        namespace="flux-system",
        name=name,
        chart=name,
        chart_version=chart_version,
        source="HelmRepository/platform",
        release=name,
        target_namespace=namespace,
        conditions=(ready,),
    )
    world.add("flux_helm_releases", made)


def _kyverno(world: World) -> None:
    by = flux("kyverno", "kyverno")
    broken = "ghcr.io/kyverno/kyverno:v1.18.0-fips"
    admission = world.deployment(
        "kyverno", "kyverno-admission-controller", broken, by=by, ready=0, available=0, desired=2, replicas=2
    )
    waiting = model.ContainerStatus(
        name=admission.name, image=broken, waiting="ImagePullBackOff", waits_for=f'Back-off pulling image "{broken}"'
    )
    world.replica_set(
        admission, ready=2, number=4, created=NOW - timedelta(minutes=40), phase="Pending", containers=(waiting,)
    )
    service = world.service(admission, "kyverno-svc")
    world.crds("kyverno.io", "ClusterPolicy", "Policy", "UpdateRequest", by=by, count=9)
    world.webhook("Validating", "kyverno-resource-validating-webhook-cfg", _HOOK, service, "pods", by=by)
    world.helm_release("kyverno", "kyverno", "kyverno", "3.8.0", admission.ref, service)
    failed = Condition(
        type="Ready",
        status="False",
        reason="UpgradeFailed",
        message="Helm upgrade failed for release kyverno/kyverno with chart kyverno@3.8.0: context deadline exceeded",
    )
    _flux_release(world, "kyverno", "kyverno", "3.8.0", failed)


def _refused(world: World, namespace: str, name: str, image_: str, *, replicas: int, ready: int = 0) -> model.Workload:
    """A Deployment kept by Argo CD whose last pods went away, and which may make no new ones."""
    gone = Condition(
        type="ReplicaFailure", status="True", reason="FailedCreate", message=_REFUSED.removeprefix("Error creating: ")
    )
    made = world.deployment(
        namespace,
        name,
        image_,
        by=argocd(namespace),
        replicas=replicas,
        ready=ready,
        available=ready,
        total=ready,
        updated=ready,
        conditions=(gone,),
    )
    world.event(ObjectRef.of("ReplicaSet", world.parts["revisions"][-1].name, namespace), "FailedCreate", _REFUSED, 14)
    application = model.Application(
        namespace="argocd",
        name=namespace,
        chart=namespace,
        repository="https://charts.example.com",
        destination_namespace=namespace,
        auto_sync=True,
        sync="Synced",
        health="Progressing",
        resources=(made.ref,),
    )
    world.add("applications", application)
    return made


def _two_owners(world: World, ingress: model.Workload) -> None:
    """Flux came to keep what Argo CD still does."""
    also = flux("ingress-nginx", "ingress-nginx")
    at = world.parts["workloads"].index(ingress)
    world.parts["workloads"][at] = replace(
        ingress, labels={**ingress.labels, **also.labels}, annotations={**ingress.annotations, **also.annotations}
    )
    ready = Condition(type="Ready", status="True", reason="UpgradeSucceeded", message="Helm upgrade succeeded")
    _flux_release(world, "ingress-nginx", "ingress-nginx", "4.15.0", ready)
    world.helm_release("ingress-nginx", "ingress-nginx", "ingress-nginx", "4.15.0", ingress.ref)
