"""How single kinds of Kubernetes become values of the model, where the rule is not plain from the code."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from addonctl import model
from addonctl.adapters.decoders import CONFIG_MAPS, KINDS, ca_expiry
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources.manifests import Collection
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from tests.builders import NOW

CNI = "602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:v1.22.4"


@pytest.fixture(scope="module")
def decoder(catalog: Catalog) -> Decoder:
    return Decoder(catalog)


def decoded(decoder: Decoder, kind: str, spec: Any = None, **more: Any) -> Any:
    entry = next(entry for entry in (*KINDS, CONFIG_MAPS) if entry.kind == kind)
    name = {"name": more.pop("name", "a"), "namespace": more.pop("namespace", "apps")}
    return decoder.one(entry, {"metadata": name, "spec": spec, **more})


# ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────


def template(*images: str, env: dict[str, str]) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    containers = [{"name": f"c{n}", "image": image, "env": variables} for n, image in enumerate(images)]
    return {"template": {"spec": {"containers": containers}}}


def test_variables_are_kept_on_workloads_of_their_addon_only(decoder: Decoder) -> None:
    env = {"WARM_IP_TARGET": "5", "ENABLE_POD_ENI": "maybe", "CLUSTER_ENDPOINT": "https://a:b@c.example.com", "X": "1"}
    kept = decoded(decoder, "DaemonSet", template(CNI, env=env))
    other = decoded(decoder, "DaemonSet", template("example.com/app:1", env=env))
    assert kept.template.containers[0].env == {"WARM_IP_TARGET": "5"}
    assert other.template.containers[0].env == {}


def test_of_a_config_map_only_the_declared_keys_are_kept(decoder: Decoder) -> None:
    data = {"cni-chaining-mode": "aws-cni", "kube-proxy-replacement": "hunter2", "etcd-config": "hunter2"}
    cilium = decoded(decoder, "ConfigMap", name="cilium-config", namespace="kube-system", data=data)
    argo = decoded(decoder, "ConfigMap", name="argocd-cm", namespace="argocd", data={"dex.config": "hunter2"})
    assert cilium.data == {"cni-chaining-mode": "aws-cni"}
    assert argo.data == {}
    assert decoded(decoder, "ConfigMap", name="mine", data=data) is None


# ── Placement ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_tolerations_are_read_with_the_defaults_of_kubernetes(decoder: Decoder) -> None:
    tolerations = [{"operator": "Exists"}, {"key": "gpu", "value": "a100", "effect": "NoSchedule"}]
    spec = {"template": {"spec": {"containers": [], "tolerations": tolerations}}}
    assert decoded(decoder, "Deployment", spec).template.tolerations == (
        model.Toleration(operator="Exists"),
        model.Toleration(key="gpu", operator="Equal", value="a100", effect="NoSchedule"),
    )
    assert decoded(decoder, "Deployment", {"template": {"spec": {}}}).template.tolerations == ()


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def asks(name: str, cpu: str, memory: str = "0", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu", "memory"),
    [
        ({"containers": [asks("a", "100m", "1Ki"), asks("b", "50m")]}, 150, 1024),
        ({"containers": [asks("a", "100m")], "initContainers": [asks("s", "500m", **SIDECAR)]}, 600, 0),
        ({"containers": [asks("a", "100m")], "initContainers": [asks("i", "700m", "5")]}, 700, 5),
        # beside an init container run the sidecars that stand before it, not those after
        (
            {
                "containers": [asks("a", "100m")],
                "initContainers": [asks("s", "200m", **SIDECAR), asks("i", "700m"), asks("t", "50m", **SIDECAR)],
            },
            900,
            0,
        ),
        (
            {
                "containers": [asks("a", "100m", "7")],
                "resources": {"requests": {"cpu": "1"}},
                "overhead": {"cpu": "250m", "memory": "3"},
            },
            1250,
            10,
        ),
    ],
)
def test_requests_are_counted_as_the_scheduler_counts_them(
    decoder: Decoder, spec: dict[str, Any], cpu: int, memory: int
) -> None:
    pod = decoded(decoder, "Pod", spec)
    assert (pod.cpu_request_millicores, pod.memory_request_bytes) == (cpu, memory)


def test_a_sidecar_is_a_container(decoder: Decoder) -> None:
    spec = {"containers": [asks("a", "1")], "initContainers": [asks("s", "1", **SIDECAR), asks("i", "1")]}
    killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": "a", "ready": True}],
        "initContainerStatuses": [
            {"name": "s", "ready": True, "restartCount": 9, "state": {"running": {}}, "lastState": killed},
            {"name": "i", "ready": True, "state": {"terminated": {"exitCode": 0}}},
        ],
    }
    pod = decoded(decoder, "Pod", spec, status=status)
    assert [(c.name, c.restarts, c.last_exit) for c in pod.containers] == [("a", 0, ""), ("s", 9, "OOMKilled")]


# ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spec", "desired"),
    [({}, 1), ({"completions": 3, "parallelism": 2}, 3), ({"parallelism": 4}, None), ({"completions": 0}, 0)],
)
def test_how_many_pods_of_a_job_must_succeed(decoder: Decoder, spec: dict[str, int], desired: int | None) -> None:
    for status in (None, {"succeeded": 1}):
        assert decoded(decoder, "Job", spec, status=status).desired == desired


@pytest.mark.parametrize(("given", "minimum"), [(None, 1), (0, 0), (2, 2)])
def test_an_autoscaler_may_go_down_to_none(decoder: Decoder, given: int | None, minimum: int) -> None:
    spec = {"minReplicas": given, "maxReplicas": 9}
    assert decoded(decoder, "HorizontalPodAutoscaler", spec).min_replicas == minimum


# ── Webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────


def certificate(end: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(end - timedelta(days=90)).not_valid_after(end)
    return dated.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_bundle_ends_with_the_last_of_its_certificates() -> None:
    """While a CA is rotated, the bundle holds the old and the new; either may vouch."""
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    for bundle in (certificate(old) + certificate(new), certificate(new) + certificate(old)):
        assert ca_expiry(base64.b64encode(bundle).decode()) == new


def test_of_a_webhooks_url_the_host_is_kept(decoder: Decoder) -> None:
    config = {"url": "https://u:hunter2@hooks.example.com:8443/tok3n?key=hunter2"}
    read = decoded(decoder, "ValidatingWebhookConfiguration", webhooks=[{"name": "w", "clientConfig": config}])
    assert read.webhooks[0].url_host == "hooks.example.com"


# ── Storage ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_storage_class_only_what_decides_price_and_speed_is_kept(decoder: Decoder) -> None:
    given = {"type": "gp3", "iops": "3000", "encrypted": "true", "kmsKeyId": "hunter2", "throughput": "hunter2"}
    read = decoded(decoder, "StorageClass", provisioner="ebs.csi.aws.com", parameters=given)
    assert read.parameters == {"type": "gp3", "iops": "3000", "encrypted": "true"}


# ── Argo CD ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_EKS_SERVER = "https://0A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D.gr7.eu-central-1.eks.amazonaws.com"


@pytest.mark.parametrize(
    ("destination", "read"),
    [
        ({}, ("", True)),
        ({"name": "in-cluster"}, ("in-cluster", True)),
        ({"server": "", "name": ""}, ("", True)),
        ({"name": "prod-eu-2"}, ("prod-eu-2", False)),
        ({"server": _EKS_SERVER}, (_EKS_SERVER, False)),
        ({"server": "https://me:hunter2@prod.example"}, ("https://prod.example", False)),
    ],
)
def test_where_an_application_deploys(decoder: Decoder, destination: dict[str, str], read: tuple[str, bool]) -> None:
    app = decoded(decoder, "Application", {"destination": destination})
    assert (app.destination, app.destination_in_cluster) == read


# ── Flux ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_chart_of_flux_is_read_though_its_chart_is_a_name(decoder: Decoder) -> None:
    spec = {"chart": "podinfo", "version": "6.*", "sourceRef": {"kind": "HelmRepository", "name": "podinfo"}}
    read = decoded(decoder, "HelmChart", spec)
    assert isinstance(read, model.FluxSource)
    assert read.kind == "HelmChart"


@pytest.mark.parametrize(
    ("name", "target", "release"),
    [
        ("podinfo", "", "podinfo"),
        ("podinfo", "web", "web-podinfo"),
        # from the tests of helm-controller
        (
            "name-with-very-long-name-which-is-longer-than-53-characters",
            "release",
            "release-name-with-very-long-name-which-i-788ca0d0d7b0",
        ),
        ("x" * 53, "", "x" * 53),
        ("x" * 54, "", "x" * 40 + "-" + hashlib.sha256(b"x" * 54).hexdigest()[:12]),
    ],
)
def test_flux_shortens_long_names_of_releases(decoder: Decoder, name: str, target: str, release: str) -> None:
    assert decoded(decoder, "HelmRelease", {"targetNamespace": target}, name=name).release == release


def test_a_release_in_the_cluster_of_a_kubeconfig_is_elsewhere(decoder: Decoder) -> None:
    assert decoded(decoder, "HelmRelease", {"kubeConfig": {"secretRef": {"name": "prod"}}}).elsewhere
    assert not decoded(decoder, "HelmRelease", {}).elsewhere


# ── YAML that unfolds ───────────────────────────────────────────────────────────────────────────────────────────


def bomb(levels: int) -> str:
    """A document of some hundred bytes whose aliases unfold to 9 ** levels values."""
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        f"kind: ConfigMap\napiVersion: v1\n{bomb(9)}\nmetadata: {{name: a, labels: {{x: *a9}}}}",
        f"kind: Ingress\napiVersion: v1\n{bomb(9)}\nmetadata: {{name: a}}\nspec: {{rules: *a9}}",
        "kind: Ingress\napiVersion: v1\nmetadata: {name: a}\nspec: &s {rules: [*s]}",
    ],
)
def test_a_document_that_unfolds_is_refused(decoder: Decoder, text: str) -> None:
    collection = Collection(decoder)
    collection.add(File("f.yaml", body=text.encode()))
    (gap,) = (gap for gap in collection.snapshot(model.Cluster(name="f"), NOW).gaps if gap.part == "documents")
    assert f"{gap.place}: {gap.detail}" == "f.yaml:1: it unfolds to more than 1000000 values"


def test_labels_shared_by_an_alias_are_read(decoder: Decoder) -> None:
    collection = Collection(decoder)
    text = "kind: Service\napiVersion: v1\nmetadata: {name: a, labels: &l {app: x}}\nspec: {selector: *l}"
    collection.add(File("f.yaml", body=text.encode()))
    (service,) = collection.snapshot(model.Cluster(name="f"), NOW).services
    assert (service.labels, service.selector) == ({"app": "x"}, {"app": "x"})


def test_a_label_is_a_text(decoder: Decoder) -> None:
    with pytest.raises(BadInput, match="a list or a mapping"):
        decoder.one(KINDS[0], {"metadata": {"name": "n", "labels": {"x": ["y"]}}})


# ── Times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "written", ["2026-01-01T02:30:00Z", "2026-01-01T08:00:00+05:30", "2026-01-01T02:30:00"], ids=["Z", "offset", "none"]
)
def test_times_are_in_utc(decoder: Decoder, written: Any) -> None:
    kind = next(entry for entry in KINDS if entry.kind == "Namespace")
    created = decoder.one(kind, {"metadata": {"name": "a", "creationTimestamp": written}}).created
    assert (created, created.tzinfo) == (datetime(2026, 1, 1, 2, 30, tzinfo=UTC), UTC)


# ── Volumes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spec", "handle"),
    [
        ({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0"}}, "vol-0123456789abcdef0"),
        ({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-0a1b2c3d::fsap-0a1b2c3d"}}, "fs-0a1b2c3d"),
        ({"awsElasticBlockStore": {"volumeID": "aws://eu-central-1a/vol-0a1b2c3d"}}, "vol-0a1b2c3d"),
        ({"csi": {"driver": "smb.csi.k8s.io", "volumeHandle": "//nas/share?user=a&password=hunter2"}}, ""),
        ({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-hunter2"}}, ""),
        ({"csi": {"driver": "ebs.csi.aws.com"}}, ""),
    ],
)
def test_of_a_volumes_handle_only_what_aws_names_so_is_kept(decoder: Decoder, spec: Any, handle: str) -> None:
    assert decoded(decoder, "PersistentVolume", spec).handle == handle


def test_a_volume_that_kubernetes_itself_made_on_ebs_has_the_name_of_its_provisioner(decoder: Decoder) -> None:
    spec = {"awsElasticBlockStore": {"volumeID": "aws://eu-central-1a/vol-0a1b2c3d"}}
    assert decoded(decoder, "PersistentVolume", spec).driver == "kubernetes.io/aws-ebs"
