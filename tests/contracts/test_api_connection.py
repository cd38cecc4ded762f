"""What every ApiConnection does, asked of a real server on loopback: one suite for each implementation."""

import base64
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from addonctl import errors
from addonctl.adapters import api_connection
from addonctl.adapters.api_protocol import ApiConnection
from tests.contracts.api_server import (
    Answer,
    ApiServer,
    Channel,
    Proxy,
    Request,
    Route,
    authority,
    issue,
    refusal,
    running,
    server_tls,
)

Open = Callable[..., ApiConnection]


def real(path: str, context: str = "", pauses: list[float] | None = None) -> ApiConnection:
    """The connection of addonctl; its waits are written down, not waited."""
    connection = api_connection.connect(context or None, path or None)
    connection.pause = (pauses if pauses is not None else list[float]()).append
    return connection


@pytest.fixture(params=[real], ids=["addonctl"])
def connect(request: pytest.FixtureRequest) -> Open:
    opened: Open = request.param
    return opened


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@dataclass
class Lab:
    """A folder with a kubeconfig, and servers that end with the test."""

    folder: Path
    stack: ExitStack

    def serve(self, route: Route, tls: Any = None) -> ApiServer:
        server: ApiServer = self.stack.enter_context(running(ApiServer(route, tls)))
        return server

    def proxy(self, kind: str, target: int, **more: Any) -> Proxy:
        proxy: Proxy = self.stack.enter_context(running(Proxy(kind, target, **more)))
        return proxy

    def config(self, server: str, user: Any = None, **cluster: Any) -> str:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "prod",
            "clusters": [{"name": "prod-eu-1", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "me", "user": {"token": "good"} if user is None else user}],
            "contexts": [{"name": "prod", "context": {"cluster": "prod-eu-1", "user": "me"}}],
        }
        path = self.folder / "config"
        path.write_text(json.dumps(document))
        return str(path)

    def plugin(self, status: str, version: str = "v1", **more: Any) -> dict[str, Any]:
        """A plugin whose `status` is a Python expression in `n`, the number of its run; what it gets is kept."""
        script = self.folder / "plugin.py"
        script.write_text(f"""
import fcntl, json, os, pathlib, sys
folder = pathlib.Path({str(self.folder)!r})
with open(folder / "runs", "a+") as runs:
    fcntl.flock(runs, fcntl.LOCK_EX)
    runs.write("x")
    runs.flush()
    n = os.path.getsize(folder / "runs")
(folder / "info").write_text(os.environ["KUBERNETES_EXEC_INFO"])
(folder / "variable").write_text(os.environ.get("CLUSTER", ""))
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/{version}", "kind": "ExecCredential",
                   "status": {status}}}))
""")
        return {
            "exec": {
                "apiVersion": f"client.authentication.k8s.io/{version}",
                "command": sys.executable,
                "args": ["-S", "-E", str(script)],
                "interactiveMode": "Never",
                **more,
            }
        }

    @property
    def runs(self) -> int:
        path = self.folder / "runs"
        return path.stat().st_size if path.exists() else 0


@pytest.fixture
def lab(tmp_path: Path, stack: ExitStack) -> Lab:
    return Lab(tmp_path, stack)


def ok(_: Request) -> Answer:
    return Answer(body={"ok": 1})


