"""Input that people already have: every form is read, what is broken is named, nothing crashes the scan."""

import base64
import gzip
import io
import json
import os
import tarfile
import time
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from addonctl.adapters import files, yaml_loader
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources import manifests, snapshot_file
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.inventory import take_inventory
from addonctl.model import Cluster, Gap, GapReason, Snapshot, View
from tests.builders import NOW, small_catalog

DECODER = Decoder(small_catalog())
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "coredns", "namespace": "kube-system"},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "coredns/coredns:v1.12.4"}]}}},
}


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
    text, forms = json.dumps(DEPLOYMENT), {}
    forms["one.json"] = text.encode()
    forms["list.json"] = json.dumps({"kind": "List", "items": [DEPLOYMENT]}).encode()
    forms["typed.json"] = json.dumps(
        {
            "kind": "DeploymentList",
            "apiVersion": "apps/v1",
            "items": [{"metadata": DEPLOYMENT["metadata"], "spec": DEPLOYMENT["spec"]}],
        }
    ).encode()
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
    path.write_text(
        f"kind: [\n---\n{json.dumps(DEPLOYMENT)}\n---\nkind: Pod\napiVersion: v1\nmetadata: 5\n---\njust text\n"
    )
    snapshot = read(path)
    assert len(snapshot.workloads) == 1
    lost = [(gap.reason, gap.place and gap.place.line, gap.place and gap.place.document) for gap in gaps_of(snapshot)]
    assert lost == [(GapReason.BROKEN, 1, 1), (GapReason.BROKEN, 5, 3)]
    assert "Pod" in broken(snapshot)
    assert snapshot.intake is not None
    assert snapshot.intake.not_kubernetes == {"texts": 1}


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


def gaps_of(snapshot: Snapshot) -> list[Gap]:
    return [gap for gap in snapshot.gaps if gap.part == "documents"]


def broken(snapshot: Snapshot) -> str:
    """What was lost, and why."""
    return "; ".join(f"{gap.place}: {gap.detail}" for gap in gaps_of(snapshot))


def test_one_file_that_cannot_be_read_costs_itself_by_name(tmp_path: Path) -> None:
    text = json.dumps(DEPLOYMENT)
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(text.encode())[:-20])
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    bundle(tmp_path / "cut.tgz")
    (tmp_path / "cut.tgz").write_bytes((tmp_path / "cut.tgz").read_bytes()[:-60])
    (tmp_path / "zipped.yaml").write_bytes(b"PK\x03\x04\x14\x00")
    os.mkfifo(tmp_path / "pipe.yaml")  # nobody writes to it: reading it would never end
    snapshot = read(tmp_path)
    assert "coredns" in {workload.name for workload in snapshot.workloads}
    assert all(name in broken(snapshot) for name in ("cut.json.gz: ", "gone.yaml: No such file", "cut.tgz: "))
    assert "zipped.yaml: File is not a zip file" in broken(snapshot)
    assert "pipe.yaml: it is not a regular file" in broken(snapshot)
    assert "a.json" not in broken(snapshot)


def test_a_string_that_is_no_utf_8_costs_its_object(tmp_path: Path) -> None:
    other = json.dumps(DEPLOYMENT).encode().replace(b'"coredns"', b'"caf\xe9"')
    path = tmp_path / "list.json"
    path.write_bytes(b'{"kind":"List","items":[' + json.dumps(DEPLOYMENT).encode() + b"," + other + b"]}")
    snapshot = read(path)
    assert [workload.name for workload in snapshot.workloads] == ["coredns"]
    assert "utf-8" in broken(snapshot)
    assert "caf" not in broken(snapshot)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = tmp_path / "powershell.json"
    path.write_bytes((mark + json.dumps(DEPLOYMENT)).encode(encoding))
    assert [workload.name for workload in read(path).workloads] == ["coredns"]


def test_reading_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "small.json.gz"
    path.write_bytes(gzip.compress(json.dumps(DEPLOYMENT).encode()))
    tracemalloc.start()
    try:
        read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_a_file_larger_than_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_FILE_MAX_BYTES", 1000)
    (tmp_path / "a.json").write_text(json.dumps(DEPLOYMENT))
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * 5_000_000))
    assert "bomb.json.gz: it is larger than" in broken(read(tmp_path))


def test_a_saved_snapshot_is_told_from_manifests(tmp_path: Path) -> None:
    path = tmp_path / "prod-eu-1.snap"
    snapshot_file.save(Snapshot(taken=NOW, cluster=Cluster(name="prod-eu-1")), path)
    with pytest.raises(BadInput, match="it is a saved snapshot; read it with --snapshot"):
        read(path)


def test_what_is_read_is_told_on_the_way(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(DEPLOYMENT))
    told: list[tuple[str, int, int]] = []
    manifests.read([str(tmp_path)], DECODER, taken=NOW, progress=lambda *now: told.append(now))
    assert [(Path(what).name, done, total) for what, done, total in told] == [
        ("a.json", 1, 0),
        ("b.json", 2, 0),
        ("", 1, 1),
    ]


def test_a_release_that_helm_keeps_in_a_config_map_is_read(tmp_path: Path) -> None:
    record = {"name": "cm", "namespace": "security", "version": 3, "info": {"status": "deployed"}}
    labels = {"owner": "helm", "name": "cm", "status": "deployed", "version": "3"}
    kept = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "sh.helm.release.v1.cm.v3", "namespace": "security", "labels": labels},
        "data": {"release": base64.b64encode(gzip.compress(json.dumps(record).encode())).decode()},
    }
    path = tmp_path / "release.json"
    path.write_text(json.dumps(kept))
    (release,) = read(path).helm_releases
    assert (release.namespace, release.name, release.revision, release.status) == ("security", "cm", 3, "deployed")


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


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {kind: Gadget, plural: gadgets}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:SCHEMA
    served: true
    storage: true
    subresources: {status: {}}
  - name: v1alpha1
    deprecated: true
