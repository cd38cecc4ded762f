"""prod-eu-1: ten add-ons by four means, all of them healthy, a Kubernetes that is supported for months."""

from dataclasses import replace

from addonctl import model
from addonctl.model import ObjectRef
from tests.stories.world import ACCOUNT, EKS, KUBECTL, SETTLED, World, argocd, helm, image


def snapshot() -> model.Snapshot:
    world = World("prod-eu-1", "1.35")
    world.nodes(3, "general")
    world.network(kube_proxy="v1.35.3-eksbuild.18", coredns="v1.13.2-eksbuild.11")
    _storage(world)
    _metrics_server(world)
    _load_balancers(world)
    _cert_manager(world)
    _argocd(world)
    _external_secrets(world)
    dns = "registry.k8s.io/external-dns/external-dns:v0.19.0"
    role = {"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role/prod-eu-1-external-dns"}
    by = replace(KUBECTL, annotations={**KUBECTL.annotations, **role})
    world.deployment("external-dns", "external-dns", dns, by=by, replicas=1)
    return world.snapshot()


def _storage(world: World) -> None:
    version = "v1.64.0-eksbuild.1"
    world.eks_addon(
        "aws-ebs-csi-driver", version, service_account_role_arn=f"arn:aws:iam::{ACCOUNT}:role/prod-eu-1-ebs-csi"
    )
    driver = image(f"eks/aws-ebs-csi-driver:{version}")
    controller = world.deployment("kube-system", "ebs-csi-controller", driver, by=EKS)
    world.budget(controller)
    world.daemon_set("kube-system", "ebs-csi-node", driver, by=EKS)
    world.add("csi_drivers", model.CsiDriver(name="ebs.csi.aws.com", created=SETTLED, **EKS.on("storage.k8s.io/v1")))
    world.add("storage_classes", model.StorageClass(name="gp3", provisioner="ebs.csi.aws.com", is_default=True))


def _metrics_server(world: World) -> None:
    version = "v0.9.0-eksbuild.6"
    world.eks_addon("metrics-server", version)
    server = world.deployment("kube-system", "metrics-server", image(f"eks/metrics-server:{version}"), by=EKS)
    world.budget(server)
    world.api_service("v1beta1", "metrics.k8s.io", world.service(server))


def _load_balancers(world: World) -> None:
    name, by = "aws-load-balancer-controller", helm("aws-load-balancer-controller", "kube-system")
    controller = world.deployment("kube-system", name, f"public.ecr.aws/eks/{name}:v2.17.1", by=by)
    service = world.service(controller, "aws-load-balancer-webhook-service")
    world.crds("elbv2.k8s.aws", "TargetGroupBinding", "IngressClassParams", by=by, version="v1beta1")
    for kind in ("Mutating", "Validating"):
        world.webhook(kind, "aws-load-balancer-webhook", "mservice.elbv2.k8s.aws", service, "services", by=by)
    world.helm_release("kube-system", name, name, "1.17.1", controller.ref, service)


def _cert_manager(world: World) -> None:
    namespace, by = "cert-manager", helm("cert-manager", "cert-manager")
    images = "quay.io/jetstack/cert-manager"
    controller = world.deployment(namespace, "cert-manager", f"{images}-controller:v1.20.1", by=by, replicas=1)
    cainjector = world.deployment(
        namespace, "cert-manager-cainjector", f"{images}-cainjector:v1.20.1", by=by, replicas=1
    )
    webhook = world.deployment(namespace, "cert-manager-webhook", f"{images}-webhook:v1.20.1", by=by)
    service = world.service(webhook)
    kinds = ("Certificate", "CertificateRequest", "Issuer", "ClusterIssuer")
    world.crds("cert-manager.io", *kinds, by=by)
    world.crds("acme.cert-manager.io", "Order", "Challenge", by=by)
    world.webhook("Validating", "cert-manager-webhook", "webhook.cert-manager.io", service, "secrets", by=by)
    world.helm_release(
        namespace, "cert-manager", "cert-manager", "v1.20.1", controller.ref, cainjector.ref, webhook.ref, service
    )


def _argocd(world: World) -> None:
    by = helm("argocd", "argocd")
    names = ("argocd-server", "argocd-repo-server", "argocd-applicationset-controller")
    made = [
        world.deployment("argocd", name, "quay.io/argoproj/argocd:v3.4.7", by=by, account="argocd") for name in names
    ]
    world.service(made[0])
    world.crds("argoproj.io", "Application", "AppProject", by=by, version="v1alpha1")
    world.helm_release("argocd", "argocd", "argo-cd", "9.4.2", *(each.ref for each in made))


def _external_secrets(world: World) -> None:
    name, by = "external-secrets", argocd("external-secrets")
    world.deployment(name, name, f"ghcr.io/external-secrets/{name}:v2.8.0", by=by, replicas=1)
    world.crds("external-secrets.io", "ExternalSecret", "SecretStore", by=by)
    application = model.Application(
        namespace="argocd",
        name=name,
        chart=name,
        repository="https://charts.example.com",
        target_revision="2.8.0",
        destination_namespace=name,
        auto_sync=True,
        sync="Synced",
        health="Healthy",
        resources=(ObjectRef.of("Deployment", name, name),),
    )
    world.add("applications", application)
