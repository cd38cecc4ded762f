"""Files as people have them: each document is in its bucket, with its place, and nothing is read as something else."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addonctl.adapters import files, texts
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources import manifests
from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.inventory import take_inventory
from addonctl.model import Cluster, Gap, GapReason, Place, Renderer, Snapshot, View
from tests.builders import NOW, small_catalog

DECODER = Decoder(small_catalog())
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: web}\n"


def read(folder: Path, **files: str) -> Snapshot:
    """The snapshot of files by name, `__` for a dot and `_in_` for a folder."""
    for name, text in files.items():
        path = folder / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return manifests.read([str(folder)], DECODER, taken=NOW)


def taken(body: str | bytes, name: str = "x.yaml") -> Snapshot:
    """What one file holds."""
    collection = manifests.Collection(DECODER)
    collection.add(File(name, body=body.encode() if isinstance(body, str) else body))
    return collection.snapshot(Cluster(name="files", source="files"), NOW)


def lost(snapshot: Snapshot) -> list[Gap]:
    return [gap for gap in snapshot.gaps if gap.reason is GapReason.BROKEN]


def lost_one(body: str) -> str:
    (gap,) = lost(taken(body))
    return f"{gap.place}: {gap.detail}"


def others(body: str | bytes, name: str = "x.yaml") -> dict[str, int]:
    snapshot = taken(body, name)
    assert snapshot.intake is not None
    assert not lost(snapshot)
    assert not snapshot.intake.objects
    return dict(snapshot.intake.not_kubernetes)


# ── Read ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (POD, [1]),
        (f"# one\n---\n{POD}---\n# two\n\n{POD}", [3, 9]),
        ('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}\n' * 2, [1, 2]),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}}", [1]),
        ('log\n{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}\n', [2]),
        ("kind: PodList\napiVersion: v1\nitems:\n- metadata: {name: a}\n\n- metadata: {name: b}\n", [4, 6]),
        (
            '{"kind": "PodList", "apiVersion": "v1", "items": [\n{"metadata": {"name": "a"}},\n'
            '{"metadata": {"name": "b"}}]}',
            [2, 3],
        ),
        (
            '{"kind":"List","apiVersion":"v1","items":[{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}]}',
            [1],
        ),
        (f"%YAML 1.2\n---\n{POD}...\n", [3]),
        (f"x: &a 1\ny: &a 2\n{POD}", [1]),
        (
            f"{POD}spec: {{hostname: ***HIDDEN***}}\n".replace(
                "{hostname: ***HIDDEN***}", "\n  hostname: ***HIDDEN***"
            ),
            [1],
        ),
        (f"{POD}spec: {{nodeName: !Ref Node}}\n", [1]),
    ],
)
def test_objects_are_read_with_their_lines(body: str, lines: list[int]) -> None:
    snapshot = taken(body)
    assert not lost(snapshot)
    assert [pod.place and pod.place.line for pod in snapshot.pods] == lines


def test_logs_between_lists_are_not_read_even_if_they_are_json() -> None:
    empty = '{"kind": "PodList", "apiVersion": "v1", "items": null}\n'
    log = (
        '==== START logs for container c of pod web/a ====\n{"kind":"Pod","apiVersion":"v1","metadata":{"name":"no"}}\n'
    )
    snapshot = taken(
        f'{empty}{log}==== END logs for container c of pod web/a ====\n{{"kind": "ServiceList", "items": []}}\n'
    )
    assert snapshot.pods == ()
    assert not lost(snapshot)
    assert snapshot.gap("pods") is None
    assert snapshot.gap("services") is None


def test_ports_are_no_numbers_to_base_60() -> None:
    (document,) = texts.documents(b"a: 22:22\nb: 1:30:00\nc: 190:20:30.15\n")
    assert isinstance(document, texts.Yaml)
    assert document.parsed.value == {"a": "22:22", "b": "1:30:00", "c": "190:20:30.15"}


def test_a_field_that_cannot_be_read_costs_itself() -> None:
    claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\n"
    snapshot = taken(f"{claim}spec: {{resources: {{requests: {{storage: '${{SIZE}}'}}}}, storageClassName: gp3}}\n")
    assert [(each.storage_class, each.requested_bytes) for each in snapshot.volume_claims] == [("gp3", 0)]
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: '${REPLICAS}', paused: true}\n"
    )
    snapshot = taken(deployment)
    assert [(each.paused, each.desired) for each in snapshot.workloads] == [(True, 1)]
    assert snapshot.intake is not None
    assert snapshot.intake.fields_lost == 1
    assert not lost(snapshot)


# ── Lost ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Kind: Pod\napiVersion: v1\nmetadata: {name: a}\n", "x.yaml:1: it has no kind, but 'Kind'"),
        ("kind: Pod\napiversion: v1\nmetadata: {name: a}\n", "x.yaml:1: it has no apiVersion, but 'apiversion'"),
        ("kind: Pod\nmetadata: {name: a}\n", "x.yaml:1: a Pod has no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "x.yaml:1: it has no kind"),
        (
            "kind: pods\napiVersion: v1\nmetadata: {name: a}\n",
            "x.yaml:1: kind 'pods' is none of Kubernetes, but Pod is",
        ),
        ("kind: Pod\napiVersion: 'v1 '\nmetadata: {name: a}\n", "x.yaml:1: apiVersion 'v1 ' is none of Kubernetes"),
        (f"<<<<<<< HEAD\n{POD}=======\n>>>>>>> other\n", "x.yaml:1: it has the markers of a merge conflict"),
        (
            "version https://git-lfs.github.com/spec/v1\noid x\n",
            "x.yaml: it is a pointer of Git LFS, not the file: `git lfs pull`",
        ),
        (
            "kind: Pod\nmetadata:\n  name: a\n   b: c\n",
            "x.yaml:1: line 4: mapping values are not allowed in this context",
        ),
        ("kind: Pod\napiVersion: v1\nspec: {}\n", "x.yaml:1: a Pod has no metadata"),
    ],
)
def test_what_was_meant_as_an_object_is_named(body: str, said: str) -> None:
    assert lost_one(body) == said


def test_a_key_that_is_there_twice_is_named_with_its_line() -> None:
    assert lost_one(f"{POD}spec:\n  nodeName: a\n  nodeName: b\n") == (
        "x.yaml:6: the key 'nodeName' is there twice, and the last one counts"
    )
    assert others("a: 1\na: 2\n")


# ── Not Kubernetes, and templates ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "replicaCount: 1\nimage: {tag: x}\n",
        "- op: replace\n  path: /spec\n",
        "just text\n",
        "a: [\n",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nmetadata: {name: x}\n",
        "kind: pipeline\ntype: docker\nname: default\n",
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n",
        '[{"name": "apps", "versions": []}]',
        "a\0b",
    ],
)
def test_what_is_no_object_is_counted_and_no_error(body: str) -> None:
    assert sum(others(body).values()) == 1


@pytest.mark.parametrize(
    "body",
    [
        "{{- if .Values.on }}\nkind: Pod\napiVersion: v1\nmetadata:\n  name: {{ .Release.Name }}\n{{- end }}\n",
        "kind: Pod\napiVersion: v1\nmetadata: {name: '{{ .Release.Name }}'}\n",
        "{% if x %}\nkind: Pod\napiVersion: v1\n{% endif %}\n",
    ],
)
def test_templates_are_counted_as_such(body: str) -> None:
    snapshot = taken(body)
    assert snapshot.intake is not None
    assert [(each.renderer, each.count) for each in snapshot.intake.unrendered] == [(Renderer.OTHER, 1)]
    assert not lost(snapshot)
    assert snapshot.gap("templates") is not None


def test_the_templates_of_a_chart_are_rendered_by_helm(tmp_path: Path) -> None:
    snapshot = read(tmp_path, **{"c_in_Chart__yaml": "name: c\n", "c_in_templates_in_a__yaml": POD, "b__yaml": POD})
    assert snapshot.intake is not None
    assert [(each.renderer, each.folder) for each in snapshot.intake.unrendered] == [(Renderer.HELM, f"{tmp_path}/c")]
    assert len(snapshot.pods) == 1


def test_patches_are_no_objects_and_the_folder_is_to_be_built(tmp_path: Path) -> None:
    base = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [pod.yaml]\n"
    overlay = "resources: [../base]\npatches:\n- path: change.yaml\n"
    snapshot = read(
        tmp_path,
        **{"base_in_kustomization__yaml": base, "base_in_pod__yaml": POD},
        **{"over_in_kustomization__yaml": overlay, "over_in_change__yaml": f"{POD}spec: {{nodeName: x}}\n"},
    )
    assert snapshot.intake is not None
    assert [pod.node for pod in snapshot.pods] == [""]
    assert [(each.renderer, each.folder) for each in snapshot.intake.unrendered] == [
        (Renderer.KUSTOMIZE, f"{tmp_path}/over")
    ]
    assert snapshot.gap("kustomizations") is not None


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def tar(packed: Any) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        entry = tarfile.TarInfo("in/pod.yaml")
        entry.size = len(POD)
        archive.addfile(entry, io.BytesIO(POD.encode()))
    return bytes(packed(body.getvalue()))


def zipped() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("in/pod.yaml", POD)
    return body.getvalue()


@pytest.mark.parametrize("name", ["a.tar", "a.zip", "a.yaml", "nothing"])
@pytest.mark.parametrize(
    "body", [zipped(), *(tar(packed) for packed in (bytes, gzip.compress, bz2.compress, lzma.compress))]
)
def test_an_archive_is_told_by_its_content(tmp_path: Path, name: str, body: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    (pod,) = manifests.read([str(path)], DECODER, taken=NOW).pods
    assert pod.place == Place(str(path), "in/pod.yaml", 1)


def test_hidden_and_vendored_folders_are_passed_over_and_counted(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        **{"a__YAML": POD, "__git_in_b__yaml": POD, "node_modules_in_c__yaml": POD, "readme__md": "x", "__d__yml": POD},
    )
    assert snapshot.intake is not None
    assert len(snapshot.pods) == 1
    assert snapshot.intake.passed_over == {
        "hidden folders": 1,
        "vendored folders": 1,
        "hidden files": 1,
        "other files": 1,
    }


def test_a_file_of_4_gib_and_a_bomb_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    with (tmp_path / "large.yaml").open("wb") as handle:
        handle.truncate(4 << 30)
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * (64 << 20)))
    said = [gap.detail for gap in lost(manifests.read([str(tmp_path)], DECODER, taken=NOW))]
    assert said == ["it unpacks to more than 200 times its size", "it is larger than 2 GiB"]


def test_an_address_without_tls_is_not_fetched() -> None:
    with pytest.raises(BadInput, match="is not fetched: it is not https"):
        list(files.files(["http://127.0.0.1:9/a.yaml"]))


# ── Answers of command lines ────────────────────────────────────────────────────────────────────────────────────────


def test_answers_of_aws_are_records_like_those_read_live() -> None:
    answers = (
        {"cluster": {"name": "demo", "version": "1.33", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/demo"}},
        {"addons": ["coredns", "kube-proxy"]},
        {
            "addon": {
                "addonName": "coredns",
                "clusterName": "demo",
                "addonVersion": "v1.11.3-eksbuild.1",
                "status": "ACTIVE",
            }
        },
        {"addon": {"addonName": "vpc-cni", "clusterName": "other", "addonVersion": "v1.19.0-eksbuild.1"}},
        {"nodegroup": {"nodegroupName": "main", "clusterName": "demo", "status": "DEGRADED"}},
        {"Subnets": [{"SubnetId": "subnet-1", "AvailableIpAddressCount": 0}]},
    )
    snapshot = taken("\n".join(map(json.dumps, answers)), "answers.json")
    assert snapshot.eks is not None
    assert (snapshot.eks.cluster.name, snapshot.eks.cluster.region) == ("demo", "eu-west-1")
    assert [(each.name, each.version) for each in snapshot.eks.addons] == [
        ("coredns", "v1.11.3-eksbuild.1"),
        ("kube-proxy", ""),
    ]
    assert [(each.name, each.status) for each in snapshot.eks.node_groups] == [("main", "DEGRADED")]
    assert [each.free_addresses for each in snapshot.eks.subnets] == [0]
    assert snapshot.gap("ec2:subnets") is None
    assert snapshot.gap("eks:node_groups") is not None


def test_rows_of_helm_are_releases() -> None:
    row = {"name": "cm", "namespace": "security", "revision": "3", "updated": "2026-01-02 03:04:05.678901234 +0000 UTC"}
    row |= {"status": "failed", "chart": "cert-manager-v1.14.4", "app_version": "v1.14.4"}
    history = [
        {key: value for key, value in row.items() if key not in ("name", "namespace")}
        | {"revision": 2, "status": "deployed"}
    ]
    (release,) = taken(f"{json.dumps([row])}\n{json.dumps(history)}").helm_releases
    assert (release.name, release.namespace, release.chart, release.chart_version) == (
        "cm",
        "security",
        "cert-manager",
        "v1.14.4",
    )
    assert (release.revision, release.status, release.deployed_revision) == (3, "failed", 2)
    assert release.updated is not None


# ── What is said of it ──────────────────────────────────────────────────────────────────────────────────────────────

LEASE = """apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: a, namespace: web, uid: l-1, creationTimestamp: 2026-11-20T10:00:00Z}
spec: {holderIdentity: a-1, renewTime: 2026-11-20T12:00:00.000000Z}
"""


def test_a_dump_is_judged_by_its_newest_time_and_manifests_by_now(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{LEASE}---\n{POD}")
    when = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert manifests.read([str(path)], DECODER, taken=NOW).taken == min(when, NOW)
    asked = datetime(2026, 1, 1, tzinfo=UTC)
    assert manifests.read([str(path)], DECODER, taken=NOW, as_of=asked).taken == asked
    path.write_text(POD)
    assert manifests.read([str(path)], DECODER, taken=NOW).taken == NOW


def codes(catalog: Catalog, body: str) -> dict[str, Assessment]:
    """The codes found in a text."""
    view = View(taken(body))
    found = assess(view, take_inventory(view, catalog), catalog, day=NOW.date())
    return {each.code: found for each in found.findings}


def deployment(image: str) -> str:
    container = f"{{containers: [{{name: a, image: '{image}'}}]}}"
    meta = "{name: karpenter, namespace: kube-system}"
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {meta}\nspec: {{template: {{spec: {container}}}}}\n"


def test_custom_resources_in_a_version_that_is_not_served_any_more_are_found(catalog: Catalog) -> None:
    pool = "apiVersion: karpenter.sh/v1beta1\nkind: NodePool\nmetadata: {name: default}\n"
    installed = deployment("public.ecr.aws/karpenter/controller:1.5.0")
    assert "CRD003" in codes(catalog, f"{pool}---\n{installed}")
    assert "CRD003" not in codes(catalog, f"{pool.replace('v1beta1', 'v1')}---\n{installed}")
    gone = "apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: default}\n"
    assert "CRD003" in codes(catalog, f"{gone}---\n{installed}")
    assert "CRD003" not in codes(catalog, f"{pool}---\n{deployment('public.ecr.aws/karpenter/controller:0.37.0')}")


def test_an_add_on_in_two_folders_with_other_content_is_said_with_both(tmp_path: Path, catalog: Catalog) -> None:
    texts = {
        f"{env}_in_a__yaml": deployment(f"public.ecr.aws/karpenter/controller:{v}") for env, v in (("a", 1), ("b", 2))
    }
    view = View(read(tmp_path, **texts))
    found = assess(view, take_inventory(view, catalog), catalog, day=NOW.date())
    (several,) = (each for each in found.findings if each.code == "INV009")
    assert [each.detail[-2:] for each in several.evidence] == [":1", ":2"]
    assert [str(place) for place in found.places(several)] == [f"{tmp_path}/a/a.yaml:1", f"{tmp_path}/b/a.yaml:1"]


# ── Anything at all ─────────────────────────────────────────────────────────────────────────────────────────────────

_KEYS = st.sampled_from(
    ("kind", "apiVersion", "metadata", "items", "spec", "name", "addon", "Kind", "info", "gitVersion")
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(("v1", "Pod", "List", "PodList", "{{ x }}"))
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=15
)
_QUIET = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)


@_QUIET
@given(_VALUES)
def test_the_same_value_is_in_the_same_bucket_as_json_and_as_yaml(value: Any) -> None:
    as_json, as_yaml = taken(json.dumps(value)), taken(yaml.safe_dump(value))
    assert [pod.name for pod in as_json.pods] == [pod.name for pod in as_yaml.pods]
    assert as_json.intake is not None
    assert as_yaml.intake is not None
    assert as_json.intake.kinds == as_yaml.intake.kinds
    assert len(lost(as_json)) == len(lost(as_yaml))


@_QUIET
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_are_a_crash_or_an_object_by_chance(body: bytes) -> None:
    snapshot = taken(body)
    assert snapshot.intake is not None
    assert not snapshot.intake.objects or b"kind" in body


@_QUIET
@given(st.integers(0, 200), st.sampled_from(("", "{{", "\t", ": ", "- ", "'", "&a ", "*a ", "\x00", "}", "\n---\n")))
def test_a_damaged_document_costs_itself_only(at: int, noise: str) -> None:
    document = json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b"}, "spec": {"replicas": 2}}, indent=1
    )
    body = f"{POD}---\n{document[:at]}{noise}{document[at + 3 :]}\n---\n{POD.replace('name: a', 'name: c')}"
    names = [pod.name for pod in taken(body).pods]
    assert noise == "\x00" or names == ["a", "c"]
