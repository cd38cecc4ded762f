"""A cluster in the making: what a story installs brings all that a real installation of it has.

A Deployment comes with its ReplicaSet, pods on nodes, ServiceAccount and role; a CRD is established; what a story says
beside that is what its cluster is about. `snapshot` makes it a value, taken on the one day of all stories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any
from zlib import crc32

from addonctl import model
from addonctl.model import Applier, Condition, ObjectRef

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
SETTLED = NOW - timedelta(days=30)
"""When what is not news came to be."""
ACCOUNT = "123456789012"
_FLUX_HELM, _FLUX_KUSTOMIZE = "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"


_REQUESTS = {
    "aws-node": (50, 0),
    "kube-proxy": (100, 0),
    "coredns": (100, 70),
    "metrics-server": (100, 200),
    "ebs-csi-controller": (60, 240),
    "ebs-csi-node": (30, 120),
    "ingress-nginx-controller": (100, 90),
}
"""What the pods of a workload request, in millicores and MiB, as their installers have it; others request nothing."""


# ── Who installed it ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class By:
    """What an installer leaves on every object that it makes."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    manager: str = ""

    def on(self, api_version: str) -> dict[str, Any]:
        """The metadata of an object written in this API version."""
        operation = "Update" if self.manager.startswith("kubectl") else "Apply"
        appliers = (Applier(manager=self.manager, api_version=api_version, operation=operation),)
        return {"annotations": dict(self.annotations), "appliers": appliers}


EKS = By(manager="eks")
KUBECTL = By(manager="kubectl-client-side-apply")


def argocd(application: str) -> By:
    return By(
        annotations={"argocd.argoproj.io/tracking-id": f"{application}:apps/Deployment:{application}/{application}"},
        manager="argocd-controller",
    )


