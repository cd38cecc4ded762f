"""No secret gets out: canaries in the forms that secrets have are planted wherever something is read, from files and
from a server; then snapshots, reports of every format, errors and debug logs are searched for them.
"""

import base64
import gzip
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import api_reader, helm
from addonctl.adapters.decoders import CONFIG_MAPS, KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests, snapshot_file
from addonctl.apps.cli import cli
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Snapshot
from tests.adapters.test_api_reader import kubeconfig, serve
from tests.apps.terminal import in_process
from tests.builders import NOW
from tests.canaries import BROKEN, MARK, leaks, planted

__all__ = ["serve"]  # the fixture of a server on loopback


# ── The search itself ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_the_search_finds_a_canary_in_every_coding(before: str) -> None:
    coded = base64.b64encode(f"{before}{MARK} and more".encode()).decode()
    for text in (MARK, MARK.upper(), f"a={MARK}&b", coded, json.dumps({"x": coded})):
        assert leaks(f"before {text} after")
    assert not leaks("c4n4ry")


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("canaries")
    (made / "dump.json").write_text(json.dumps({"kind": "List", "items": planted()}))
    (made / "broken.yaml").write_text(BROKEN)
    (made / "broken.json").write_text(f'{{"kind": "List", "items": [{{"password": "{MARK}",]}}')
    return made


@pytest.fixture(scope="module")
def from_files(folder: Path, catalog: Catalog) -> Snapshot:
    return manifests.read([str(folder)], Decoder(catalog), taken=NOW, name="prod-eu-1")


def test_a_snapshot_of_files_holds_no_canary(from_files: Snapshot) -> None:
    assert leaks(snapshot_file.encode(from_files).decode()) == []


def test_what_is_needed_is_still_there(from_files: Snapshot) -> None:
    """An empty snapshot holds no canary either."""
    daemon = next(workload for workload in from_files.workloads if workload.kind == "DaemonSet")
    assert daemon.template.containers[0].env == {"WARM_ENI_TARGET": "1"}
    assert len(daemon.conditions) == len(from_files.events)
    assert from_files.helm_releases[0].chart_version == "1.43.2"
    dns = next(config for config in from_files.config_maps if config.name == "coredns")
    assert [line.split()[0] for line in dns.data["Corefile"].splitlines()] == [
        *(".:53", "errors", "kubernetes", "route53", "etcd", "forward", "}")
    ]
    assert {hook.url_host for hook in from_files.webhook_configurations[0].webhooks} == {"hooks.example.com", ""}
    assert {app.repository for app in from_files.applications} >= {"https://git.example.com/r.git"}
    assert from_files.gap("documents") is not None


REPORTS = [
    *(["analyze", "-o", form] for form in ("table", "wide", "json", "yaml", "markdown", "html", "sarif", "junit")),
    *(["deps", "-o", form] for form in ("tree", "json", "yaml", "dot", "mermaid")),
    *([command, "-o", form] for command in ("inventory", "findings", "health") for form in ("wide", "json", "yaml")),
    ["compat", "-o", "json"],
    ["compat", "--target", "1.36", "-o", "wide"],
    ["deps", "coredns"],
]


@pytest.mark.parametrize("command", REPORTS, ids=" ".join)
def test_no_report_shows_a_canary(folder: Path, command: list[str]) -> None:
    done = CliRunner().invoke(cli, [*command, "-f", str(folder)])
    assert done.exit_code in (0, 1, 2), done.output
    assert len(done.output) > 50
    assert leaks(done.output) == []


