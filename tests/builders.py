"""Small worlds for tests of the core: a catalog of a few add-ons, and objects with what a test cares about."""

from datetime import UTC, date, datetime
from typing import Any

from addonctl import model
from addonctl.catalog import (
    AddOn,
    Catalog,
    ChartInstall,
    EksAddonVersions,
    EksInstall,
    EksRelease,
    EksTable,
    EksVersion,
    Fingerprints,
    ImageFingerprint,
    Install,
    Kubernetes,
    KubernetesSupport,
    Role,
    VersionFrom,
    VersionRule,
    WorkloadFingerprint,
)
from addonctl.model import owners
from addonctl.model.plan import Rollout, Step, Target
from addonctl.versions import Minor, Version, VersionRange

DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def addon(addon_id: str, image: str, **more: Any) -> AddOn:
    """An entry recognised by one image; `more` overrides."""
    prints = Fingerprints(
        images=(ImageFingerprint(path=image), *more.pop("images", ())),
        workloads=more.pop("workloads", (WorkloadFingerprint(kind="Deployment", name=addon_id),)),
        labels=({"app.kubernetes.io/name": addon_id},),
        crd_groups=more.pop("crd_groups", ()),
        webhooks=more.pop("webhooks", ()),
    )
    given: dict[str, Any] = {
        "install": Install(charts=(ChartInstall(name=addon_id),)),
        "version": (
            VersionRule(source=VersionFrom.IMAGE, key=image),
            VersionRule(source=VersionFrom.LABEL, key="app.kubernetes.io/version"),
            VersionRule(source=VersionFrom.CHART),
        ),
    }
    return AddOn(
        id=addon_id,
        name=addon_id.title(),
        category="test",
        as_of=DAY,
        source="test",
        fingerprints=prints,
        **(given | more),
    )


def supports(versions: str, minimum: str = "", maximum: str = "", source: str = "") -> KubernetesSupport:
    """A row of upstream's ranges, from texts."""
    low, high = (Minor.of(text) if text else None for text in (minimum, maximum))
    return KubernetesSupport(versions=VersionRange.of(versions), minimum=low, maximum=high, source=source)


def offered(version: str, kubernetes: dict[str, str], *default_for: str) -> EksVersion:
    """A version of AWS's table: minor → platform versions, and the minors that it is the default for."""
    minors = {Minor.of(minor): platforms for minor, platforms in kubernetes.items()}
    return EksVersion(version=Version.of(version), kubernetes=minors, default_for=tuple(map(Minor.of, default_for)))


def small_catalog() -> Catalog:
    """coredns (EKS and Helm), cert-manager, istio in several charts, a stack that bundles an exporter."""
    entries = (
        addon(
            "coredns",
            "coredns/coredns",
            install=Install(
                eks=EksInstall(name="coredns", namespace="kube-system"), charts=(ChartInstall(name="coredns"),)
            ),
        ),
        addon(
            "cert-manager",
            "jetstack/cert-manager-controller",
            crd_groups=("cert-manager.io",),
            install=Install(charts=(ChartInstall(name="cert-manager", numbered_as_application=True),)),
            webhooks=("cert-manager-webhook",),
            kubernetes=(supports("1.20", "1.32", "1.35", source="releases page"),),
        ),
        addon(
            "istio",
            "istio/pilot",
            crd_groups=("networking.istio.io",),
            images=(ImageFingerprint(path="istio/install-cni"), ImageFingerprint(path="istio/proxyv2", role=Role.PART)),
            install=Install(charts=(ChartInstall(name="istiod"), ChartInstall(name="base", main=False))),
        ),
        addon("exporter", "metrics/exporter"),
        addon("stack", "stack/operator", bundles=("exporter",)),
        addon("ingress", "ingress/controller", singleton=False),
    )
    versions = (
        offered("v1.12.4-eksbuild.3", {"1.34": "*", "1.35": "eks.4+"}, "1.34"),
        offered("v1.11.4-eksbuild.2", {"1.33": "*"}, "1.33"),
    )
    table = EksTable(
        as_of=date(2026, 8, 22),
        source="DescribeAddonVersions",
        region="us-east-1",
        addons={"coredns": EksAddonVersions(name="coredns", versions=versions)},
    )
    releases = (
        EksRelease(
            version=Minor(1, 34),
            released=date(2025, 10, 2),
            end_standard=date(2026, 12, 2),
            end_extended=date(2027, 12, 2),
        ),
        EksRelease(
            version=Minor(1, 33),
            released=date(2025, 5, 29),
            end_standard=date(2026, 7, 29),
            end_extended=date(2027, 7, 29),
        ),
    )
    calendar = Kubernetes(as_of=DAY, source="test", newest=Minor(1, 37), newest_on_eks=Minor(1, 36), releases=releases)
    return Catalog({entry.id: entry for entry in entries}, table, calendar)


def workload(
    name: str, *images: str, namespace: str = "apps", kind: str = "Deployment", init: str = "", **more: Any
) -> model.Workload:
    """A workload that runs `images`, the first of them its main container."""
    containers = [model.Container(name=f"c{n}", image=image) for n, image in enumerate(images)]
    containers += [model.Container(name="init", image=init, init=True)] if init else []
    template = model.PodTemplate(containers=tuple(containers), priority_class=more.pop("priority_class", ""))
    return model.Workload(kind=kind, name=name, namespace=namespace, template=template, **more)


def snapshot(**parts: Any) -> model.Snapshot:
    cluster = parts.pop("cluster", model.Cluster(name="prod-eu-1", kubernetes="v1.34.2-eks-1a2b3c4"))
    return model.Snapshot(taken=NOW, cluster=cluster, **parts)


def eks(**parts: Any) -> model.Eks:
    cluster = model.EksCluster(name="prod-eu-1", version="1.34", auto_mode=parts.pop("auto_mode", False))
    return model.Eks(cluster=cluster, **parts)


def step(*slis: str, of: str) -> Step:
    """A step of a plan that is only watched, by these SLIs; `of` its workload, as Kind/namespace/name."""
    kind, namespace, name = of.split("/")
    ref = model.ObjectRef.of(kind, name, namespace)
    return Step(
        id="1",
        installation=name,
        addon=name,
        owner=owners.Undetermined(),
        from_version=None,
        to_version=None,
        do=(),
        undo=(),
        irreversible="it is not carried out",
        targets=(Target(ref=ref, rollout=Rollout.SURGE, instances=2),),
        objectives=tuple(model.Objective(sli=sli) for sli in slis),
    )