def flux(release: str, namespace: str) -> By:
    """A HelmRelease of Flux in flux-system, whose Helm release is of the same name in `namespace`."""
    return By(
        labels={f"{_FLUX_HELM}/name": release, f"{_FLUX_HELM}/namespace": "flux-system"},
        annotations={"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace},
        manager="helm-controller",
    )


def kustomization(name: str) -> By:
    """A Kustomization of Flux in flux-system."""
    labels = {f"{_FLUX_KUSTOMIZE}/name": name, f"{_FLUX_KUSTOMIZE}/namespace": "flux-system"}
    return By(labels=labels, manager="kustomize-controller")


def helm(release: str, namespace: str) -> By:
    return By(
        annotations={"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace},
        manager="helm",
    )


# ── The world ───────────────────────────────────────────────────────────────────────────────────────────────────────


class World:
    """The objects of one cluster, by the parts of a Snapshot."""

    def __init__(self, name: str, kubernetes: str, *, upgrade_policy: str = "EXTENDED") -> None:
        self.name = name
        self.kubernetes = kubernetes
        self.upgrade_policy = upgrade_policy
        self.parts: dict[str, list[Any]] = {}
        self.eks_addons: dict[str, model.EksAddon] = {}

    def add(self, part: str, *things: Any) -> None:
        self.parts.setdefault(part, []).extend(things)

    def snapshot(self, *gaps: model.Gap, **more: Any) -> model.Snapshot:
        """All of it; what `gaps` say was not read is left out, as a reader leaves it out."""
        unread = {gap.part for gap in gaps}
        made: dict[str, Any] = {part: tuple(things) for part, things in self.parts.items() if part not in unread}
        names = {t.namespace for things in made.values() for t in things if getattr(t, "namespace", "")}
        if "namespaces" not in unread:
            made["namespaces"] = tuple(model.Namespace(name=each, phase="Active") for each in sorted(names))
        cluster = model.Cluster(name=self.name, kubernetes=f"v{self.kubernetes}.2-eks-1a2b3c4", context=self.name)
        eks = None if "eks" in unread else self._eks(unread)
        return model.Snapshot(taken=NOW, cluster=cluster, eks=eks, gaps=gaps, **(made | more))

    def _eks(self, unread: set[str]) -> model.Eks:
        cluster = model.EksCluster(
            name=self.name,
            region="eu-central-1",
            status="ACTIVE",
            version=self.kubernetes,
            platform_version="eks.9",
            support_type=self.upgrade_policy,
        )
        return model.Eks(cluster=cluster, addons=() if "eks:addons" in unread else tuple(self.eks_addons.values()))

    # ── Nodes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def nodes(self, count: int, group: str, kubelet: str = "") -> None:
        """Ready nodes of one managed node group, over three zones."""
        for number in range(count):
            name = f"{group}-{number + 1}"
            labels = {
                "eks.amazonaws.com/nodegroup": group,
                "node.kubernetes.io/instance-type": "m7g.xlarge",
                "topology.kubernetes.io/zone": f"eu-central-1{'abc'[number % 3]}",
            }
            node = model.Node(
                name=name,
                created=SETTLED,
                labels=labels,
                provider_id=f"aws:///eu-central-1{'abc'[number % 3]}/i-0{crc32(f'{self.name} {name}'.encode()):016x}",
                kubelet_version=f"v{kubelet or self.kubernetes}.2-eks-1a2b3c4",
                operating_system="linux",
                conditions=(Condition(type="Ready", status="True"),),
            )
            self.add("nodes", node)

    @property
    def _node_names(self) -> list[str]:
        return [node.name for node in self.parts["nodes"]]

    # ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────

    def deployment(
        self,
        namespace: str,
        name: str,
        *images: str,
        by: By,
        replicas: int = 2,
        labels: Mapping[str, str] | None = None,
        spread: bool = True,
        account: str = "",
        **more: Any,
    ) -> model.Workload:
        """A Deployment whose pods are all ready."""
        made = self._workload("Deployment", namespace, name, images, by, labels or {"app": name}, account, replicas)
        template = replace(made.template, has_topology_spread=spread)
        made = replace(made, template=template, **more)
        self.add("workloads", made)
        self.replica_set(made, ready=made.available or 0)
        return made

    def daemon_set(self, namespace: str, name: str, *images: str, by: By, **more: Any) -> model.Workload:
        """A DaemonSet with a ready pod on the network of every node."""
        nodes = self._node_names
        made = self._workload("DaemonSet", namespace, name, images, by, {"app": name}, "", len(nodes))
        made = replace(made, template=replace(made.template, host_network=True), **more)
        self.add("workloads", made)
        maker = ObjectRef(kind="DaemonSet", name=name, group="apps")
        self.add("pods", *(self._pod(made, maker, node, number) for number, node in enumerate(nodes)))
        return made

    def _workload(
        self,
        kind: str,
        namespace: str,
        name: str,
        images: Sequence[str],
        by: By,
        labels: Mapping[str, str],
        account: str,
        count: int,
    ) -> model.Workload:
        account = account or name
        containers = tuple(
            model.Container(name=name if n == 0 else f"{name}-{n}", image=image, has_readiness_probe=True)
            for n, image in enumerate(images)
        )
        self._account(namespace, account, by)
        counts = dict.fromkeys(("desired", "ready", "available", "updated", "total"), count)
        return model.Workload(
            kind=kind,
            namespace=namespace,
            name=name,
            created=SETTLED,
            uid=_uid(namespace, name),
            labels={**labels, **by.labels},
            template=model.PodTemplate(labels=labels, containers=containers, service_account=account),
            selector=labels,
            strategy="RollingUpdate",
            generation=3,
            observed_generation=3,
            **counts,  # type: ignore[arg-type]
            **by.on("apps/v1"),
        )

    def _account(self, namespace: str, name: str, by: By) -> None:
        """A ServiceAccount with a role, once."""
        account = model.ServiceAccount(
            namespace=namespace, name=name, labels=by.labels, annotations=by.annotations, created=SETTLED
        )
        if account in self.parts.get("service_accounts", ()):
            return
        role = model.Role(
            name=f"{namespace}-{name}", rules=(model.PolicyRule(groups=("*",), resources=("*",), verbs=("*",)),)
        )
        binding = model.RoleBinding(
            name=role.name, role=role.ref, subjects=(ObjectRef.of("ServiceAccount", name, namespace),)
        )
        self.add("service_accounts", account)
        self.add("roles", role)
        self.add("role_bindings", binding)

    def replica_set(
        self, of: model.Workload, *, ready: int, number: int = 3, created: datetime = SETTLED, **pod: Any
    ) -> None:
        """One generation of a Deployment: `ready` pods, or with `pod` as many that are as it says, not ready."""
        template_hash = f"{crc32(f'{of.ref} {number}'.encode()):08x}"
        revision = model.Revision(
            kind="ReplicaSet",
            namespace=of.namespace,
            name=f"{of.name}-{template_hash}",
            created=created,
            number=number,
            replicas=ready,
            ready=0 if pod else ready,
            available=0 if pod else ready,
            owners=(ObjectRef(kind="Deployment", name=of.name, group="apps"),),
        )
        self.add("revisions", revision)
        labels = {**of.template.labels, "pod-template-hash": template_hash}
        maker = ObjectRef(kind="ReplicaSet", name=revision.name, group="apps")
        for each, node in enumerate(islice(cycle(self._node_names), ready)):
            made = self._pod(of, maker, node, each, created=created)
            self.add("pods", replace(made, labels=labels, **({"ready": False} | pod if pod else {})))

    def _pod(
        self, of: model.Workload, maker: ObjectRef, node: str, number: int, created: datetime = SETTLED
    ) -> model.Pod:
        name = f"{maker.name}-{crc32(f'{of.ref} {number}'.encode()) % 0xFFFFF:05x}"
        running = tuple(
            model.ContainerStatus(name=each.name, image=each.image, ready=True) for each in of.template.containers
        )
        cpu, memory = _REQUESTS.get(of.name, (0, 0))
        return model.Pod(
            namespace=of.namespace,
            name=name,
            uid=_uid(of.namespace, name),
            created=created,
            labels=of.template.labels,
            owners=(maker,),
            phase="Running",
            restart_policy="Always",
            node=node,
            ready=True,
            containers=running,
            cpu_request_millicores=cpu,
            memory_request_bytes=memory * 2**20,
        )

    # ── What leads to workloads ─────────────────────────────────────────────────────────────────────────────────

    def service(self, of: model.Workload, name: str = "", port: int = 443, by: By | None = None) -> ObjectRef:
        """A Service before a workload, with as many endpoints as that has ready pods."""
        name = name or of.name
        ports = (model.Port.of(f"main:{port}/TCP>main"),)
        marks = by.on("v1") if by else {"annotations": of.annotations, "appliers": of.appliers}
        made = model.Service(
            namespace=of.namespace,
            name=name,
            created=SETTLED,
            type="ClusterIP",
            selector=of.selector,
            ports=ports,
            labels=of.labels,
            **marks,
        )
        ready = of.ready or 0
        endpoints = model.EndpointSlice(
            namespace=of.namespace,
            name=f"{name}-x7k2p",
            service=name,
            ready=ready,
            not_ready=(of.desired or 0) - ready,
            ports=ports if ready else (),
        )
        self.add("services", made)
        self.add("endpoint_slices", endpoints)
        return made.ref

    def webhook(
        self, kind: str, name: str, hook: str, service: ObjectRef, *resources: str, by: By, policy: str = "Fail"
    ) -> None:
        """A webhook that leaves its own namespace and the system's out; `resources` are of the core group."""
        elsewhere = model.LabelExpression(
            key="kubernetes.io/metadata.name", operator="NotIn", values=("kube-system", service.namespace)
        )
        called = model.Webhook(
            name=hook,
            failure_policy=policy,
            service=model.ServiceTarget(namespace=service.namespace, name=service.name),
            rules=(model.Rule(groups=("",), versions=("v1",), resources=resources, operations=("CREATE",)),),
            namespace_expressions=(elsewhere,),
            ca_expires=NOW + timedelta(days=300),
        )
        made = model.WebhookConfiguration(
            kind=f"{kind}WebhookConfiguration",
            name=name,
            created=SETTLED,
            webhooks=(called,),
            labels=by.labels,
            **by.on("admissionregistration.k8s.io/v1"),
        )
        self.add("webhook_configurations", made)

    def api_service(self, version: str, group: str, service: ObjectRef) -> None:
        target = model.ServiceTarget(namespace=service.namespace, name=service.name)
        made = model.ApiService(
            name=f"{version}.{group}",
            group=group,
            version=version,
            service=target,
            conditions=(Condition(type="Available", status="True", reason="Passed"),),
        )
        self.add("api_services", made)

    def budget(self, of: model.Workload, max_unavailable: str = "1") -> None:
        """A PodDisruptionBudget that allows one pod to be evicted, as long as all are ready."""
        ready = of.ready or 0
        made = model.DisruptionBudget(
            namespace=of.namespace,
            name=of.name,
            selector=of.selector,
            max_unavailable=max_unavailable,
            disruptions_allowed=1 if ready == of.desired else 0,
            healthy=ready,
            pods=of.desired,
        )
        self.add("disruption_budgets", made)

    def crds(self, group: str, *kinds: str, by: By, version: str = "v1", count: int = 0, **more: Any) -> None:
        """CRDs of one group, served and established, with `count` custom resources of each kind."""
        established = (
            Condition(type="NamesAccepted", status="True"),
            Condition(type="Established", status="True"),
        )
        for kind in kinds:
            plural = _plural(kind)
            crd = model.CustomResourceDefinition(
                name=f"{plural}.{group}",
                group=group,
                kind=kind,
                plural=plural,
                created=SETTLED,
                conditions=established,
                labels=by.labels,
                **by.on("apiextensions.k8s.io/v1"),
                **(
                    {
                        "versions": (model.CrdVersion(name=version, storage=True, has_status=True),),
                        "stored_versions": (version,),
                    }
                    | more
                ),
            )
            self.add("crds", crd)
            if count:
                counted = model.CustomResources(
                    group=group, kind=kind, plural=plural, count=count, written_as={f"{group}/{version}": count}
                )
                self.add("custom_resources", counted)

    def event(self, subject: ObjectRef, reason: str, message: str, count: int = 1) -> None:
        name = f"{subject.name}.{crc32(message.encode()):08x}"
        made = model.Event(
            namespace=subject.namespace,
            name=name,
            subject=subject,
            reason=reason,
            message=message,
            count=count,
            last_seen=NOW - timedelta(minutes=2),
        )
        self.add("events", made)

    # ── Installers' records ─────────────────────────────────────────────────────────────────────────────────────

    def eks_addon(self, name: str, version: str, status: str = "ACTIVE", **more: Any) -> None:
        self.eks_addons[name] = model.EksAddon(
            name=name, version=version, status=status, owner="aws", publisher="eks", **more
        )

    def helm_release(
        self, namespace: str, name: str, chart: str, version: str, *objects: ObjectRef | model.HelmObject, **more: Any
    ) -> None:
        """A release that is deployed, at its fourth revision."""
        made = tuple(each if isinstance(each, model.HelmObject) else _helm_object(each) for each in objects)
        given: dict[str, Any] = {"revision": 4, "status": "deployed", "deployed_revision": 4, "updated": SETTLED}
        given |= more
        self.add(
            "helm_releases",
            model.HelmRelease(
                namespace=namespace,
                name=name,
                chart=chart,
                chart_version=version,
                app_version=version,
                objects=made,
                **given,
            ),
        )

    # ── What every cluster has ──────────────────────────────────────────────────────────────────────────────────

    def network(self, *, kube_proxy: str, coredns: str, vpc_cni: str = "v1.22.4-eksbuild.3") -> None:
        """The pod network, kube-proxy and DNS, as EKS add-ons that are as they should be."""
        role = f"arn:aws:iam::{ACCOUNT}:role/{self.name}-vpc-cni"
        self.eks_addon("vpc-cni", vpc_cni, service_account_role_arn=role)
        self.daemon_set("kube-system", "aws-node", image(f"amazon-k8s-cni:{vpc_cni}"), by=EKS)
        self.eks_addon("kube-proxy", kube_proxy)
        self.daemon_set("kube-system", "kube-proxy", image(f"eks/kube-proxy:{kube_proxy}"), by=EKS)
        self.eks_addon("coredns", coredns)
        self.coredns(coredns)

    def coredns(self, version: str, **more: Any) -> model.Workload:
        dns = self.deployment(
            "kube-system",
            "coredns",
            image(f"eks/coredns:{version}"),
            by=EKS,
            labels={"eks.amazonaws.com/component": "coredns", "k8s-app": "kube-dns"},
            **more,
        )
        self.service(dns, "kube-dns", port=53)
        self.budget(dns)
        self.add("config_maps", model.ConfigMap(namespace="kube-system", name="coredns"))
        return dns


def image(path: str) -> str:
    """An image in EKS's own registry."""
    return f"602401143452.dkr.ecr.eu-central-1.amazonaws.com/{path}"


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else lower if lower.endswith("s") else f"{lower}s"


def _helm_object(ref: ObjectRef) -> model.HelmObject:
    api_version = f"{ref.group}/v1" if ref.group else "v1"
    return model.HelmObject(api_version=api_version, kind=ref.kind, name=ref.name, namespace=ref.namespace)


def _uid(*words: str) -> str:
    return f"{crc32(' '.join(words).encode()):08x}-0000-4000-8000-000000000000"
