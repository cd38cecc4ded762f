"""Input that people already have: every form is read, what is broken is named, nothing crashes the scan."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addonctl.adapters.decoders import KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.inventory import take_inventory
from addonctl.model import Cluster, GapReason, Snapshot, View
from tests.builders import NOW, small_catalog

DECODER = Decoder(small_catalog())
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system"},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "coredns/coredns:v1.12.4"}]}}},
}  # fmt: skip


def read(*paths: Path) -> Snapshot:
    return manifests.read([str(path) for path in paths], DECODER, taken=NOW)


def bundle(path: Path) -> None:
    """A support bundle: lists named after what they hold, items without kind, the server's version in a file."""
    bare = {key: value for key, value in DEPLOYMENT.items() if key not in ("kind", "apiVersion")}
    members = {
        "bundle/cluster-resources/deployments/kube-system.json": [bare],
        "bundle/cluster-info/cluster_version.json": {"info": {"gitVersion": "v1.31.2"}},
        "bundle/resources/ns/default/Pods.json": {"items": []},
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, body in members.items():
            data = json.dumps(body).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def test_every_form_gives_the_same_installation(tmp_path: Path) -> None:
    import yaml

    text, forms = json.dumps(DEPLOYMENT), {}
    forms["one.json"] = text.encode()
    forms["list.json"] = json.dumps({"kind": "List", "items": [DEPLOYMENT]}).encode()
    forms["typed.json"] = json.dumps({"kind": "DeploymentList", "apiVersion": "apps/v1", "items": [
        {"metadata": DEPLOYMENT["metadata"], "spec": DEPLOYMENT["spec"]}]}).encode()  # fmt: skip
    forms["array.json"] = json.dumps([DEPLOYMENT]).encode()
    forms["many.yaml"] = f"# comment\n---\n---\n{yaml.safe_dump(DEPLOYMENT)}---\n".encode()
    forms["packed.yaml.gz"] = gzip.compress(yaml.safe_dump(DEPLOYMENT).encode())
    for name, body in forms.items():
        (tmp_path / name).write_bytes(body)
    bundle(tmp_path / "bundle.tar.gz")
    for path in sorted(tmp_path.iterdir()):
        rows = take_inventory(View(read(path)), small_catalog()).installations
        assert [(row.id, str(row.version)) for row in rows] == [("coredns/kube-system/coredns", "v1.12.4")], path.name
    assert read(tmp_path / "bundle.tar.gz").cluster.kubernetes == "v1.31.2"
    assert len(read(tmp_path).workloads) == len(forms) + 1


def test_broken_documents_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    path.write_text(f"a: [\n---\n{json.dumps(DEPLOYMENT)}\n---\nkind: Pod\nmetadata: 5\n---\njust text\n")
    snapshot = read(path)
    assert len(snapshot.workloads) == 1
    gap = snapshot.gap("documents")
    assert gap is not None
    assert gap.reason is GapReason.BROKEN
    assert all(f"document {number}" in gap.detail for number in (1, 4))
    assert "Pod" in gap.detail


def test_what_the_input_lacks_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(DEPLOYMENT))
    services = read(path).gap("services")
    assert services is not None
    assert services.reason is GapReason.NOT_IN_INPUT


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"hello: world", b"\x00\x01", b"[]", b"- 1", b'{"kind": "List", "items": []}']
)
def test_a_file_without_objects_is_an_error_with_a_fix(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(body)
    with pytest.raises(BadInput, match="no Kubernetes object") as error:
        read(path)
    assert error.value.fix


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml cannot be read: No such file"):
        read(tmp_path / "nowhere.yaml")


def test_numbers_where_yaml_meant_strings(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: 123\n  labels: {version: 1.10, on: yes, none: }\n"
        "  creationTimestamp: 2024-01-02T03:04:05Z\nspec: {replicas: '2', template: }\n"
    )
    (workload,) = read(path).workloads
    assert (workload.name, workload.labels["version"], workload.desired) == ("123", "1.1", 2)
    assert workload.created is not None


def test_real_dumps_load_and_their_addons_are_found(shared_data: Path, catalog: Catalog) -> None:
    expected = {
        "hardeneks": {"aws-vpc-cni", "coredns", "cluster-autoscaler"}, "nri-1.31": {"coredns", "kube-proxy"},
        "nri-1.32": {"coredns", "kube-proxy"}, "nri-1.33": {"coredns", "kube-proxy"},
        "sonobuoy-results-0.9": {"kube-proxy"},
        "troubleshoot-supportbundle-baseline": {"coredns", "metrics-server"},
    }  # fmt: skip
    for path in sorted((shared_data / "clusters").iterdir()):
        snapshot = manifests.read([str(path)], Decoder(catalog), taken=NOW)
        found = {row.addon for row in take_inventory(View(snapshot), catalog).installations}
        wanted = next((addons for name, addons in expected.items() if path.name.startswith(name)), set())
        assert wanted <= found, path.name


# ── Fuzzing ─────────────────────────────────────────────────────────────────────────────────────────────────────

_ODD: Any = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=30),
    st.just("x" * 100_000), st.just([]), st.just({}), st.just([None]), st.just({"a": {"b": [1]}}), st.just("1e9Gi"),
)  # fmt: skip
_WORDS = st.sampled_from(
    ["metadata", "spec", "status", "name", "namespace", "labels", "annotations", "ownerReferences", "managedFields",
     "template", "containers", "image", "resources", "requests", "cpu", "memory", "replicas", "selector", "matchLabels",
     "conditions", "webhooks", "rules", "clientConfig", "caBundle", "service", "versions", "group", "names", "data",
     "items", "kind", "apiVersion", "creationTimestamp", "type", "provisioner", "capacity", "storage", "release"]
)  # fmt: skip
_OBJECT: Any = st.recursive(
    _ODD, lambda inner: st.dictionaries(_WORDS, inner, max_size=5) | st.lists(inner, max_size=3), max_leaves=25
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(_WORDS, _OBJECT, max_size=6))
def test_odd_objects_never_crash_the_scan(kind: Any, fields: dict[str, Any]) -> None:
    api_version = f"{kind.group}/{kind.of.versions[0]}" if kind.group else kind.of.versions[0]
    document = {"metadata": {"name": "x"}, **fields, "kind": kind.kind, "apiVersion": api_version}
    collection = manifests.Collection(DECODER)
    collection.add_json(json.dumps(document).encode(), "fuzz")
    collection.add_yaml(json.dumps(document).encode(), "fuzz")
    take_inventory(View(collection.snapshot(Cluster(name="fuzz", source="files"), NOW)), small_catalog())