"""


@pytest.mark.parametrize(
    "schema",
    [
        " {type: object}",
        "\n        type: object\n        description: |\n\n          served: false\n",
        "\n        type: object\n# a remark in the first column\n        description: gadgets",
        "\n        description: 'a text that goes on\n    where no other may'\n        type: object",
        "  # a remark\n        type: object",
        "\r\n        type: object\r\n",
    ],
)
def test_a_definition_is_the_same_however_its_schema_is_written(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "crd.yaml"
    path.write_bytes(CRD.replace("SCHEMA", schema).encode())
    (crd,) = read(path).crds
    assert (crd.name, crd.kind, broken(read(path))) == ("gadgets.example.com", "Gadget", "")
    assert [(each.name, each.storage, each.has_status, each.deprecated) for each in crd.versions] == [
        ("v1", True, True, False),
        ("v1alpha1", False, False, True),
    ]


def test_schemas_take_next_to_no_time(tmp_path: Path) -> None:
    path = tmp_path / "crd.yaml"
    path.write_text(CRD.replace("SCHEMA", "\n        properties:\n" + "          size: {type: string}\n" * 40_000))
    start = time.process_time()
    assert read(path).crds
    assert time.process_time() - start < 0.5  # parsed, they take some 3 s


def test_a_text_that_looks_like_a_schema_is_kept(tmp_path: Path) -> None:
    text = "openAPIV3Schema:\n  a: b\n"
    document = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"crd": text}}
    body = yaml.safe_dump(document, default_style="|").encode()
    assert yaml_loader.parse(body).value == document


def test_real_dumps_load_and_their_addons_are_found(shared_data: Path, catalog: Catalog) -> None:
    expected = {
        "hardeneks": {"aws-vpc-cni", "coredns", "cluster-autoscaler"},
        "nri-1.31": {"coredns", "kube-proxy"},
        "nri-1.32": {"coredns", "kube-proxy"},
        "nri-1.33": {"coredns", "kube-proxy"},
        "sonobuoy-results-0.9": {"kube-proxy"},
        "troubleshoot-supportbundle-baseline": {"coredns", "metrics-server"},
    }
    for path in sorted((shared_data / "clusters").iterdir()):
        snapshot = manifests.read([str(path)], Decoder(catalog), taken=NOW)
        found = {row.addon for row in take_inventory(View(snapshot), catalog).installations}
        wanted = next((addons for name, addons in expected.items() if path.name.startswith(name)), set())
        assert wanted <= found, path.name


# ── Fuzzing ─────────────────────────────────────────────────────────────────────────────────────────────────────

_LEAVES: Any = (
    *(None, True, 0, -1, 2**70, -(2**70), 1.5, "", " ", "a\x00b", "é\u2028", "\U0001f600", "'\"", "{{ x }}", "-"),
    *(":", "@", "/", "1e9Gi", "2024-01-02", [], {}, [None], [[]], {"a": {"b": [1]}}),
)
_WORDS = (
    *("metadata", "spec", "status", "name", "namespace", "labels", "annotations", "ownerReferences", "managedFields"),
    *("template", "containers", "image", "resources", "requests", "cpu", "memory", "replicas", "selector", "items"),
    *("matchLabels", "conditions", "webhooks", "rules", "clientConfig", "caBundle", "service", "versions", "group"),
    *("names", "data", "kind", "apiVersion", "creationTimestamp", "type", "provisioner", "capacity", "storage"),
    "release",
)


def odd(random: Random, depth: int = 4) -> Any:
    """A value as no API writes it: anything where anything else belongs, now and then far too long."""
    if depth == 0 or random.random() < 0.35:
        return random.choice(_LEAVES) if random.random() < 0.99 else "x" * 100_000
    if random.random() < 0.3:
        return [odd(random, depth - 1) for _ in range(random.randint(0, 3))]
    return {word: odd(random, depth - 1) for word in random.sample(_WORDS, random.randint(0, 5))}


@pytest.mark.parametrize("seed", range(10))
def test_odd_objects_never_crash_the_scan(seed: int) -> None:
    random = Random(seed)
    for kind in KINDS:
        check_odd(kind, {word: odd(random) for word in random.sample(_WORDS, random.randint(0, 6))})


def check_odd(kind: Any, fields: dict[str, Any]) -> None:
    api_version = f"{kind.group}/{kind.of.versions[0]}" if kind.group else kind.of.versions[0]
    document = {"metadata": {"name": "x"}, **fields, "kind": kind.kind, "apiVersion": api_version}
    collection = manifests.Collection(DECODER)
    body = json.dumps(document).encode()
    collection.add(File("fuzz.json", body=body))
    collection.add(File("fuzz.yaml", body=b"---\n" + body))
    take_inventory(View(collection.snapshot(Cluster(name="fuzz", source="files"), NOW)), small_catalog())


def test_a_file_in_a_folder_with_a_space_in_its_name_still_tells_the_kind_of_its_items(tmp_path: Path) -> None:
    folder = tmp_path / "of a bundle" / "deployments"
    folder.mkdir(parents=True)
    bare = {key: value for key, value in DEPLOYMENT.items() if key not in ("kind", "apiVersion")}
    (folder / "kube-system.json").write_text(json.dumps([bare]))
    assert [workload.name for workload in read(tmp_path).workloads] == ["coredns"]