def answering(*answers: Answer) -> Route:
    """These answers one after another, then the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_carries_method_query_body_and_headers(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda r: Answer(status=201, body=[r.method, r.path, r.body.decode()], headers={"X-Kept": "1"}))
    patch = {"Content-Type": "application/apply-patch+yaml"}
    answer = connect(lab.config(server.url)).request(
        "PATCH", "/api/v1/namespaces/x/pods/y", {"fieldManager": "addonctl", "dryRun": "All"}, b"{}", patch
    )
    assert json.loads(answer.body) == [
        "PATCH",
        "/api/v1/namespaces/x/pods/y?fieldManager=addonctl&dryRun=All",
        "{}",
    ]
    assert (answer.status, answer.headers["x-kept"]) == (201, "1")
    headers = server.seen[0].headers
    assert headers["content-type"] == "application/apply-patch+yaml"
    assert headers["user-agent"].startswith("addonctl/")
    assert server.seen[0].user == "good"


def test_a_server_under_a_path_keeps_it(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    connection = connect(lab.config(f"{server.url}/k8s/clusters/c-1/"))
    connection.request("GET", "/version")
    assert server.seen[0].path == "/k8s/clusters/c-1/version"
    assert connection.server == f"{server.url}/k8s/clusters/c-1"


def test_it_knows_its_cluster(connect: Open, lab: Lab) -> None:
    connection = connect(lab.config("https://127.0.0.1:1"))
    assert (connection.name, connection.server, connection.context) == ("prod-eu-1", "https://127.0.0.1:1", "prod")


def test_connections_are_kept_open(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    connection = connect(lab.config(server.url))
    for _ in range(5):
        connection.request("GET", "/version")
    assert len({request.port for request in server.seen}) == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    connection = connect(lab.config(server.url))
    server.route = lambda _: Answer(body={}, headers={"Connection": "close"})
    connection.request("GET", "/version")
    server.route = ok
    assert json.loads(connection.request("GET", "/version").body) == {"ok": 1}


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        (400, {}, errors.Invalid),
        (403, {}, errors.Forbidden),
        (404, {}, errors.NotServed),
        (404, {"details": {"name": "coredns", "kind": "deployments"}}, errors.NotFound),
        (409, {"reason": "AlreadyExists"}, errors.Conflict),
        (410, {}, errors.Expired),
        (422, {}, errors.Invalid),
    ],
)
def test_a_refusal_has_its_type_and_is_not_repeated(
    connect: Open, lab: Lab, code: int, more: dict[str, Any], expected: type[errors.AddonctlError]
) -> None:
    server = lab.serve(lambda _: refusal(code, "because", **more))
    with pytest.raises(expected, match=f"answered {code}: because") as caught:
        connect(lab.config(server.url)).request("GET", "/api/v1/pods", {"continue": "long"})
    assert caught.value.reason == more.get("reason", "")
    assert "long" not in caught.value.what
    assert len(server.seen) == 1


def test_a_busy_server_is_waited_for(connect: Open, lab: Lab) -> None:
    busy = refusal(503), Answer(status=429, body=b"Too many requests", headers={"Retry-After": "3"})
    server, pauses = lab.serve(answering(*busy, Answer(body={"ok": 1}))), list[float]()
    answer = connect(lab.config(server.url), pauses=pauses).request("GET", "/version")
    assert json.loads(answer.body) == {"ok": 1}
    assert pauses[1] == 3
    assert pauses[0] < 1


def test_a_busy_server_is_waited_for_within_limits(connect: Open, lab: Lab) -> None:
    server, pauses = lab.serve(lambda _: refusal(500, "etcd")), list[float]()
    with pytest.raises(errors.Unavailable, match="etcd"):
        connect(lab.config(server.url), pauses=pauses).request("GET", "/version")
    assert len(server.seen) == 5
    assert sum(pauses) < 10
    server.route = lambda _: refusal(429, "later", details={"retryAfterSeconds": 3600})
    with pytest.raises(errors.TooManyRequests) as caught:
        connect(lab.config(server.url), pauses=pauses).request("GET", "/version")
    assert caught.value.retry_after_s == 3600
    assert len(server.seen) == 6


@pytest.mark.parametrize(("code", "sent"), [(429, 5), (500, 1), (503, 1), (504, 1)])
def test_a_write_is_repeated_only_where_it_was_not_accepted(connect: Open, lab: Lab, code: int, sent: int) -> None:
    server = lab.serve(lambda _: refusal(code))
    with pytest.raises(errors.AddonctlError):
        connect(lab.config(server.url)).request("POST", "/api/v1/pods", body=b"{}")
    assert len(server.seen) == sent


def test_what_a_disruption_budget_refuses_is_not_asked_again(connect: Open, lab: Lab) -> None:
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2"}
    words = "Cannot evict pod as it would violate the pod's disruption budget."
    server = lab.serve(
        lambda _: refusal(
            429, words, reason="TooManyRequests", details={"name": "web-1", "causes": [cause], "retryAfterSeconds": 10}
        )
    )
    pauses: list[float] = []
    with pytest.raises(errors.TooManyRequests, match="disruption budget") as caught:
        connect(lab.config(server.url), pauses=pauses).request("POST", "/api/v1/x/eviction", body=b"{}")
    assert (len(server.seen), pauses, caught.value.retry_after_s) == (1, [], 10)


def test_an_answer_that_is_cut_off_is_no_answer(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda _: Answer(body={"ok": 1}, cut=True))
    with pytest.raises(errors.TimedOut, match="broke off"):
        connect(lab.config(server.url)).request("DELETE", "/api/v1/namespaces/x/pods/y")
    assert len(server.seen) == 1


def test_compressed_answers_are_read(connect: Open, lab: Lab) -> None:
    import gzip

    server = lab.serve(lambda _: Answer(body=gzip.compress(b'{"ok": 1}'), headers={"Content-Encoding": "gzip"}))
    assert json.loads(connect(lab.config(server.url)).request("GET", "/version").body) == {"ok": 1}


HTML = b"<!doctype html><html><body>Sign in, hunter2</body></html>"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=HTML, headers={"Content-Type": "text/html"}),
        Answer(body=HTML),
        Answer(status=302, body=b"", headers={"Location": "https://login.example/?token=hunter2"}),
        Answer(status=403, body=HTML),
        Answer(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
)
def test_what_is_no_kubernetes_api_is_said_in_words(connect: Open, lab: Lab, answer: Answer) -> None:
    server = lab.serve(lambda _: answer)
    with pytest.raises((errors.Broken, errors.TimedOut)) as caught:
        connect(lab.config(server.url)).request("GET", "/version")
    assert "hunter2" not in str(caught.value)


def test_traffic_from_several_threads(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda r: Answer(body={"path": r.path}))
    connection = connect(lab.config(server.url))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: json.loads(connection.request("GET", f"/{n}").body)["path"], range(40)))
    assert found == [f"/{n}" for n in range(40)]


# ── Streams ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_come_as_they_are_sent(connect: Open, lab: Lab) -> None:
    event = b'{"type":"ADDED"}\n'
    server = lab.serve(lambda _: Answer(pieces=(event[:7], event[7:] + event, b"\n" + event[:-1])))
    with connect(lab.config(server.url)).lines("/api/v1/pods", {"watch": "1"}) as lines:
        assert list(lines) == [event.strip()] * 3
    assert server.seen[0].path == "/api/v1/pods?watch=1"


def test_a_stream_that_breaks_off_says_so_after_its_lines(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda _: Answer(pieces=(b"one\n",), cut=True))
    with connect(lab.config(server.url)).lines("/log") as lines:
        assert next(lines) == b"one"
        with pytest.raises(errors.TimedOut, match="broke off"):
            next(lines)


def test_a_stream_that_falls_silent_ends(connect: Open, lab: Lab) -> None:
    silent = threading.Event()
    server = lab.serve(lambda _: Answer(body={}, wait=silent))
    began = time.monotonic()
    with (
        pytest.raises(errors.TimedOut, match="did not answer in time"),
        connect(lab.config(server.url)).lines("/api/v1/pods", silence_s=0.2),
    ):
        pass
    silent.set()
    assert time.monotonic() - began < 3


def test_a_stream_that_is_refused_has_the_type_of_the_refusal(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda _: refusal(410, "too old resource version"))
    with (
        pytest.raises(errors.Expired, match="too old"),
        connect(lab.config(server.url)).lines("/api/v1/pods", {"watch": "1"}),
    ):
        pass


# ── Credentials ─────────────────────────────────────────────────────────────────────────────────────────────────


def only(*users: str) -> Route:
    return lambda request: Answer(body={"ok": 1}) if request.user in users else refusal(401, "Unauthorized")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_plugin_is_asked_again_when_its_token_is_refused(connect: Open, lab: Lab, version: str) -> None:
    server = lab.serve(only("token-2"))
    user = lab.plugin("{'token': f'token-{n}'}", version)
    connect(lab.config(server.url, user)).request("GET", "/version")
    assert [request.user for request in server.seen] == ["token-1", "token-2"]


def test_many_refusals_at_once_renew_once(connect: Open, lab: Lab) -> None:
    together = threading.Barrier(8)

    def route(request: Request) -> Answer:
        if request.user == "token-1":
            together.wait(10)
            return refusal(401)
        return Answer(body={"ok": 1})

    server = lab.serve(route)
    connection = connect(lab.config(server.url, lab.plugin("{'token': f'token-{n}'}")))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: connection.request("GET", "/version").status, range(8)))
    assert found == [200] * 8
    assert lab.runs == 2


def test_a_token_is_used_until_it_lapses(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    lives = {1: timedelta(seconds=-5), 2: timedelta(hours=1)}
    times = {n: (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ") for n, life in lives.items()}
    user = lab.plugin(f"{{'token': f'token-{{n}}', 'expirationTimestamp': {times}[n]}}")
    connection = connect(lab.config(server.url, user))
    for _ in range(3):
        connection.request("GET", "/version")
    assert [request.user for request in server.seen] == ["token-1", "token-2", "token-2"]


def test_credentials_that_stay_refused_are_asked_for_once_more(connect: Open, lab: Lab) -> None:
    server = lab.serve(only())
    connection = connect(lab.config(server.url, lab.plugin("{'token': f'token-{n}'}")))
    for _ in range(3):
        with pytest.raises(errors.NotAllowed, match="answered 401: Unauthorized"):
            connection.request("GET", "/version")
    assert lab.runs == 2


def test_a_plugin_gets_what_the_kubeconfig_says(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    more: dict[str, Any] = {"env": [{"name": "CLUSTER", "value": "prod"}], "provideClusterInfo": True}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    config = lab.config(server.url, lab.plugin("{'token': 'good'}", **more), extensions=[extension])
    connect(config).request("GET", "/version")
    info = json.loads((lab.folder / "info").read_text())
    assert info["apiVersion"] == "client.authentication.k8s.io/v1"
    assert info["spec"] == {"interactive": False, "cluster": {"server": server.url, "config": {"audience": "x"}}}
    assert (lab.folder / "variable").read_text() == "prod"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": "no-such-plugin", "installHint": "brew install it"}, "is not installed"),
        ({"args": ["-c", "import sys; sys.exit('please log in')"]}, "please log in"),
        ({"args": ["-c", "print('hunter2')"]}, "no ExecCredential"),
        ({"args": ["-c", "print('{}')"]}, "not ExecCredential of"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ({"interactiveMode": "Always"}, "needs a terminal"),
    ],
)
def test_a_plugin_that_fails_is_named(
    connect: Open, lab: Lab, change: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    user = lab.plugin("{'token': 'good'}")
    user["exec"] |= change
    with pytest.raises((errors.NotAllowed, errors.BadInput), match=words) as caught:
        connect(lab.config("http://127.0.0.1:1", user)).request("GET", "/version")
    assert "hunter2" not in str(caught.value)
    if "installHint" in change:
        assert caught.value.fix == "brew install it"


def test_a_program_that_logs_does_not_disturb_a_client_certificate(connect: Open, lab: Lab) -> None:
    me = issue("alice", authority())
    server = lab.serve(lambda r: Answer(body=r.client), server_tls(lab.folder, asks=True))
    user = {"client-certificate-data": b64(me.pem), "client-key-data": b64(me.key_pem)}
    config = lab.config(server.url, user, **{"certificate-authority-data": b64(authority().pem)})
    quiet = threading.Event()

    def log() -> None:
        while not quiet.wait(0.001):
            logging.getLogger().warning("cache miss")

    thread = threading.Thread(target=log)
    logging.disable()
    thread.start()
    try:
        assert json.loads(connect(config).request("GET", "/version").body) == "alice"
    finally:
        quiet.set()
        thread.join()
        logging.disable(logging.NOTSET)


def test_a_certificate_from_a_plugin_is_used_and_renewed(connect: Open, lab: Lab) -> None:
    people = [issue(name, authority()) for name in ("alice", "bob")]
    pairs = [{"clientCertificateData": one.pem, "clientKeyData": one.key_pem} for one in people]

    def route(request: Request) -> Answer:
        return Answer(body="bob") if request.client == "bob" else refusal(401)

    server = lab.serve(route, server_tls(lab.folder, asks=True))
    user = lab.plugin(f"{pairs!r}[n - 1]")
    config = lab.config(server.url, user, **{"certificate-authority-data": b64(authority().pem)})
    assert json.loads(connect(config).request("GET", "/version").body) == "bob"


def test_a_token_file_is_read_again_when_it_is_refused(connect: Open, lab: Lab) -> None:
    (lab.folder / "token").write_text("old\n")
    server = lab.serve(only("new"))
    connection = connect(lab.config(server.url, {"tokenFile": "token"}))
    (lab.folder / "token").write_text("old\n")
    with pytest.raises(errors.NotAllowed):
        connection.request("GET", "/version")
    again = connect(lab.config(server.url, {"tokenFile": "token"}))
    (lab.folder / "token").write_text("new\n")
    again.request("GET", "/version")


def test_a_user_may_act_as_another(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    user = {"token": "good", "as": "bob", "as-groups": ["ops"]}
    connect(lab.config(server.url, user)).request("GET", "/version")
    assert server.seen[0].headers["impersonate-user"] == "bob"
    assert server.seen[0].headers["impersonate-group"] == "ops"


def test_who_is_acted_as_by_option_stands_in_for_the_kubeconfig(lab: Lab) -> None:
    """Also for a port of a pod, and for the connection of a probe; what proves who we are stays."""
    server = lab.serve(lambda request: Answer(status=101, body=echo) if "portforward" in request.path else ok(request))
    path = lab.config(server.url, {"token": "good", "as": "bob", "as-groups": ["ops"]})
    connection = api_connection.connect(None, path, act_as="system:serviceaccount:a:b", groups=("x", "y"))
    connection.request("GET", "/version")
    connection.impatient(5).request("GET", "/version")
    with connection.forward("a", "b", 53):
        pass
    for seen in server.seen:
        assert seen.headers["impersonate-user"] == "system:serviceaccount:a:b"
        assert seen.headers["impersonate-group"] in ("x", "y")
        assert seen.user == "good"
    assert len(server.seen) == 3


def test_groups_without_a_user_are_refused(lab: Lab) -> None:
    with pytest.raises(errors.BadInput, match="--as-group"):
        api_connection.connect(None, lab.config("http://127.0.0.1:1"), groups=("x",))


def test_who_may_not_impersonate_is_told_so(lab: Lab) -> None:
    said = (
        'users "bob" is forbidden: User "me" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    server = lab.serve(lambda _: refusal(403, said, reason="Forbidden"))
    with pytest.raises(errors.Forbidden) as caught:
        api_connection.connect(None, lab.config(server.url), act_as="bob").request("GET", "/version")
    assert caught.value.fix.startswith("Grant the verb impersonate")


def test_a_name_and_password_are_sent(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    connect(lab.config(server.url, {"username": "me", "password": "pw"})).request("GET", "/version")
    assert server.seen[0].headers["authorization"] == f"Basic {b64('me:pw')}"


def test_credentials_are_in_no_repr(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    connection = connect(lab.config(server.url, {"token": "hunter2"}))
    answer = connection.request("GET", "/version")
    assert "hunter2" not in repr(connection)
    assert "ok" not in repr(answer)


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_authority_of_the_kubeconfig_is_trusted(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok, server_tls(lab.folder))
    (lab.folder / "ca.crt").write_text(authority().pem)
    inline = lab.config(server.url, **{"certificate-authority-data": b64(authority().pem)})
    connect(inline).request("GET", "/version")
    by_file = lab.config(server.url, **{"certificate-authority": "ca.crt"})
    connect(by_file).request("GET", "/version")
    assert len(server.seen) == 2


@pytest.mark.parametrize("authority_is", ["", "another"])
def test_a_server_that_nobody_vouches_for_is_refused(connect: Open, lab: Lab, authority_is: str) -> None:
    server = lab.serve(ok, server_tls(lab.folder))
    ca = {"certificate-authority-data": b64(issue("another").pem)} if authority_is else {}
    with pytest.raises(errors.NotTrusted, match="TLS to") as caught:
        connect(lab.config(server.url, **ca)).request("GET", "/version")
    assert caught.value.retry_after_s is None
    assert not server.seen


def test_tls_server_name_stands_for_the_host(connect: Open, lab: Lab) -> None:
    named = issue("server", authority(), x509.DNSName("kubernetes.default"))
    server = lab.serve(ok, server_tls(lab.folder, named))
    ca = {"certificate-authority-data": b64(authority().pem)}
    with pytest.raises(errors.NotTrusted):
        connect(lab.config(server.url, **ca)).request("GET", "/version")
    connect(lab.config(server.url, **ca, **{"tls-server-name": "kubernetes.default"})).request("GET", "/version")
    assert len(server.seen) == 1


def test_strictness_that_clusters_do_not_meet_is_not_asked_for(connect: Open, lab: Lab) -> None:
    assert not authority().certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    with pytest.raises(x509.ExtensionNotFound):
        authority().certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    server = lab.serve(ok, server_tls(lab.folder))
    connect(lab.config(server.url, **{"certificate-authority-data": b64(authority().pem)})).request("GET", "/version")


def test_a_kubeconfig_may_forgo_trust(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok, server_tls(lab.folder))
    connect(lab.config(server.url, **{"insecure-skip-tls-verify": True})).request("GET", "/version")
    assert len(server.seen) == 1


def test_a_server_without_tls_is_said_so(connect: Open, lab: Lab) -> None:
    server = lab.serve(ok)
    with pytest.raises(errors.NotTrusted, match="TLS to"):
        connect(lab.config(server.url.replace("http:", "https:"))).request("GET", "/version")


@pytest.mark.parametrize("key", ["", "other"])
def test_a_client_certificate_that_cannot_be_used_is_named(connect: Open, lab: Lab, key: str) -> None:
    me, other = issue("alice", authority()), issue("bob", authority())
    user = {"client-certificate-data": b64(me.pem), "client-key-data": b64(other.key_pem if key else "hunter2")}
    with pytest.raises(errors.BadInput, match="client certificate or key of prod-eu-1 cannot be used") as caught:
        connect(lab.config("https://127.0.0.1:1", user)).request("GET", "/version")
    assert "hunter2" not in str(caught.value)


def test_nothing_is_left_on_disk(
    connect: Open, lab: Lab, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    me = issue("alice", authority())
    server = lab.serve(ok, server_tls(lab.folder, asks=True))
    user = {"client-certificate-data": b64(me.pem), "client-key-data": b64(me.key_pem)}
    config = lab.config(server.url, user, **{"certificate-authority-data": b64(authority().pem)})
    connect(config).request("GET", "/version")
    assert list(temporary.iterdir()) == []


# ── Ways there ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user", ["", "me:pw"])
@pytest.mark.parametrize(("kind", "scheme"), [("http", "http"), ("socks5", "socks5"), ("socks5", "socks5h")])
@pytest.mark.parametrize("tls", [True, False])
def test_a_proxy_of_the_kubeconfig_is_used(
    connect: Open, lab: Lab, kind: str, scheme: str, user: str, tls: bool
) -> None:
    server = lab.serve(ok, server_tls(lab.folder) if tls else None)
    if kind == "http" and not tls:  # then the proxy is asked for the whole URL
        config = lab.config("http://kubernetes.invalid", **{"proxy-url": server.url.replace("//", "//me:pw@")})
        connect(config).request("GET", "/version")
        assert server.seen[0].path == "http://kubernetes.invalid/version"
        assert server.seen[0].headers["proxy-authorization"] == f"Basic {b64('me:pw')}"
        return
    proxy = lab.proxy(kind, server.port, user=user)
    cluster = {"proxy-url": proxy.url(scheme), "tls-server-name": "localhost"}
    ca = {"certificate-authority-data": b64(authority().pem)}
    url = f"{'https' if tls else 'http'}://kubernetes.invalid:6443"
    connect(lab.config(url, **cluster, **ca)).request("GET", "/version")
    assert proxy.asked == ["kubernetes.invalid:6443"]
    assert server.seen[0].headers["host"] == "kubernetes.invalid:6443"


def test_a_proxy_may_itself_speak_tls(connect: Open, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.folder / "ca.crt").write_text(authority().pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.folder / "ca.crt"))
    server = lab.serve(lambda _: Answer(body=["x" * 100_000]), server_tls(lab.folder))
    proxy = lab.proxy("http", server.port, tls=server_tls(lab.folder))
    config = lab.config(server.url, **{"proxy-url": proxy.url("https")})
    assert len(connect(config).request("GET", "/version").body) > 100_000
    assert proxy.asked == [server.url.removeprefix("https://")]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("excepted", ["", "127.0.0.1", "127.0.0.0/8", "*"])
def test_a_proxy_of_the_environment_is_used_unless_it_is_excepted(
    connect: Open, lab: Lab, monkeypatch: pytest.MonkeyPatch, variable: str, excepted: str
) -> None:
    server = lab.serve(ok, server_tls(lab.folder))
    proxy = lab.proxy("http", server.port)
    monkeypatch.setenv(variable, proxy.url("http"))
    monkeypatch.setenv("NO_PROXY", excepted)
    config = lab.config(server.url, **{"certificate-authority-data": b64(authority().pem)})
    connect(config).request("GET", "/version")
    assert len(proxy.asked) == (0 if excepted else 1)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://me:hunter2@127.0.0.1:1", "http://127.0.0.1:1"),
        ("socks4://127.0.0.1:1", "cannot be used"),
        ("127.0.0.1", "cannot be used"),
        ("http://me:hunter2@127.0.0.1:x", "cannot be used"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(connect: Open, lab: Lab, proxy: str, words: str) -> None:
    with pytest.raises((errors.NotReachable, errors.BadInput)) as caught:
        connect(lab.config("https://kubernetes.invalid", **{"proxy-url": proxy})).request("GET", "/version")
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_refuses_is_named(connect: Open, lab: Lab) -> None:
    guarded = lab.proxy("http", 1, user="me:pw").url("http").replace("me:pw@", "")
    with pytest.raises(errors.NotReachable, match=r"refused to connect to kubernetes\.invalid:443: 407"):
        connect(lab.config("https://kubernetes.invalid", **{"proxy-url": guarded})).request("GET", "/version")
    socks = lab.proxy("socks5", 1).url("socks5")
    with pytest.raises(errors.NotReachable, match=r"cannot connect to refused\.invalid:443: connection refused"):
        connect(lab.config("https://refused.invalid", **{"proxy-url": socks})).request("GET", "/version")
    guarded = lab.proxy("socks5", 1, user="me:pw").url("socks5").replace("me:pw@", "")
    with pytest.raises(errors.NotReachable, match="asks for credentials"):
        connect(lab.config("https://kubernetes.invalid", **{"proxy-url": guarded})).request("GET", "/version")


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "https://kubernetes.invalid"])
def test_a_server_that_is_not_there_is_named_with_its_context(connect: Open, lab: Lab, url: str) -> None:
    pauses = list[float]()
    with pytest.raises(errors.NotReachable, match=rf"{url} \(context prod\) cannot be reached") as caught:
        connect(lab.config(url), pauses=pauses).request("GET", "/version")
    assert "network" in caught.value.fix
    assert "proxy" in caught.value.fix
    assert caught.value.retry_after_s is not None
    assert len(pauses) == 1


# ── Kubeconfigs ─────────────────────────────────────────────────────────────────────────────────────────────────


def entry(kind: str, name: str, **inner: Any) -> dict[str, Any]:
    return {f"{kind}s": [{"name": name, kind: inner}]}


def test_several_files_are_one_kubeconfig(connect: Open, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.serve(only("second"))
    (lab.folder / "deep").mkdir()
    (lab.folder / "deep" / "token").write_text("second")
    first = {"current-context": "prod"} | entry("context", "prod", cluster="prod-eu-1", user="me")
    first |= entry("cluster", "prod-eu-1", server=server.url)
    second = {"current-context": "else"} | entry("user", "me", tokenFile="token")
    second |= entry("cluster", "prod-eu-1", server="https://never.invalid")
    (lab.folder / "a").write_text(json.dumps(first))
    (lab.folder / "deep" / "b").write_text(json.dumps(second))
    paths = [lab.folder / "missing", lab.folder / "a", lab.folder / "deep" / "b", lab.folder / "a"]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
    connection = connect("")
    connection.request("GET", "/version")
    assert connection.context == "prod"


def test_a_named_context_needs_no_current_one(connect: Open, lab: Lab) -> None:
    config = Path(lab.config("https://127.0.0.1:1"))
    config.write_text(config.read_text().replace('"current-context": "prod", ', ""))
    assert connect(str(config), "prod").context == "prod"
    with pytest.raises(errors.BadInput, match="names no current context") as caught:
        connect(str(config))
    assert "--context" in caught.value.fix
    assert "prod" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no current context"),
        ("a: [hunter2", "in line"),
        ("- hunter2", "Expected `object`"),
        ("kind: Config\ncontexts: 5\n", r"\$\.contexts"),
        ("users: [{name: me, user: {token: [hunter2]}}]", r"\$\.users"),
        (b"\xff\xfe\x00hunter2", "cannot be used"),
        ("current-context: x", "There is no context 'x'"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", "names cluster 'c'"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(connect: Open, lab: Lab, text: str | bytes, words: str) -> None:
    path = lab.folder / "odd"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(errors.BadInput, match=words) as caught:
        connect(str(path))
    assert "hunter2" not in str(caught.value)
    assert str(caught.value)[0].isupper()


@pytest.mark.parametrize(
    "cluster",
    [
        {"server": "kubernetes.invalid"},
        {"server": "https://me:hunter2@kubernetes.invalid"},
        {"server": "https://kubernetes.invalid:x"},
        {"certificate-authority": "missing.crt"},
        {"certificate-authority-data": "!!!"},
        {"certificate-authority-data": b64("hunter2")},
    ],
)
def test_a_cluster_that_cannot_be_used_is_named(connect: Open, lab: Lab, cluster: dict[str, str]) -> None:
    server = cluster.pop("server", "https://127.0.0.1:1")
    with pytest.raises(errors.BadInput, match="prod-eu-1") as caught:
        connect(lab.config(server, **cluster)).request("GET", "/version")
    assert "hunter2" not in str(caught.value)


def test_a_kubeconfig_that_is_missing_is_named(connect: Open, lab: Lab) -> None:
    with pytest.raises(errors.BadInput, match="does not exist"):
        connect(str(lab.folder / "missing"))
    with pytest.raises(errors.BadInput, match="No kubeconfig was found"):
        connect("")


def test_a_home_that_cannot_be_read_holds_no_kubeconfig(
    connect: Open, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", f"/proc/self/root{lab.folder}/{'x' * 300}")  # a stat that fails, for root too
    with pytest.raises(errors.BadInput, match="No kubeconfig was found"):
        connect("")
    with pytest.raises(errors.BadInput, match="does not exist"):
        connect(f"{lab.folder}/{'x' * 300}")


# ── Ports of pods ───────────────────────────────────────────────────────────────────────────────────────────────


def echo(channel: Channel) -> None:
    """A pod that says everything twice."""
    channel.begin()
    channel.send(b"still there?", opcode=9)
    while True:
        opcode, payload = channel.receive()
        if opcode == 8:
            return
        if opcode == 2:
            assert payload[:1] == b"\x00"
            channel.send(payload + payload[1:])


def refuse(channel: Channel) -> None:
    channel.begin()
    channel.send(b"\x01" + b"connection refused inside the pod")
    channel.receive()


def port_forward_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "port-forward" in thread.name]


@pytest.mark.parametrize("tls", [True, False])
def test_a_port_of_a_pod_is_a_stream(connect: Open, lab: Lab, tls: bool) -> None:
    server = lab.serve(lambda _: Answer(status=101, body=echo), server_tls(lab.folder) if tls else None)
    config = lab.config(server.url, **{"certificate-authority-data": b64(authority().pem)})
    with connect(config).forward("kube-system", "coredns-1", 53) as stream:
        for _ in range(3):
            stream.sendall(b"ab" * 20_000)
            got = b""
            while len(got) < 80_000 and (piece := stream.recv(65536)):
                got += piece
            assert got == b"ab" * 40_000
    assert server.seen[0].path == "/api/v1/namespaces/kube-system/pods/coredns-1/portforward?ports=53"
    assert server.seen[0].user == "good"
    assert port_forward_threads() == []


def test_a_port_where_nothing_listens_is_said_so(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda _: Answer(status=101, body=refuse))

    def read() -> None:
        with connect(lab.config(server.url)).forward("x", "y", 53) as stream:
            assert stream.recv(10) == b""
            raise ConnectionError("closed after 0 of 2 bytes")

    with pytest.raises(errors.NotReachable, match="port 53 of pod x/y cannot be reached: connection refused inside"):
        read()
    assert port_forward_threads() == []


def test_a_port_forward_that_breaks_off_ends_its_stream_and_prints_nothing(
    connect: Open, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    server = lab.serve(lambda _: Answer(status=101, body=lambda channel: channel.begin()))
    with connect(lab.config(server.url)).forward("x", "y", 53) as stream:
        assert stream.recv(10) == b""
    assert port_forward_threads() == []
    assert capsys.readouterr().err == ""


def test_a_port_forward_that_is_refused_has_the_type_of_the_refusal(connect: Open, lab: Lab) -> None:
    route = answering(refusal(401), refusal(403, "pods/portforward is forbidden"))
    server = lab.serve(route)
    connection = connect(lab.config(server.url, lab.plugin("{'token': f'token-{n}'}")))
    with pytest.raises(errors.Forbidden, match="portforward is forbidden"), connection.forward("x", "y", 53):
        pass
    assert [request.user for request in server.seen] == ["token-1", "token-2"]


def test_a_port_forward_takes_the_proxy(connect: Open, lab: Lab) -> None:
    server = lab.serve(lambda _: Answer(status=101, body=echo), server_tls(lab.folder))
    proxy = lab.proxy("socks5", server.port)
    cluster = {"proxy-url": proxy.url("socks5"), "certificate-authority-data": b64(authority().pem)}
    with connect(lab.config(server.url, **cluster)).forward("x", "y", 53) as stream:
        stream.sendall(b"a")
        assert stream.recv(10)[:1] == b"a"
    assert len(proxy.asked) == 1


def test_a_port_forward_to_nobody_is_not_reachable(connect: Open, lab: Lab) -> None:
    connection = connect(lab.config("http://127.0.0.1:1"))
    with pytest.raises(errors.NotReachable), connection.forward("x", "y", 53):
        pass


# ── Counting failures ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_impatient_connection_asks_once_and_does_not_wait(lab: Lab) -> None:
    silent = threading.Event()
    route = answering(refusal(503), refusal(429), Answer(wait=silent))
    server = lab.serve(route)
    connection = api_connection.connect(None, lab.config(server.url)).impatient(0.2)
    for expected in (errors.Unavailable, errors.TooManyRequests, errors.TimedOut):
        began = time.monotonic()
        with pytest.raises(expected):
            connection.request("GET", "/version")
        assert time.monotonic() - began < 1
    silent.set()
    assert len(server.seen) == 3
    assert {request.user for request in server.seen} == {"good"}


def test_an_impatient_connection_does_not_wait_for_a_forward(lab: Lab) -> None:
    silent = threading.Event()
    server = lab.serve(lambda _: Answer(wait=silent))
    connection, began = api_connection.connect(None, lab.config(server.url)).impatient(0.2), time.monotonic()
    with pytest.raises(errors.NotReachable), connection.forward("x", "y", 53):
        pass
    silent.set()
    assert time.monotonic() - began < 1


# ── Other ways in ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_account_of_a_pod_is_used_and_its_token_rotates(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def route(request: Request) -> Answer:
        return only((lab.folder / "token").read_text())(request)

    server = lab.serve(route, server_tls(lab.folder))
    (lab.folder / "ca.crt").write_text(authority().pem)
    (lab.folder / "token").write_text("first")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    connection = api_connection.by_service_account(lab.folder)
    connection.request("GET", "/version")
    (lab.folder / "token").write_text("second")
    connection.request("GET", "/version")
    assert [request.user for request in server.seen] == ["first", "first", "second"]


def test_a_pod_without_an_account_is_told_what_to_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with pytest.raises(errors.BadInput, match="service account") as caught:
        api_connection.connect()
    assert "automountServiceAccountToken" in caught.value.fix


@dataclass
class Endpoint:
    name: str
    server: str
    ca_pem: str


def test_eks_tokens_are_made_in_process_and_renewed(lab: Lab) -> None:
    server = lab.serve(ok, server_tls(lab.folder))
    lives = iter([timedelta(seconds=5), timedelta(minutes=14)])
    made = list[int]()

    def token() -> tuple[str, datetime]:
        made.append(1)
        return f"k8s-aws-v1.{len(made)}", datetime.now(UTC) + next(lives)

    endpoint = Endpoint("prod-eu-1", server.url, authority().pem)
    connection: ApiConnection = api_connection.connect(eks=endpoint, token=token)
    for _ in range(3):
        connection.request("GET", "/version")
    assert [request.user for request in server.seen] == ["k8s-aws-v1.1", "k8s-aws-v1.2", "k8s-aws-v1.2"]
    assert (connection.name, connection.context) == ("prod-eu-1", "")


def test_help_imports_no_client() -> None:
    import subprocess

    script = (
        "import sys, click\nfrom addonctl.apps import cli\n"
        "try:\n    cli.cli(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('urllib3', 'websocket', 'kubernetes', 'ssl', 'yaml') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
