"""Reading a server with awkward moments, which a small one on loopback plays: expired lists, refusals, odd answers.

The way there is tested in tests/contracts, reading as a whole on a real cluster (tests/cluster).
"""

import base64
import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters import api_connection as way
from addonctl.adapters import api_reader
from addonctl.adapters.decoding import Decoder
from addonctl.catalog import ApiRemoval, Catalog
from addonctl.errors import Broken
from addonctl.model import GapReason
from addonctl.versions import Minor
from tests.builders import NOW, small_catalog

Answer = tuple[int, dict[str, Any]]


def status(code: int, message: str, **more: Any) -> Answer:
    """What an API server says when it refuses."""
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, **more}


class Server(ThreadingHTTPServer):
    """Answers every request by `answer(path, headers)` and remembers them."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.seen = answer, list[tuple[str, dict[str, str]]]()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.seen.append((self.path, headers))
        status, body = self.server.answer(self.path, headers)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str, dict[str, str]], Answer]], Server]]:
    started: list[Server] = []

    def start(answer: Callable[[str, dict[str, str]], Answer]) -> Server:
        server = Server(answer)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def kubeconfig(folder: Path, server: str, user: dict[str, Any], **cluster: Any) -> str:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return str(path)


# ── Reading from a server with awkward moments ──────────────────────────────────────────────────────────────────

CORE = {"version": "v1", "resources": [{"resource": "pods", "scope": "Namespaced"}, {"resource": "nodes"}]}
DISCOVERY = {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": ""}, "versions": [CORE]}]}


def pods(*names: str, token: str = "") -> Answer:
    return 200, {"items": [{"metadata": {"name": name}} for name in names], "metadata": {"continue": token}}


def reading(serve: Any, folder: Path, answer: Callable[[str], Answer | None]) -> Any:
    def route(path: str, _: dict[str, str]) -> Answer:
        if path in ("/api", "/version"):
            return 200, DISCOVERY if path == "/api" else {"gitVersion": "v1.34.2"}
        if path == "/apis":
            return 200, {"kind": "APIGroupDiscoveryList", "items": []}
        return answer(path) or (404, {})

    server = serve(route)
    connection = way.connect(None, kubeconfig(folder, server.url, {"token": "x"}))
    connection.pause = lambda _: None
    return api_reader.read(connection, Decoder(small_catalog()), now=NOW)


def test_lists_come_in_pages_and_start_again_when_they_expire(serve: Any, tmp_path: Path) -> None:
    expired = iter([True])

    def answer(path: str) -> Answer | None:
        if "pods" not in path:
            return None
        if "continue" not in path:
            return pods("a", token="next")
        return status(410, "expired") if next(expired, False) else pods("b")

    snapshot = reading(serve, tmp_path, answer)
    assert [pod.name for pod in snapshot.pods] == ["a", "b"]


def helm_in_config_maps(serve: Any, folder: Path, listed: Answer) -> tuple[Any, list[str]]:
    core = {"version": "v1", "resources": [{"resource": "configmaps", "scope": "Namespaced"}]}
    asked: list[str] = []

    def route(path: str, _: dict[str, str]) -> Answer:
        asked.append(path)
        if path == "/api":
            return 200, {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": ""}, "versions": [core]}]}
        if path.startswith("/api/v1/configmaps?"):
            return listed
        return (200, {"gitVersion": "v1.34.2", "kind": "APIGroupDiscoveryList"}) if path.count("/") == 1 else (404, {})

    connection = way.connect(None, kubeconfig(folder, serve(route).url, {"token": "x"}))
    snapshot = api_reader.read(connection, Decoder(small_catalog()), now=NOW)
    return snapshot, [path for path in asked if path.startswith("/api/v1/configmaps?")]


def test_releases_that_helm_keeps_in_config_maps_are_read(serve: Any, tmp_path: Path) -> None:
    record = {"name": "cm", "namespace": "security", "version": 3, "info": {"status": "deployed"}}
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode())).decode()
    kept = {
        "metadata": {"name": "r", "namespace": "security", "labels": {"owner": "helm"}},
        "data": {"release": packed},
    }
    other = {"metadata": {"name": "o", "namespace": "security"}, "data": {"password": "hunter2"}}
    snapshot, asked = helm_in_config_maps(serve, tmp_path, (200, {"items": [kept, other]}))
    assert [(each.namespace, each.name, each.revision) for each in snapshot.helm_releases] == [("security", "cm", 3)]
    assert asked == ["/api/v1/configmaps?labelSelector=owner%3Dhelm%2Cstatus%21%3Dsuperseded&limit=500"]
    assert snapshot.gap("helm_releases:configmaps") is None


def test_config_maps_that_may_not_be_listed_are_a_gap_of_their_own(serve: Any, tmp_path: Path) -> None:
    snapshot, _ = helm_in_config_maps(serve, tmp_path, status(403, "configmaps is forbidden"))
    gap = snapshot.gap("helm_releases:configmaps")
    assert (gap.reason, gap.permission) == (GapReason.FORBIDDEN, "list configmaps")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(403, "pods is forbidden"), GapReason.FORBIDDEN),
        ((404, {}), GapReason.NOT_SERVED),
        ((200, {"items": 5}), GapReason.BROKEN),
        ((500, {}), GapReason.TIMEOUT),
    ],
)
def test_a_part_that_fails_costs_that_part(serve: Any, tmp_path: Path, answer: Answer, reason: GapReason) -> None:
    snapshot = reading(
        serve, tmp_path, lambda path: answer if "/pods" in path else pods("n") if "/nodes" in path else None
    )
    gap = snapshot.gap("pods")
    assert gap.reason is reason
    assert gap.permission == ("list pods" if reason is GapReason.FORBIDDEN else "")
    assert len(snapshot.nodes) == 1


def test_a_broken_object_is_named_and_the_rest_kept(serve: Any, tmp_path: Path) -> None:
    page = {"items": [{"metadata": {"name": "good"}}, {"metadata": {"name": "bad", "labels": 5}}]}
    snapshot = reading(serve, tmp_path, lambda path: (200, page) if "/pods" in path else pods())
    assert [pod.name for pod in snapshot.pods] == ["good"]
    assert "bad" in snapshot.gap("pods").detail


# ── Custom resources, and one namespace ─────────────────────────────────────────────────────────────────────────


def crd(plural: str, *versions: dict[str, Any], scope: str = "Namespaced") -> dict[str, Any]:
    spec = {
        "group": "cert-manager.io",
        "names": {"kind": "Certificate", "plural": plural},
        "scope": scope,
        "versions": list(versions),
    }
    return {"metadata": {"name": f"{plural}.cert-manager.io"}, "spec": spec}


V1 = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
OLD = {"name": "v1alpha1", "served": True, "storage": True, "deprecated": True}
WITH_CRDS = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "apiextensions.k8s.io"},
            "versions": [{"version": "v1", "resources": [{"resource": "customresourcedefinitions"}]}],
        },
        {
            "metadata": {"name": "policy"},
            "versions": [
                {
                    "version": "v1beta1",
                    "resources": [
                        {
                            "resource": "podsecuritypolicies",
                            "responseKind": {"kind": "PodSecurityPolicy"},
                            "scope": "Namespaced",
                        }
                    ],
                }
            ],
        },
    ],
}


def reading_crds(
    serve: Any,
    folder: Path,
    answer: Callable[[str], Answer | None],
    *crds: dict[str, Any],
    namespace: str = "",
    catalog: Catalog | None = None,
) -> tuple[Any, list[str]]:
    def route(path: str, _: dict[str, str]) -> Answer:
        if path == "/version":
            return 200, {"gitVersion": "v1.34.2"}
        if path in ("/api", "/apis"):
            return 200, WITH_CRDS if path == "/apis" else {"kind": "APIGroupDiscoveryList"}
        if "customresourcedefinitions" in path:
            return 200, {"items": list(crds)}
        return answer(path) or (404, {})

    server = serve(route)
    connection = way.connect(None, kubeconfig(folder, server.url, {"token": "x"}))
    connection.pause = lambda _: None
    decoder = Decoder(catalog or small_catalog())
    snapshot = api_reader.read(connection, decoder, now=NOW, namespace=namespace or None)
    return snapshot, [path for path, _ in server.seen]


def test_a_custom_resource_that_may_not_be_listed_is_a_gap_of_its_own(serve: Any, tmp_path: Path) -> None:
    def answer(path: str) -> Answer | None:
        return status(403, "no") if "certificates" in path else pods("a") if "issuers" in path else None

    snapshot, _ = reading_crds(serve, tmp_path, answer, crd("certificates", V1), crd("issuers", V1))
    gap = snapshot.gap("custom_resources:certificates.cert-manager.io")
    assert (gap.reason, gap.permission) == (GapReason.FORBIDDEN, "list certificates.cert-manager.io")
    assert snapshot.gap("custom_resources:issuers.cert-manager.io") is None
    assert [item.name for item in snapshot.others] == ["a"]


def test_of_what_is_only_counted_a_broken_one_is_named_too(serve: Any, tmp_path: Path) -> None:
    listed = 200, {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": ["b"]}}], "metadata": {}}
    counted = crd("orders", {key: value for key, value in V1.items() if key != "subresources"})
    snapshot, _ = reading_crds(serve, tmp_path, lambda path: listed if "orders" in path else None, counted)
    assert [(each.plural, each.count) for each in snapshot.custom_resources] == [("orders", 1)]
    gap = snapshot.gap("custom_resources:orders.cert-manager.io")
    assert gap.reason is GapReason.BROKEN
    assert "Certificate number 1: object -/['b'] cannot be read" in gap.detail


def test_a_custom_resource_in_deprecated_versions_only_is_a_gap(serve: Any, tmp_path: Path) -> None:
    gone = OLD | {"served": False}
    snapshot, asked = reading_crds(serve, tmp_path, lambda _: None, crd("certificates", OLD), crd("issuers", gone))
    for name, words in (("certificates", "deprecated versions only (v1alpha1)"), ("issuers", "in no version")):
        gap = snapshot.gap(f"custom_resources:{name}.cert-manager.io")
        assert gap.reason is GapReason.NOT_SERVED
        assert words in gap.detail
    assert not any("v1alpha1" in path for path in asked)


def test_one_namespace_narrows_custom_resources_too(serve: Any, tmp_path: Path) -> None:
    wide = crd("clusterissuers", V1, scope="Cluster")
    _, asked = reading_crds(serve, tmp_path, lambda _: pods(), crd("certificates", V1), wide, namespace="payments")
    paths = [path.partition("?")[0] for path in asked]
    assert "/apis/cert-manager.io/v1/namespaces/payments/certificates" in paths
    assert "/apis/cert-manager.io/v1/clusterissuers" in paths


def test_one_namespace_narrows_kinds_of_which_a_version_ends_too(serve: Any, tmp_path: Path) -> None:
    removal = ApiRemoval(group="policy", version="v1beta0", kind="PodSecurityPolicy", removed_in=Minor(1, 40))
    known = small_catalog()
    known = replace(known, kubernetes=replace(known.kubernetes, removals=(removal,)))
    _, asked = reading_crds(serve, tmp_path, lambda _: pods(), namespace="payments", catalog=known)
    paths = [path.partition("?")[0] for path in asked]
    assert "/apis/policy/v1beta1/namespaces/payments/podsecuritypolicies" in paths
    assert "/apis/policy/v1beta1/podsecuritypolicies" not in paths


@pytest.mark.parametrize("ask", [api_reader.version, api_reader.discover])
@pytest.mark.parametrize("body", [{"items": 5, "gitVersion": 5}, ["x"], "x", 5, None])
def test_json_that_is_no_kubernetes_is_said_in_words(serve: Any, tmp_path: Path, ask: Any, body: Any) -> None:
    server = serve(lambda *_: (200, body))
    with pytest.raises(Broken, match="answered with"):
        ask(way.connect(None, kubeconfig(tmp_path, server.url, {"token": "x"})))
