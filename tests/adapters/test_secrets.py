"""No secret gets out: canaries are planted wherever one can hide, then files, reports and errors are searched."""

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import helm, redact
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests, snapshot_file
from addonctl.catalog import Catalog
from tests.builders import NOW

CANARY = "s3cr3t-canary-7f3a"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
IMAGE = "registry.k8s.io/coredns/coredns:v1.12.4"


def helm_secret() -> dict[str, Any]:
    values = {"auth": {"password": CANARY}, "note": CANARY, "list": [CANARY], "apiKey": 12345678}
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  p: {CANARY}\n"
    release = {
        "name": "dns", "namespace": "apps", "version": 3, "config": values, "manifest": manifest,
        "info": {"status": "deployed", "notes": CANARY}, "chart": {"metadata": {"name": "coredns", "version": "1.43.2"},
                                                                  "values": {"password": CANARY}},
    }  # fmt: skip
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.dns.v3", "namespace": "apps", "labels": {"owner": "helm"}},
        "data": {"release": base64.b64encode(packed).decode()},
    }  # fmt: skip


def planted() -> list[dict[str, Any]]:
    """A cluster in which every free field holds a canary."""
    env = [{"name": "PASSWORD", "value": CANARY}, {"name": "WARM_IP_TARGET", "value": "5"}]
    container = {"name": "dns", "image": IMAGE, "env": env, "args": [f"--token={CANARY}"], "command": [CANARY]}
    notes = {"example.com/token": CANARY, "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "data": CANARY})}  # fmt: skip
    meta = {"name": "dns", "namespace": "apps", "annotations": notes}
    status = [{"type": "Available", "status": "False", "message": f"password={CANARY} was refused, bearer {JWT}"}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
         "spec": {"template": {"spec": {"containers": [container]}}}, "status": {"conditions": status}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain", "namespace": "apps"},
         "data": {"password": base64.b64encode(CANARY.encode()).decode()}, "stringData": {"p": CANARY}},
        helm_secret(),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "apps"},
         "data": {"x": CANARY}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"},
         "data": {"Corefile": f". {{\n  token: {CANARY}\n}}"}},
        {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "apps"}, "type": "Warning",
         "reason": "Failed", "message": f"login failed: password: {CANARY}",
         "involvedObject": {"kind": "Pod", "name": "dns", "namespace": "apps"}},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a", "namespace": "argocd"},
         "spec": {"source": {"repoURL": f"https://me:{CANARY}@git.example.com/r?token={CANARY}",
                             "helm": {"values": CANARY}}}},
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "h", "namespace": "f"},
         "spec": {"values": {"password": CANARY}}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
         "metadata": {"name": "w"}, "webhooks": [{"name": "w", "clientConfig": {
             "url": f"https://u:{CANARY}@hook.example.com/p?key={CANARY}"}}]},
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "s"}, "provisioner": "p",
         "parameters": {"adminSecret": f"secret={CANARY}"}},
        {"apiVersion": "example.com/v1", "kind": "Vault", "metadata": {"name": "v", "namespace": "apps"},
         "spec": {"password": CANARY, "image": {"token": CANARY}, "suspend": CANARY},
         "status": {"conditions": status, "phase": "Failed", "message": f"token: {CANARY}", "error": {"x": CANARY},
                    "secret": CANARY}},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "broken", "labels": CANARY}},
    ]  # fmt: skip


def test_a_snapshot_holds_no_canary(tmp_path: Path, catalog: Catalog) -> None:
    source = tmp_path / "dump.json"
    source.write_text(json.dumps({"kind": "List", "items": planted()}))
    snapshot = manifests.read([str(source)], Decoder(catalog), taken=NOW, name="prod-eu-1")
    text = snapshot_file.encode(snapshot).decode()
    for secret in (CANARY, base64.b64encode(CANARY.encode()).decode(), JWT, "12345678"):
        assert secret not in text
    assert snapshot.workloads[0].template.containers[0].env == {}
    assert snapshot.helm_releases[0].chart_version == "1.43.2"


@pytest.mark.parametrize(
    "command",
    [
        ["analyze"],
        ["analyze", "-o", "json"],
        ["analyze", "-o", "html"],
        ["analyze", "-o", "sarif"],
        ["inventory", "-o", "wide"],
        ["inventory", "-o", "yaml"],
        ["health", "-o", "json"],
        ["deps", "-o", "json"],
    ],
)
def test_no_report_shows_a_canary(tmp_path: Path, command: list[str]) -> None:
    source = tmp_path / "dump.json"
    source.write_text(json.dumps({"kind": "List", "items": planted()}))
    done = subprocess.run(
        [sys.executable, "-m", "addonctl", *command, "-f", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_errors_show_no_credential_of_a_kubeconfig(tmp_path: Path) -> None:
    """A plugin that fails, and a server that is not there."""
    failing = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
               "args": ["-c", f"import sys; sys.exit('token={CANARY}')"]}  # fmt: skip
    for user in ({"token": CANARY}, {"exec": failing}):
        path = tmp_path / "config"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }))  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "addonctl", "analyze", "--kubeconfig", str(path)], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "Fix:" in done.stderr
        assert CANARY not in done.stdout + done.stderr


@given(
    st.recursive(
        st.text(min_size=13) | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_no_free_string_survives_redaction(values: Any) -> None:
    """Whatever the shape: keys stay, long strings do not."""

    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in strings(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in strings(inner)]
        return [value] if isinstance(value, str) else []

    for text in strings(redact.settings(values)):
        assert text == redact.REDACTED or len(text) < 40


@given(st.binary(max_size=400))
def test_a_corrupt_release_record_is_an_error_not_a_crash(body: bytes) -> None:
    from addonctl.errors import BadInput

    for encoded in (body, base64.b64encode(body), base64.b64encode(gzip.compress(body))):
        with pytest.raises(BadInput):
            helm.release_from_secret_data(encoded, namespace="apps")


def test_all_formats_of_a_release_record_are_read() -> None:
    record = msgspec.json.encode({"name": "dns", "namespace": "apps", "version": 2})
    stored = (base64.b64encode(gzip.compress(record)), base64.b64encode(record))
    for once in stored:  # in a ConfigMap as Helm stored it; in a Secret Kubernetes encodes it once more
        for encoded in (once, base64.b64encode(once)):
            assert helm.release_from_secret_data(encoded, namespace="x").revision == 2


def test_a_bomb_is_refused() -> None:
    from addonctl.errors import BadInput

    bomb = base64.b64encode(gzip.compress(b" " * (80 << 20)))
    with pytest.raises(BadInput, match="unpacks to more than 64 MiB"):
        helm.release_from_secret_data(bomb, namespace="x")
