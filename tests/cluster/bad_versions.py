"""Bad versions of real add-ons: what is broken in each, and the images that are. Tried by bad_trials.py.

An image is the add-on's own with go/faulty before it, which breaks it as the image's FAULT says; or it is sound, and
the objects that come with the version are not.
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import build, oci
from tests.cluster.lab import GATEKEEPER_IMAGE

Document = dict[str, Any]
Change = Callable[[Document], None]
EKS, HELM, MANIFESTS, ARGOCD = "EKS", "Helm", "manifests", "Argo CD"
COREDNS, GATEKEEPER, METRICS, PROXY = "coredns", "gatekeeper", "metrics-server", "kube-proxy"
SOUND = {
    COREDNS: build.coredns_image(build.COREDNS[-1]),
    GATEKEEPER: f"{GATEKEEPER_IMAGE}:{build.GATEKEEPER}",
    METRICS: build.METRICS_SERVER_IMAGE,
    PROXY: build.PROXY_NAME,
}
WORKLOADS = {COREDNS: COREDNS, GATEKEEPER: "gatekeeper-controller-manager", METRICS: METRICS, PROXY: PROXY}


def unchanged(_document: Document) -> None:
    """The objects of the new version are those of the old."""


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A bad version: `fault` is what go/faulty is told, empty where the binary is the add-on's own.

    `shows_s`: the fault begins so long after the start. `reported`: EKS says that the update failed, and applies
    nothing. `eks_waits_s`: so long EKS waits for an update before it gives up. `eks_works_s`: EKS stays at work for so
    long after all is applied. `traffic`: what is asked for meanwhile, where that is not the add-on's usual.
    """

    what: str
    owner: str
    addon: str
    fault: str = ""
    there: bool = True
    change: Change = unchanged
    shows_s: float = 0
    reported: bool = False
    eks_waits_s: int = 600
    eks_works_s: float = 0
    traffic: str = ""

    @property
    def name(self) -> str:
        words = f"{self.owner} {self.addon} {self.what}".lower().replace("%", "")
        return "-".join("".join(c if c.isalnum() else " " for c in words).split())

    @property
    def node(self) -> str:
        """Where it is bad, if not everywhere."""
        kind, *words = self.fault.split() or [""]
        return words[0] if kind == "node" else ""

    @property
    def image(self) -> str:
        """What is on the nodes for it; empty: nothing."""
        if not self.there:
            return ""
        return image_of(self.addon, self.fault) if self.fault else SOUND[self.addon]


def image_of(addon: str, fault: str) -> str:
    return f"registry.local/bad/{addon}:{'-'.join(fault.split())}"


