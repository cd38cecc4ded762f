"""The canaries of tests/canaries.py in a real cluster: what is read of it, reported, logged and saved shows none."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.canaries import CONFIG_MAPS, leaks, planted
from tests.cluster.cluster import Cluster

# As the program runs, in a process that logs whatever any library says.
_LOUD = (
    "import logging, sys; logging.basicConfig(level=logging.DEBUG); sys.argv[0] = 'addonctl';"
    "from addonctl.apps.cli import main; main()"
)
_NAMESPACES = ("apps", "argocd", "flux", "istio-system")
_CRDS = (
    ("argoproj.io", "v1alpha1", "Application", "applications"),
    ("cert-manager.io", "v1", "Certificate", "certificates"),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
    ("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"),
    ("source.toolkit.fluxcd.io", "v1", "HelmRepository", "helmrepositories"),
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories"),
    ("source.toolkit.fluxcd.io", "v1", "Bucket", "buckets"),
)


def _crd(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    """A CRD that takes anything, with a status of its own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


def _wanted() -> list[dict[str, Any]]:
    """What a cluster takes of it. Nobody schedules the pods, so that what stands in their status stays."""
    items = [item for item in planted() if item["kind"] != "APIService"]  # one without a backend hurts discovery
    for item in items:
        template = item["spec"]["template"] if item["kind"] in ("Deployment", "DaemonSet") else item
        if item["kind"] in ("Deployment", "DaemonSet", "Pod"):
            template["spec"]["schedulerName"] = "nobody"
    return items


def _apply(cluster: Cluster, items: list[dict[str, Any]]) -> None:
    """Object by object: the API server refuses some, such as webhooks whose URL holds a password."""
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    strict = "--validate=false"  # a status as it was read, which is no whole one
    cluster.kubectl("apply", "--server-side", "--force-conflicts", strict, "-f", "-", stdin=body, check=False)


def _with_status(cluster: Cluster, item: dict[str, Any]) -> None:
    meta = item["metadata"]
    group, _, version = item["apiVersion"].rpartition("/")
    name = f"{item['kind']}.{version}.{group}/{meta['name']}" if group else f"{item['kind']}/{meta['name']}"
    patch = json.dumps({"status": item["status"]})
    where = ("-n", meta["namespace"]) if "namespace" in meta else ()
    cluster.kubectl("patch", name, *where, "--subresource=status", "--type=merge", "-p", patch, check=False)


@pytest.fixture(scope="module")
def full(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the canaries in it; afterwards it is as it was before."""
    before = {name: _config_map(cluster, name) for name in CONFIG_MAPS}
    crds, items = [_crd(*crd) for crd in _CRDS], _wanted()
    for namespace in _NAMESPACES:
        cluster.kubectl("create", "namespace", namespace, check=False)
    _apply(cluster, crds)
    for crd in crds:
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=60s")
    _apply(cluster, items)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: _with_status(cluster, item), [item for item in items if "status" in item]))
    yield cluster
    for name, body in before.items():
        _put_back(cluster, name, body)
    cluster.kubectl("delete", "namespace", *_NAMESPACES, "--wait=false", check=False)
    cluster.kubectl("delete", "crd", *(crd["metadata"]["name"] for crd in crds), "--wait=false", check=False)
    cluster.kubectl("delete", "validatingwebhookconfiguration/w", "storageclass/s", check=False)


def _config_map(cluster: Cluster, name: str) -> dict[str, Any] | None:
    namespace, _, short = name.partition("/")
    found = cluster.kubectl("-n", namespace, "get", "configmap", short, "--ignore-not-found", "-o", "json", check=False)
    return json.loads(found) if found.strip() else None


def _put_back(cluster: Cluster, name: str, body: dict[str, Any] | None) -> None:
    namespace, _, short = name.partition("/")
    if body is None:
        cluster.kubectl("-n", namespace, "delete", "configmap", short, "--ignore-not-found", check=False)
        return
    kept = {key: body["metadata"][key] for key in ("name", "namespace", "labels") if key in body["metadata"]}
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps({**body, "metadata": kept}))


def _loud(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _LOUD, *arguments, "--kubeconfig", str(cluster.kubeconfig)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_canaries_are_in_the_cluster(full: Cluster) -> None:
    """Else nothing below proves anything."""
    for what in (
        "pods -n apps",
        "events -n apps",
        "configmaps -n kube-system",
        "secrets -n apps",
        "deploy -n apps",
        "applications.argoproj.io -n argocd",
        "helmreleases.helm.toolkit.fluxcd.io -n flux",
        "certificates.cert-manager.io -n apps",
        "storageclass s",
        "serviceaccounts -n apps",
    ):
        assert leaks(full.kubectl("get", *what.split(), "-o", "json")), what


def test_a_snapshot_holds_no_canary(full: Cluster, tmp_path: Path) -> None:
    saved = tmp_path / "cluster.json.gz"
    done = _loud(full, "snapshot", "save", str(saved))
    assert done.returncode == 0, done.stderr[-2000:]
    snapshot = gzip.decompress(saved.read_bytes()).decode()
    assert leaks(snapshot) == []
    read = json.loads(snapshot)
    assert {pod["name"] for pod in read["pods"]} >= {"dns-0", "dns-1"}
    assert any(pod["containers"][0]["waits_for"] for pod in read["pods"] if pod["name"].startswith("dns-"))
    assert [release["name"] for release in read["helm_releases"]] == ["dns"]
    assert read["applications"]
    assert read["flux_sources"]
    assert "DEBUG:" in done.stderr
    assert leaks(done.stderr) == []


@pytest.mark.parametrize(
    "command",
    [
        *(["analyze", "-o", form] for form in ("table", "wide", "json", "yaml", "markdown", "html", "sarif", "junit")),
        *([name, "-o", "json"] for name in ("inventory", "findings", "health", "deps", "compat")),
        ["deps", "-o", "dot"],
        ["health", "--probe", "-o", "json"],
    ],
    ids=" ".join,
)
def test_no_report_and_no_log_shows_a_canary(full: Cluster, command: list[str]) -> None:
    done = _loud(full, *command)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout) > 100
    assert leaks(done.stdout) == []
    assert leaks(done.stderr) == []