def test_a_saved_snapshot_and_its_difference_show_no_canary(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "snapshot.json"
    done = CliRunner().invoke(cli, ["snapshot", "save", str(saved), "-f", str(folder)])
    assert done.exit_code == 0, done.output
    body = saved.read_bytes()
    assert leaks((gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode()) == []
    assert saved.stat().st_mode & 0o077 == 0
    shown = CliRunner().invoke(cli, ["snapshot", "show", str(saved)])
    assert leaks(done.output + shown.output) == []


# ── A server ────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(path: str, _: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The API server of a cluster full of canaries: lists by kind, ConfigMaps by name."""
    path = path.partition("?")[0]
    if path == "/version":
        return 200, {"gitVersion": "v1.34.2"}
    if path in ("/api", "/apis"):
        return 200, _discovery(core=path == "/api")
    for kind in (*KINDS, CONFIG_MAPS):
        of: Any = getattr(kind, "of", kind)
        if kind.kind == "ConfigMap":
            for item in (item for item in planted() if item["kind"] == "ConfigMap"):
                if path.endswith(f"/{item['metadata']['namespace']}/configmaps/{item['metadata']['name']}"):
                    return 200, item
        elif path.endswith(f"/{of.plural}"):
            return 200, {"kind": f"{kind.kind}List", "items": [i for i in planted() if i["kind"] == kind.kind]}
    refusal = f"{path} is not here, token={MARK}"
    return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": refusal, "code": 404}


def _discovery(*, core: bool) -> dict[str, Any]:
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for kind in KINDS:
        of: Any = getattr(kind, "of", kind)
        if bool(kind.group) is core:
            continue
        entry = {"resource": of.plural, "responseKind": {"kind": kind.kind}, "scope": "Namespaced", "verbs": ["list"]}
        groups.setdefault(kind.group, {}).setdefault(of.versions[0], []).append(entry)
    items = [
        {"metadata": {"name": group}, "versions": [{"version": v, "resources": r} for v, r in versions.items()]}
        for group, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any library logs, at DEBUG."""
    for name in ("", "urllib3", "kubernetes", "botocore", "boto3"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def test_what_is_read_of_a_server_holds_no_canary(
    serve: Any, tmp_path: Path, catalog: Catalog, logged: pytest.LogCaptureFixture
) -> None:
    server = serve(answers)
    connection = api_reader.connect(None, kubeconfig(tmp_path, server.url, {"token": MARK}))
    snapshot = api_reader.read(connection, Decoder(catalog), now=NOW)
    assert snapshot.workloads
    assert snapshot.events
    assert snapshot.config_maps
    assert snapshot.helm_releases
    assert leaks(snapshot_file.encode(snapshot).decode()) == []
    assert "GET" in logged.text
    assert leaks(logged.text) == []


@pytest.mark.parametrize("code", [401, 403, 404, 500])
def test_no_error_shows_what_a_server_says_of_credentials(serve: Any, tmp_path: Path, code: int) -> None:
    said = f"authorization: Bearer {MARK} of https://me:{MARK}@h.example.com is refused"
    refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": said, "code": code}
    server = serve(lambda *_: (code, refusal))
    config = kubeconfig(tmp_path, server.url, {"username": "me", "password": MARK})
    done = CliRunner().invoke(cli, ["analyze", "--kubeconfig", config])
    assert done.exit_code != 0
    assert leaks(done.output + str(done.exception)) == []


def test_errors_show_no_credential_of_a_kubeconfig(tmp_path: Path) -> None:
    """A plugin that fails, a server that is not there, a user and a file that are broken."""
    failing = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", f"import sys; sys.exit('token={MARK}')"],
    }
    for user in ({"token": MARK}, {"exec": failing}, {"client-key-data": MARK, "client-certificate-data": MARK}, MARK):
        config = kubeconfig(tmp_path, "https://127.0.0.1:9", user)  # type: ignore[arg-type]
        done = in_process("analyze", "--kubeconfig", config)
        assert done.returncode == 1
        assert leaks(done.stdout + done.stderr) == []


# ── Helm's records ──────────────────────────────────────────────────────────────────────────────────────────────


@given(st.binary(max_size=400))
def test_a_corrupt_release_record_is_an_error_not_a_crash(body: bytes) -> None:
    for encoded in (body, base64.b64encode(body), base64.b64encode(gzip.compress(body))):
        with pytest.raises(BadInput):
            helm.release_from_secret_data(encoded, namespace="apps")


def test_all_formats_of_a_release_record_are_read() -> None:
    record = json.dumps({"name": "dns", "namespace": "apps", "version": 2}).encode()
    stored = (base64.b64encode(gzip.compress(record)), base64.b64encode(record))
    for once in stored:  # in a ConfigMap as Helm stored it; in a Secret Kubernetes encodes it once more
        for encoded in (once, base64.b64encode(once)):
            assert helm.release_from_secret_data(encoded, namespace="x").revision == 2


def test_a_bomb_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (80 << 20)))
    with pytest.raises(BadInput, match="unpacks to more than 64 MiB"):
        helm.release_from_secret_data(bomb, namespace="x")