# ── Images ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_images(target: Path, bads: Iterable[Bad]) -> None:
    """Writes the images of bad versions into one tar: they differ in FAULT alone, so their layers are shared."""
    faults = sorted({(bad.addon, bad.fault) for bad in bads if bad.fault})
    layers = {kind: oci._layer(_files(kind)) for kind in {_kind(addon) for addon, _ in faults}}
    blobs, listed = {_named(layer): layer for layer in layers.values()}, []
    for addon, fault in faults:
        layer = layers[_kind(addon)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/faulty"], "Env": ["PATH=/:/usr/sbin:/sbin", f"FAULT={fault}"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        described = _put(blobs, "config.v1+json", config)
        layered = {
            "mediaType": f"{_TYPE}.layer.v1.tar",
            "digest": _digest(layer),
            "size": len(layer),
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": described,
            "layers": [layered],
        }
        names = {"io.containerd.image.name": image_of(addon, fault)}
        listed.append(_put(blobs, "manifest.v1+json", manifest) | {"annotations": names})
    files = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": {"schemaVersion": 2, "manifests": listed}}
    with tarfile.open(target, "w") as tar:
        for path, document in files.items():
            oci._add(tar, path, json.dumps(document).encode(), 0o644)
        for path, body in blobs.items():
            oci._add(tar, path, body, 0o644)


_TYPE = "application/vnd.oci.image"


def _kind(addon: str) -> str:
    return PROXY if addon == PROXY else ""


def _files(kind: str) -> dict[str, Path]:
    """Gatekeeper's manifests start /manager, which is the faulty one; the others start what the image starts."""
    faulty = build.FAULTY.folder / "faulty"
    if kind == PROXY:
        return {**build.proxy_files(), "faulty": faulty}
    return {"coredns": build.coredns_binary(build.COREDNS[-1]), "faulty": faulty, "manager": faulty}


def _put(blobs: dict[str, bytes], media_type: str, document: Document) -> Document:
    body = json.dumps(document).encode()
    blobs[_named(body)] = body
    return {"mediaType": f"{_TYPE}.{media_type}", "digest": _digest(body), "size": len(body)}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _named(body: bytes) -> str:
    return f"blobs/sha256/{_digest(body)[7:]}"


# ── What else a version may bring ───────────────────────────────────────────────────────────────────────────────


def _pods(document: Document) -> Iterator[Document]:
    """The pod template's spec, where the document is the workload that serves."""
    if document["kind"] in ("Deployment", "DaemonSet") and document["metadata"]["name"] in WORKLOADS.values():
        yield document["spec"]["template"]["spec"]


def _container(**fields: Any) -> Change:
    def change(document: Document) -> None:
        for pod in _pods(document):
            pod["containers"][0] |= fields

    return change


def _argument(word: str) -> Change:
    def change(document: Document) -> None:
        for pod in _pods(document):
            pod["containers"][0]["args"] = [*pod["containers"][0]["args"], word]

    return change


def _wrong_port(document: Document) -> None:
    for pod in _pods(document):
        pod["containers"][0]["readinessProbe"]["httpGet"]["port"] = 8999


def _selects(document: Document) -> None:
    for pod in _pods(document):
        pod["nodeSelector"] = {"disk": "faster"}


def _other_volume(document: Document) -> None:
    """It mounts what nobody has made."""
    for pod in _pods(document):
        held = next(volume for volume in pod["volumes"] if {"secret", "configMap"} & set(volume))
        (kind,) = {"secret", "configMap"} & set(held)
        held[kind] = {{"secret": "secretName", "configMap": "name"}[kind]: "not-made"}


def _corefile(document: Document) -> None:
    if document["kind"] == "ConfigMap" and "Corefile" in (document.get("data") or {}):
        corefile = document["data"]["Corefile"]
        document["data"]["Corefile"] = corefile.replace("    errors\n", "    errors\n    federation\n", 1)


def _may_not(resource: str) -> Change:
    """A right is missing in the ClusterRole."""

    def change(document: Document) -> None:
        if document["kind"] == "ClusterRole":
            kept = [rule for rule in document.get("rules") or () if resource not in rule.get("resources", ())]
            document["rules"] = kept

    return change


def _converts(document: Document) -> None:
    """Constraint templates are converted by the new version, from now on."""
    if document["kind"] == "CustomResourceDefinition" and document["spec"]["names"]["kind"] == "ConstraintTemplate":
        service = {"name": "gatekeeper-webhook-service", "namespace": "gatekeeper-system", "path": "/convert"}
        webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
        document["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}


_MUCH = {"requests": {"cpu": "64", "memory": "40Mi"}}
_SERVFAIL_10, _SERVFAIL_20, _SERVFAIL_50 = (f"dns servfail {share} 0" for share in (0.1, 0.2, 0.5))
BADS = (
    # EKS
    Bad(what="an image that is not there", owner=EKS, addon=COREDNS, there=False),
    Bad(what="the binary exits", owner=EKS, addon=COREDNS, fault="exit"),
    Bad(what="never becomes ready", owner=EKS, addon=COREDNS, fault="dns unready"),
    Bad(what="SERVFAIL to 10 %", owner=EKS, addon=COREDNS, fault=_SERVFAIL_10),
    Bad(what="SERVFAIL to 20 %", owner=EKS, addon=COREDNS, fault=_SERVFAIL_20),
    Bad(what="SERVFAIL to all", owner=EKS, addon=COREDNS, fault="dns servfail 1 0"),
    Bad(what="answers after 2 s", owner=EKS, addon=COREDNS, fault="dns delay 1 0"),
    Bad(what="NXDOMAIN to all", owner=EKS, addon=COREDNS, fault="dns nxdomain 1 0"),
    Bad(what="a Corefile that it rejects", owner=EKS, addon=COREDNS, change=_corefile),
    Bad(what="SERVFAIL to 20 % after 20 s", owner=EKS, addon=COREDNS, fault="dns servfail 0.2 20", shows_s=20),
    Bad(what="crashes after 15 s", owner=EKS, addon=COREDNS, fault="crash 15", shows_s=15),
    Bad(what="leaks until it is OOM-killed", owner=EKS, addon=COREDNS, fault="leak 15"),
    Bad(what="EKS reports that it failed", owner=EKS, addon=COREDNS, reported=True),
    Bad(what="EKS gives up after 20 s", owner=EKS, addon=COREDNS, fault="dns unready", eks_waits_s=20),
    Bad(what="EKS is at work for 3 min", owner=EKS, addon=COREDNS, fault=_SERVFAIL_20, eks_works_s=180),
    Bad(what="an image that is not there", owner=EKS, addon=PROXY, there=False),
    Bad(what="exits on one node only", owner=EKS, addon=PROXY, fault="node node-1 exit"),
    Bad(what="drops the rules of one node", owner=EKS, addon=PROXY, fault="node node-1 flush 5", shows_s=5),
    Bad(what="answers empty lists", owner=EKS, addon=METRICS, fault="metrics empty"),
    Bad(what="answers with errors", owner=EKS, addon=METRICS, fault="metrics error"),
    Bad(what="answers of an hour ago", owner=EKS, addon=METRICS, fault="metrics stale"),
    Bad(what="its APIService is unavailable", owner=EKS, addon=METRICS, fault="metrics unavailable"),
    # Helm
    Bad(what="an image that is not there", owner=HELM, addon=GATEKEEPER, there=False),
    Bad(what="denies everything", owner=HELM, addon=GATEKEEPER, fault="webhook deny 0"),
    Bad(what="denies everything after 20 s", owner=HELM, addon=GATEKEEPER, fault="webhook deny 20", shows_s=20),
    Bad(what="reviews time out", owner=HELM, addon=GATEKEEPER, fault="webhook timeout 0"),
    Bad(what="answers reviews with errors", owner=HELM, addon=GATEKEEPER, fault="webhook error 0"),
    Bad(what="a wrong flag", owner=HELM, addon=GATEKEEPER, change=_argument("--no-such-flag")),
    # It is needed first when somebody makes a template: what can be told is that the role gave it up.
    Bad(what="a right is missing", owner=HELM, addon=GATEKEEPER, change=_may_not("customresourcedefinitions")),
    Bad(what="may not list what it watches", owner=HELM, addon=GATEKEEPER, change=_may_not("*")),
    Bad(what="a Secret that nobody made", owner=HELM, addon=GATEKEEPER, change=_other_volume),
    Bad(what="cannot be scheduled", owner=HELM, addon=GATEKEEPER, change=_container(resources=_MUCH)),
    # Manifests
    Bad(what="SERVFAIL to 50 %", owner=MANIFESTS, addon=COREDNS, fault=_SERVFAIL_50),
    Bad(what="drops 20 % of the queries", owner=MANIFESTS, addon=COREDNS, fault="dns drop 0.2 0"),
    Bad(what="readiness on a wrong port", owner=MANIFESTS, addon=COREDNS, change=_wrong_port),
    Bad(what="a ConfigMap that nobody made", owner=MANIFESTS, addon=COREDNS, change=_other_volume),
    Bad(what="a Corefile that it rejects", owner=MANIFESTS, addon=COREDNS, change=_corefile),
    Bad(what="selects a node that nobody has", owner=MANIFESTS, addon=COREDNS, change=_selects),
    Bad(what="a right is missing", owner=MANIFESTS, addon=METRICS, change=_may_not("nodes")),
    Bad(what="a wrong flag", owner=MANIFESTS, addon=METRICS, change=_argument("--no-such-flag")),
    Bad(what="denies everything", owner=MANIFESTS, addon=GATEKEEPER, fault="webhook deny 0"),
    Bad(
        what="its CRD cannot be converted",
        owner=MANIFESTS,
        addon=GATEKEEPER,
        fault="webhook allow 0",
        change=_converts,
        traffic="templates",
    ),
    Bad(what="exits on one node only", owner=MANIFESTS, addon=PROXY, fault="node node-1 exit"),
    # Argo CD
    Bad(what="an image that is not there", owner=ARGOCD, addon=COREDNS, there=False),
    Bad(what="SERVFAIL to 20 %", owner=ARGOCD, addon=COREDNS, fault=_SERVFAIL_20),
    Bad(what="crashes after 15 s", owner=ARGOCD, addon=COREDNS, fault="crash 15", shows_s=15),
    Bad(what="never becomes ready", owner=ARGOCD, addon=COREDNS, fault="dns unready"),
)
SOUND_VERSIONS = tuple(
    Bad(what="nothing is broken", owner=owner, addon=addon)
    for owner, addon in ((EKS, COREDNS), (EKS, PROXY), (EKS, METRICS), (HELM, GATEKEEPER), (ARGOCD, COREDNS))
)
"""For comparison."""
