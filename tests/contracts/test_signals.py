"""Probes that count while something changes, against real servers on loopback: DNS over UDP and TCP, and an API."""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.signals import ProbeSignals
from addonctl.adapters.signals.tally import Tally
from addonctl.errors import AddonctlError
from addonctl.model import Counts, ObjectRef
from addonctl.model.plan import Step
from tests import builders
from tests.contracts.api_server import Answer, ApiServer, Channel, Request, refusal, running, server_tls
from tests.contracts.conftest import Api as RealApi
from tests.contracts.dns_server import NO_SUCH_NAME, RIGHT, SERVFAIL, SILENT, DnsServer, serving

_DEADLINE_S = 20.0
_KINDS = {
    "/apis/example.com/v1": [("Wall", "walls")],
    "/api/v1": [("Pod", "pods"), ("Service", "services"), ("ConfigMap", "configmaps"), ("Namespace", "namespaces")],
    "/apis/apps/v1": [("Deployment", "deployments")],
    "/apis/discovery.k8s.io/v1": [("EndpointSlice", "endpointslices")],
    "/apis/admissionregistration.k8s.io/v1": [
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ],
}
_CLUSTER_WIDE = ("Namespace", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
_PODS = "/api/v1/namespaces/default/pods"


def step(*slis: str) -> Step:
    return builders.step(*slis, of="Deployment/addons/it")


@dataclass
class Behind:
    """A pod behind the Service, as its EndpointSlice has it."""

    uid: str
    server: "DnsServer | WebhookServer"
    serving: bool = True
    terminating: bool = False


@dataclass
class Api:
    """An API server that knows an add-on; `special` answers what differs from the usual."""

    pods: list[Behind] = field(default_factory=list)
    cluster_ip: str = "None"
    special: Callable[[Request], Answer | None] = lambda _: None
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    measured: datetime | None = None

    def route(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        if (answer := self.special(request)) is not None:
            return answer
        if path.endswith("/portforward"):
            return self._forward(path.split("/")[-2])
        if path == _METRICS:
            return Answer(body={"items": self._metrics(parse_qs(urlsplit(request.path).query))})
        if request.method == "POST":
            return Answer(status=201, body=json.loads(request.body))
        body = self._objects().get(path) or _discovery(path)
        return refusal(404, "no such thing") if body is None else Answer(body=body)

    def _objects(self) -> dict[str, Any]:
        deployment = {"metadata": {"name": "it", "namespace": "addons"}, "spec": {"template": _TEMPLATE}}
        return {
            "/readyz": b"ok",
            "/apis/metrics.k8s.io": {"preferredVersion": {"version": "v1beta1"}},
            "/apis/apps/v1/namespaces/addons/deployments/it": deployment,
            "/api/v1/namespaces/addons/services": {"items": self._services()},
            "/api/v1/namespaces/addons/configmaps/it": {"data": {"Corefile": ".:53 {\n kubernetes corp.example\n}"}},
            "/api/v1/namespaces/default": {"metadata": {"labels": {"kubernetes.io/metadata.name": "default"}}},
            "/apis/discovery.k8s.io/v1/namespaces/addons/endpointslices": {"items": list(map(_slice, self.pods))},
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": {"items": []},
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": {
                "items": [{"metadata": {"name": "it"}, "webhooks": self.webhooks}]
            },
        }

    def _services(self) -> list[dict[str, Any]]:
        ports = [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            {"name": "https", "port": 443},
        ]
        other = {"metadata": {"name": "other", "namespace": "addons"}, "spec": {"selector": {"app": "other"}}}
        spec = {"selector": {"app": "it"}, "clusterIP": self.cluster_ip, "ports": ports}
        return [other, {"metadata": {"name": "it", "namespace": "addons"}, "spec": spec}]

    def _metrics(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        at = (self.measured or datetime.now(UTC)).isoformat()
        names = ["node-0", "node-1"] if "fieldSelector" not in query else [query["fieldSelector"][0].partition("=")[2]]
        return [{"metadata": {"name": name}, "timestamp": at} for name in names]

    def _forward(self, uid: str) -> Answer:
        pod = next((pod for pod in self.pods if pod.uid == uid), None)
        if pod is None:
            return refusal(404, "no such pod", details={"name": uid})
        return Answer(status=101, body=lambda channel: _relay(channel, pod.server))


_TEMPLATE = {"metadata": {"labels": {"app": "it"}}, "spec": {"volumes": [{"configMap": {"name": "it"}}]}}


_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"), ("https", "TCP"))


def _discovery(path: str) -> dict[str, Any] | None:
    if path in _KINDS:
        rows = _KINDS[path]
        return {"resources": [{"kind": k, "name": n, "namespaced": k not in _CLUSTER_WIDE} for k, n in rows]}
    return {"preferredVersion": {"version": "v1"}} if f"{path}/v1" in _KINDS else None


def _slice(pod: Behind) -> dict[str, Any]:
    number = pod.server.port
    return {
        "metadata": {"name": pod.uid},
        "ports": [{"name": n, "port": number, "protocol": p} for n, p in _PORTS],
        "endpoints": [
            {
                "addresses": [pod.server.address],
                "conditions": {
                    "ready": pod.serving and not pod.terminating,
                    "serving": pod.serving,
                    "terminating": pod.terminating,
                },
                "targetRef": {"kind": "Pod", "uid": pod.uid, "name": pod.uid, "namespace": "addons"},
            }
        ],
    }


def _relay(channel: Channel, server: "DnsServer | WebhookServer") -> None:
    """What kubelet does for a port forward: connects inside the pod, or says why it cannot."""
    channel.begin(server.port)
    try:
        stream = socket.create_connection((server.address, server.port), 2)
    except OSError:
        channel.send(b"\x01connection refused inside the pod")
        channel.receive()
        return

    def back() -> None:
        with contextlib.suppress(OSError, ValueError):
            while piece := stream.recv(4096):
                channel.send(b"\x00" + piece)
            channel.send(b"", opcode=8)

    answering = threading.Thread(target=back, daemon=True)
    answering.start()
    with contextlib.suppress(OSError), stream:
        while True:
            opcode, payload = channel.receive()
            if opcode == 8:
                stream.shutdown(socket.SHUT_RDWR)
                break
            stream.sendall(payload[1:])
    answering.join(2)


@dataclass
class Lab:
    folder: Path
    stack: ExitStack

    def dns(self, **behaviour: Any) -> DnsServer:
        return self.stack.enter_context(serving(DnsServer(**behaviour)))

    def signals(self, api: Api | str, rate: float = 20.0, **more: Any) -> ProbeSignals:
        url = api if isinstance(api, str) else self.serve(api).url
        document = {
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": url}}],
            "users": [{"name": "me", "user": {"token": "hunter2"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        }
        (self.folder / "config").write_text(json.dumps(document))
        made = ProbeSignals(connect(None, str(self.folder / "config")), rate, **more)
        self.stack.callback(made.close)
        return made

    def serve(self, api: Api) -> ApiServer:
        server: ApiServer = self.stack.enter_context(running(ApiServer(api.route)))
        return server


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with ExitStack() as stack:
        yield Lab(tmp_path, stack)
        stack.close()
    assert threads() == []


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("addonctl-")]


def counted(signals: ProbeSignals, asked: Step, since: datetime) -> dict[tuple[str, str], Counts]:
    return {(each.sli, each.pod): each.counts for each in signals.counted(asked, since)}


def after(
    signals: ProbeSignals, asked: Step, enough: Callable[[dict[tuple[str, str], Counts]], bool]
) -> dict[tuple[str, str], Counts]:
    """What was counted from now on, once it is `enough`."""
    since, until = datetime.now(UTC), time.monotonic() + _DEADLINE_S
    found = counted(signals, asked, since)
    while not enough(found):
        assert time.monotonic() < until, f"not enough: {found}"
        time.sleep(0.05)
        found = counted(signals, asked, since)
    return found


def so_many(requests: int, *pods: str, sli: str = "dns") -> Callable[[dict[tuple[str, str], Counts]], bool]:
    return lambda found: all(found.get((sli, pod), Counts()).requests >= requests for pod in pods or ("",))


# ── Counting ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_request_is_counted_between_exactly_two_moments() -> None:
    now = [100.0]
    tally = Tally(lambda: now[0])
    for moment in (100.0, 100.5, 100.5, 101.25, 103.0):
        now[0] = moment
        tally.count("dns", "a", moment != 100.5)
    moments = [0.0, 100.0, 100.4, 100.5, 101.25, 102.0, 103.0]
    (all_of_it,) = tally.after(0)
    assert all_of_it.counts == Counts(5, 2)
    later = [sum((each.counts for each in tally.after(moment)), Counts()) for moment in moments]
    assert [a.requests - b.requests for a, b in pairwise(later)] == [1, 0, 2, 1, 0, 1]
    assert tally.after(103.0) == ()


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    now = [100.0]
    tally = Tally(lambda: now[0])
    tally.count("dns", "a", True)
    now[0] = 50.0
    tally.count("dns", "a", False)
    assert [each.counts for each in tally.after(99.0)] == [Counts(2, 1)]


def test_what_is_kept_is_bounded() -> None:
    now = [0.0]
    tally = Tally(lambda: now[0])
    for number in range(50_000):
        now[0] = float(number)
        tally.count("dns", "a", number % 2 == 0)
    assert [each.counts for each in tally.after(49_989.0)] == [Counts(10, 5)]
    (kept,) = tally.after(-1.0)
    assert kept.counts.requests <= 20_000
    assert abs(kept.counts.failed - kept.counts.requests / 2) <= 1
    tally.count("dns", "b", True)
    now[0] += 3600
    tally.count("dns", "c", True)
    assert {each.pod for each in tally.after(-1.0)} == {"c"}


# ── DNS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[True, False], ids=["udp", "forward"])
def direct(request: pytest.FixtureRequest) -> bool:
    chosen: bool = request.param
    return chosen


def test_each_pod_is_asked_at_the_rate_for_the_name_of_its_cluster(lab: Lab, direct: bool) -> None:
    one, two = lab.dns(), lab.dns()
    signals, asked = lab.signals(Api([Behind("1", one), Behind("2", two)]), 20, direct=direct), step("dns")
    after(signals, asked, so_many(1, "1", "2"))
    began = time.monotonic()
    found = after(signals, asked, so_many(20, "1", "2"))
    lasted = time.monotonic() - began
    assert set(found) == {("dns", "1"), ("dns", "2")}
    for counts in found.values():
        assert counts.failed == 0
        assert counts.requests == pytest.approx(10 * lasted, rel=0.25)
    assert b"\x0akubernetes\x07default\x03svc\x04corp\x07example\x00" in one.queries[-1]


def test_pods_that_come_later_get_half_of_the_queries(lab: Lab, direct: bool) -> None:
    api = Api([Behind("1", lab.dns()), Behind("2", lab.dns())])
    signals, asked = lab.signals(api, 20, direct=direct), step("dns")
    after(signals, asked, so_many(1, "1", "2"))
    api.pods.append(Behind("new", lab.dns()))
    after(signals, asked, so_many(1, "new"))
    began = time.monotonic()
    found = after(signals, asked, so_many(20, "new"))
    lasted = time.monotonic() - began
    shares = {"1": 5, "2": 5, "new": 10}
    for uid, share in shares.items():
        assert found["dns", uid].requests == pytest.approx(share * lasted, rel=0.3)


def test_pods_are_asked_at_their_addresses_where_these_answer_else_through_the_api_server(lab: Lab) -> None:
    near = lab.dns()
    signals = lab.signals(Api([Behind("1", near)]))
    after(signals, step("dns"), so_many(5, "1"))
    assert near.connections == 0
    signals.close()
    far = lab.dns(over_udp=False)
    signals = lab.signals(Api([Behind("1", far)]))
    found = after(signals, step("dns"), so_many(5, "1"))
    assert found["dns", "1"].failed == 0
    assert far.connections == 1


def test_a_connection_is_used_for_many_queries_and_no_more_than_a_server_allows(lab: Lab) -> None:
    server = lab.dns()
    signals = lab.signals(Api([Behind("1", server)]), direct=False)
    found = after(signals, step("dns"), so_many(110, "1"))
    assert found["dns", "1"].failed == 0
    assert server.connections == 2


def test_wrong_answers_are_failures(lab: Lab, direct: bool) -> None:
    well, ill = lab.dns(), lab.dns(behave=lambda n: SERVFAIL if n % 5 == 0 else RIGHT)
    wrong = lab.dns(behave=lambda _: NO_SUCH_NAME)
    api = Api([Behind("well", well), Behind("ill", ill), Behind("wrong", wrong)])
    found = after(lab.signals(api, direct=direct), step("dns"), so_many(40, "well", "ill", "wrong"))
    assert found["dns", "well"].failed == 0
    assert found["dns", "ill"].rate == pytest.approx(0.2, abs=0.06)
    assert found["dns", "wrong"].rate == 1


def test_a_pod_that_stops_answering_fails_at_the_same_pace_while_it_is_listed_as_serving(
    lab: Lab, direct: bool
) -> None:
    well, ill = lab.dns(), lab.dns()
    signals, asked = lab.signals(Api([Behind("1", well), Behind("2", ill)]), direct=direct), step("dns")
    after(signals, asked, so_many(5, "1", "2"))
    ill.behave = lambda _: SILENT
    found = after(signals, asked, lambda found: found.get(("dns", "2"), Counts()).failed >= 20)
    assert found["dns", "1"].failed == 0
    assert found["dns", "2"].failed >= found["dns", "2"].requests - 3, "but for those answered at first"
    assert found["dns", "1"].requests - found["dns", "2"].requests < 60, "no slower than the others, only later known"


def test_late_answers_are_failures(lab: Lab, direct: bool) -> None:
    server = lab.dns()
    signals, asked = lab.signals(Api([Behind("1", server)]), 5, direct=direct), step("dns")
    after(signals, asked, so_many(1, "1"))
    server.late_s = 1.3
    found = after(signals, asked, lambda found: found.get(("dns", "1"), Counts()).failed >= 5)
    assert found["dns", "1"].rate is not None
    assert found["dns", "1"].rate > 0.6


def test_a_port_where_nobody_listens_any_more_is_a_failure(lab: Lab, direct: bool) -> None:
    api = Api([Behind("1", lab.dns())])
    signals, asked = lab.signals(api, direct=direct), step("dns")
    after(signals, asked, so_many(5, "1"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        api.pods = [Behind("1", api.pods[0].server), Behind("2", DnsServer(port=nobody.getsockname()[1]))]
        found = after(signals, asked, lambda found: found.get(("dns", "2"), Counts()).failed >= 3)
    assert found["dns", "1"].failed == 0
    assert found["dns", "2"].rate == 1


def test_a_pod_that_has_just_ended_does_not_fail(lab: Lab, direct: bool) -> None:
    well, going = lab.dns(), DnsServer()
    with serving(going):
        api = Api([Behind("1", well), Behind("2", going)])
        signals, asked = lab.signals(api, direct=direct), step("dns")
        after(signals, asked, so_many(5, "1", "2"))
    time.sleep(0.5)  # so much later the list of endpoints shows it
    api.pods.pop()
    found = after(signals, asked, so_many(60, "1"))
    assert found["dns", "1"].failed == 0
    assert found.get(("dns", "2"), Counts()).failed == 0


def test_a_pod_that_ends_and_still_answers_is_asked_and_its_silence_is_no_failure(lab: Lab, direct: bool) -> None:
    server = lab.dns()
    ending = Behind("1", server, terminating=True)
    signals, asked = lab.signals(Api([ending]), direct=direct), step("dns")
    assert after(signals, asked, so_many(10, "1"))["dns", "1"].failed == 0
    server.behave = lambda _: SILENT
    time.sleep(3.5)
    since = datetime.now(UTC) - timedelta(seconds=3)
    assert counted(signals, asked, since).get(("dns", "1"), Counts()).failed == 0


def test_a_pod_that_does_not_serve_is_not_asked(lab: Lab) -> None:
    asleep = lab.dns()
    api = Api([Behind("1", lab.dns()), Behind("2", asleep, serving=False)])
    found = after(lab.signals(api), step("dns"), so_many(20, "1"))
    assert set(found) == {("dns", "1")}
    assert asleep.queries == []


def test_an_api_server_that_is_away_for_a_while_is_no_failure_of_the_pods(lab: Lab) -> None:
    api = Api([Behind("1", lab.dns())])
    signals, asked = lab.signals(api), step("dns")
    after(signals, asked, so_many(5, "1"))
    api.special = lambda _: refusal(503)
    assert after(signals, asked, so_many(60, "1"))["dns", "1"].failed == 0


def test_of_many_pods_the_first_and_the_last_ones_are_asked(lab: Lab) -> None:
    servers = [lab.dns() for _ in range(20)]
    api = Api([Behind(f"{n}", server) for n, server in enumerate(servers)])
    signals, asked = lab.signals(api, direct=True), step("dns")
    expected = {f"{n}" for n in (*range(8), *range(12, 20))}
    assert {pod for _, pod in after(signals, asked, so_many(2, *expected))} == expected
    api.pods.append(Behind("new", lab.dns()))
    after(signals, asked, so_many(3, "new", "0"))
    since = datetime.now(UTC)
    time.sleep(2.5)
    assert {pod for _, pod in counted(signals, asked, since)} == expected - {"12"} | {"new"}
    assert len([name for name in threads() if "dns-" in name]) == 16


@pytest.mark.skipif(os.geteuid() != 0, reason="the port of DNS takes root")
def test_the_service_is_asked_at_its_address_and_its_failures_count_whoever_ends(lab: Lab) -> None:
    service = lab.dns(address="127.53.0.10", port=53)
    api = Api([Behind("1", lab.dns())], cluster_ip="127.53.0.10")
    signals, asked = lab.signals(api), step("dns")
    found = after(signals, asked, so_many(10, "", "1"))
    assert {counts.failed for counts in found.values()} == {0}
    service.behave = lambda _: SILENT
    api.pods.clear()
    found = after(signals, asked, lambda found: found.get(("dns", ""), Counts()).failed >= 10)
    assert found.get(("dns", "1"), Counts()).failed == 0


# ── Metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fresh_metrics_are_right_and_old_ones_are_not(lab: Lab) -> None:
    api = Api()
    signals, asked = lab.signals(api), step("metrics")
    began = time.monotonic()
    found = after(signals, asked, so_many(10, sli="metrics"))
    assert found["metrics", ""].failed == 0
    assert time.monotonic() - began > 1.7, "five a second, since the API server passes them on"
    api.measured = datetime.now(UTC) - timedelta(minutes=4)
    found = after(signals, asked, so_many(3, sli="metrics"))
    assert found["metrics", ""].failed >= found["metrics", ""].requests - 1


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (refusal(503, "the server is currently unable to handle the request"), True),
        (refusal(404, "the server could not find the requested resource"), True),
        (Answer(body=b"nonsense"), True),
        (Answer(body={"items": [{"timestamp": None}]}), True),
        (refusal(401), False),
        (refusal(403), False),
        (refusal(429), False),
        (Answer(body={}, cut=True), False),
    ],
)
def test_only_what_the_add_on_did_is_its_failure(lab: Lab, answer: Answer, failed: bool) -> None:
    asked_for = []

    def special(request: Request) -> Answer | None:
        if request.path.startswith(_METRICS):
            asked_for.append(request)
            return answer
        return None

    signals, asked = lab.signals(Api(special=special)), step("metrics")
    since = datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(asked_for) > 3)
    found = counted(signals, asked, since)
    assert [counts.rate for counts in found.values()] == ([1] if failed else [])


def test_metrics_that_do_not_come_are_failures_unless_the_api_server_is_not_ready(lab: Lab) -> None:
    silent, ready = threading.Event(), True

    def special(request: Request) -> Answer | None:
        if request.path.startswith(_METRICS):
            return Answer(wait=silent)
        return None if ready or request.path != "/readyz" else refusal(500)

    api = Api(special=special)
    signals, asked = lab.signals(api), step("metrics")
    assert after(signals, asked, so_many(2, sli="metrics"))["metrics", ""].rate == 1
    ready = False
    time.sleep(1.6)
    since = datetime.now(UTC)
    time.sleep(2)
    assert counted(signals, asked, since) == {}
    silent.set()


def test_without_an_api_for_metrics_nothing_is_counted(lab: Lab) -> None:
    seen = []

    def special(request: Request) -> Answer | None:
        seen.append(request.path)
        return refusal(404) if "metrics" in request.path else None

    signals, since = lab.signals(Api(special=special)), datetime.now(UTC)
    signals.counted(step("metrics"), since)
    wait(lambda: "/apis/metrics.k8s.io" in seen)
    time.sleep(0.5)
    assert counted(signals, step("metrics"), since) == {}
    assert seen == ["/apis/metrics.k8s.io"]


# ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────


def hook(name: str = "check.example", **more: Any) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    config = {"service": {"name": "it", "namespace": "addons", "path": "/check"}}
    return {
        "name": name,
        "clientConfig": config,
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
    } | more


def creations(server: ApiServer) -> list[Request]:
    return [request for request in server.seen if request.method == "POST"]


def test_dry_runs_are_made_of_what_a_webhook_must_judge(lab: Lab) -> None:
    server = lab.serve(Api(webhooks=[hook()]))
    found = after(lab.signals(server.url), step("admission"), so_many(6, sli="admission"))
    assert found["admission", ""].failed == 0
    assert {request.path for request in creations(server)} == {f"{_PODS}?dryRun=All"}


def calling(name: str) -> Answer:
    return refusal(500, f'Internal error occurred: failed calling webhook "{name}": no endpoints available')


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (calling("check.example"), Counts(1, 1)),
        (calling("other.example"), None),
        (refusal(403, 'admission webhook "check.example" denied the request: no'), Counts(1, 0)),
        (refusal(403, "pods is forbidden: User cannot create"), None),
        (refusal(401), None),
        (refusal(429), None),
        (refusal(500, "etcd is away"), None),
    ],
)
def test_a_webhook_that_answers_no_answers_and_one_that_cannot_be_called_fails(
    lab: Lab, answer: Answer, counts: Counts | None
) -> None:
    def special(request: Request) -> Answer | None:
        return answer if request.method == "POST" else None

    server = lab.serve(Api(webhooks=[hook()], special=special))
    signals, asked, since = lab.signals(server.url), step("admission"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(creations(server)) > 3)
    found = counted(signals, asked, since).get(("admission", ""))
    assert (found is None) == (counts is None)
    if found and counts:
        assert found.rate == counts.rate


@pytest.mark.parametrize(
    "odd",
    [
        {"failurePolicy": "Ignore"},
        {"matchConditions": [{"name": "some", "expression": "true"}]},
        {"namespaceSelector": {"matchLabels": {"team": "payments"}}},
        {
            "namespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["default"]}]
            }
        },
        {"objectSelector": {"matchLabels": {"inject": "yes"}}},
        {"clientConfig": {"service": {"name": "other", "namespace": "addons"}}},
        {"clientConfig": {"url": "https://elsewhere.example"}},
        {"rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "operations": ["CREATE"]}]},
    ],
    ids=["ignored", "conditions", "other namespaces", "not here", "other objects", "other Service", "URL", "kinds"],
)
def test_a_webhook_of_which_nothing_could_be_told_is_not_counted(lab: Lab, odd: dict[str, Any]) -> None:
    server = lab.serve(Api(webhooks=[hook(**odd)]))
    signals, asked, since = lab.signals(server.url), step("admission"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: any("validating" in request.path for request in server.seen))
    time.sleep(0.4)
    assert counted(signals, asked, since) == {}
    assert creations(server) == []


# ── Reviews ─────────────────────────────────────────────────────────────────────────────────────────────────────


def verdict(request: Request, **more: Any) -> Answer:
    review = json.loads(request.body)["request"]
    return Answer(body={"response": {"uid": review["uid"], "allowed": False, "status": {"code": 400}} | more})


@dataclass
class WebhookServer:
    """A pod's webhooks, over TLS."""

    server: ApiServer
    address: str = "127.0.0.1"

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(request.body)["request"] for request in self.server.seen]


@pytest.fixture
def webhooks(lab: Lab) -> Callable[..., WebhookServer]:
    def served(behave: Callable[[Request], Answer] = verdict, asks: bool = False) -> WebhookServer:
        server = ApiServer(behave, server_tls(lab.folder, asks=asks))
        return WebhookServer(lab.stack.enter_context(running(server)))

    return served


Served = Callable[..., WebhookServer]
_IGNORED = {"failurePolicy": "Ignore"}


def test_pods_are_sent_reviews_also_where_dry_runs_tell_nothing(lab: Lab, webhooks: Served) -> None:
    one, two = webhooks(), webhooks()
    api = Api([Behind("1", one), Behind("2", two)], webhooks=[hook(**_IGNORED, matchConditions=[{"name": "some"}])])
    found = after(lab.signals(api), step("admission"), so_many(5, "1", "2", sli="admission"))
    assert set(found) == {("admission", "1"), ("admission", "2")}
    assert {counts.failed for counts in found.values()} == {0}
    assert {request.path for request in one.server.seen} == {"/check"}
    assert {request.headers["host"] for request in one.server.seen} == {"it.addons.svc"}
    assert all(asked["dryRun"] for asked in one.asked), "nothing is to come of it"
    assert one.asked[0]["kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert len({request.port for request in one.server.seen}) == 1, "one connection for all of them"


def test_a_review_is_of_a_kind_that_the_webhook_is_for(lab: Lab, webhooks: Served) -> None:
    walls = {"apiGroups": ["example.com"], "apiVersions": ["*"], "resources": ["walls"], "operations": ["CREATE"]}
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    server = webhooks()
    hooks = [hook("walls.example", rules=[walls], **_IGNORED), hook("all.example", rules=[everything], **_IGNORED)]
    after(lab.signals(Api([Behind("1", server)], webhooks=hooks)), step("admission"), so_many(4, "1", sli="admission"))
    asked = {(each["kind"]["group"], each["kind"]["kind"], each["resource"]["resource"]) for each in server.asked}
    assert asked == {("example.com", "Wall", "walls"), ("", "Pod", "pods")}


def test_what_is_no_verdict_in_time_is_a_failure_of_that_pod(lab: Lab, webhooks: Served) -> None:
    held, broken = threading.Event(), threading.Event()

    def ill(request: Request) -> Answer:
        return Answer(body={"response": {}}) if broken.is_set() else verdict(request)

    def stuck(request: Request) -> Answer:
        return Answer(wait=held) if broken.is_set() else verdict(request)

    behind = [Behind("well", webhooks()), Behind("ill", webhooks(ill)), Behind("stuck", webhooks(stuck))]
    signals, asked = lab.signals(Api(behind, webhooks=[hook(**_IGNORED)])), step("admission")
    after(signals, asked, so_many(2, "well", "ill", "stuck", sli="admission"))
    broken.set()

    def both(found: dict[tuple[str, str], Counts]) -> bool:
        return all(found.get(("admission", pod), Counts()).failed >= 2 for pod in ("ill", "stuck"))

    found = after(signals, asked, both)
    assert found["admission", "well"].failed == 0
    held.set()


def admitting(request: Request) -> Answer:
    review = json.loads(request.body)["request"]
    return Answer(body={"response": {"uid": review["uid"], "allowed": True}})


def test_a_pod_that_denies_what_those_of_the_beginning_admit_fails(lab: Lab, webhooks: Served) -> None:
    api = Api([Behind("old", webhooks(admitting))], webhooks=[hook(**_IGNORED)])
    signals, asked = lab.signals(api), step("admission")
    after(signals, asked, so_many(2, "old", sli="admission"))
    api.pods = [*api.pods, Behind("new", webhooks())]
    found = after(signals, asked, so_many(4, "old", "new", sli="admission"))
    assert (found["admission", "old"].rate, found["admission", "new"].rate) == (0, 1)
    api.pods = api.pods[1:]
    assert after(signals, asked, so_many(4, "new", sli="admission"))["admission", "new"].rate == 1


def test_what_the_pods_of_the_beginning_come_to_deny_all_may_deny(lab: Lab, webhooks: Served) -> None:
    """Somebody has made a policy meanwhile."""
    policy = threading.Event()
    old = webhooks(lambda request: verdict(request) if policy.is_set() else admitting(request))
    api = Api([Behind("old", old)], webhooks=[hook(**_IGNORED)])
    signals, asked = lab.signals(api), step("admission")
    after(signals, asked, so_many(2, "old", sli="admission"))
    policy.set()
    after(signals, asked, so_many(2, "old", sli="admission"))
    api.pods = [*api.pods, Behind("new", webhooks())]
    found = after(signals, asked, so_many(4, "old", "new", sli="admission"))
    assert {counts.failed for counts in found.values()} == {0}


def test_dry_runs_that_are_denied_after_they_were_admitted_fail(lab: Lab) -> None:
    denies = threading.Event()
    denied = refusal(403, 'admission webhook "check.example" denied the request: no')

    def special(request: Request) -> Answer | None:
        return denied if request.method == "POST" and denies.is_set() else None

    signals, asked = lab.signals(Api(webhooks=[hook()], special=special)), step("admission")
    assert after(signals, asked, so_many(2, sli="admission"))["admission", ""].rate == 0
    denies.set()
    after(signals, asked, so_many(2, sli="admission"))
    assert after(signals, asked, so_many(2, sli="admission"))["admission", ""].rate == 1


def test_a_webhook_that_an_update_moves_does_not_fail(lab: Lab, webhooks: Served) -> None:
    """Its configuration is read again before its new pods fail where it was."""

    def at(path: str) -> Callable[[Request], Answer]:
        return lambda request: verdict(request) if request.path == path else Answer(status=404, body=b"no page")

    api = Api([Behind("old", webhooks(at("/check")))], webhooks=[hook(**_IGNORED)])
    signals, asked, since = lab.signals(api), step("admission"), datetime.now(UTC)
    after(signals, asked, so_many(2, "old", sli="admission"))
    moved = {"service": {"name": "it", "namespace": "addons", "path": "/moved"}}
    api.webhooks = [hook(**_IGNORED, clientConfig=moved)]
    api.pods = [Behind("new", webhooks(at("/moved")))]
    after(signals, asked, so_many(10, "new", sli="admission"))
    assert {counts.failed for counts in counted(signals, asked, since).values()} == {0}


def test_a_webhook_that_answers_only_the_api_server_is_not_counted(lab: Lab, webhooks: Served) -> None:
    closed, refusing = webhooks(asks=True), webhooks(lambda _: refusal(403))
    api = Api([Behind("1", closed), Behind("2", refusing)], webhooks=[hook(**_IGNORED)])
    signals, asked, since = lab.signals(api), step("admission"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(refusing.server.seen) > 5)
    assert counted(signals, asked, since) == {}


def test_a_webhook_with_side_effects_is_not_asked(lab: Lab, webhooks: Served) -> None:
    server = webhooks()
    api = lab.serve(Api([Behind("1", server)], webhooks=[hook(**_IGNORED, sideEffects="Some")]))
    signals, asked, since = lab.signals(api.url), step("admission"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len([request for request in api.seen if "validating" in request.path]) > 1)
    time.sleep(0.5)
    assert server.server.seen == []


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


def with_crds(*names: str) -> Step:
    refs = tuple(ObjectRef.of("CustomResourceDefinition", name) for name in names)
    return replace(step("resources"), objects=refs)


@dataclass
class Kept:
    """Custom resources of one group, and what a list of them at a version is answered."""

    versions: tuple[str, ...] = ("v1", "v1beta1")
    answers: dict[str, Answer] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer | None:
        path, _, query = request.path.partition("?")
        if path == "/apis/example.com":
            return Answer(body={"versions": [{"version": each} for each in self.versions]})
        if not path.startswith("/apis/example.com/"):
            return None
        assert query == "limit=1", "no more than one is converted"
        self.lists.append(path.removeprefix("/apis/example.com/"))
        return self.answers.get(path.split("/")[3], Answer(body={"items": []}))


_NOT_CONVERTED = refusal(500, "conversion webhook for example.com/v1, Kind=Wall failed: Post: connection refused")


def test_custom_resources_are_listed_at_each_version_that_is_served(lab: Lab) -> None:
    kept = Kept()
    began = time.monotonic()
    asked = with_crds("walls.example.com", "doors.example.com")
    found = after(lab.signals(Api(special=kept)), asked, so_many(6, sli="resources"))
    assert found == {("resources", ""): Counts(6, 0)}
    assert time.monotonic() - began > 1.8, "two a second"
    assert set(kept.lists) == {f"{version}/{plural}" for version in kept.versions for plural in ("walls", "doors")}


def test_a_conversion_that_fails_is_asked_on_until_it_is_right(lab: Lab) -> None:
    kept = Kept()
    signals, asked = lab.signals(Api(special=kept)), with_crds(*(f"kind-{n}.example.com" for n in range(9)))
    after(signals, asked, so_many(2, sli="resources"))
    kept.answers["v1beta1"] = _NOT_CONVERTED
    found = after(signals, asked, lambda found: found.get(("resources", ""), Counts()).failed >= 4)
    assert found["resources", ""].rate == pytest.approx(1, abs=0.3), "though one of 18 lists fails"
    kept.answers.clear()
    after(signals, asked, so_many(3, sli="resources"))
    assert after(signals, asked, so_many(2, sli="resources"))["resources", ""].rate == 0


def test_a_version_that_an_update_brings_in_is_listed(lab: Lab) -> None:
    kept = Kept(("v1",))
    signals, asked = lab.signals(Api(special=kept)), with_crds("walls.example.com")
    after(signals, asked, so_many(2, sli="resources"))
    kept.versions, kept.answers["v2"] = ("v1", "v2"), _NOT_CONVERTED
    after(signals, asked, lambda found: found.get(("resources", ""), Counts()).failed >= 2)


@pytest.mark.parametrize("answer", [refusal(403), refusal(404), refusal(429), refusal(500, "etcd is away")])
def test_what_is_no_failed_conversion_is_not_counted(lab: Lab, answer: Answer) -> None:
    kept = Kept(answers={"v1": answer, "v1beta1": answer})
    signals, asked, since = lab.signals(Api(special=kept)), with_crds("walls.example.com"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(set(kept.lists)) == 2)
    assert counted(signals, asked, since) == {}


@pytest.mark.parametrize(("versions", "counts"), [(("v1", "v2"), True), (("v1",), False)])
def test_a_list_that_does_not_come_is_a_failure_where_it_may_be_converted(
    lab: Lab, versions: tuple[str, ...], counts: bool
) -> None:
    held = threading.Event()
    kept = Kept(versions, {each: Answer(wait=held) for each in versions})
    signals, asked, since = lab.signals(Api(special=kept)), with_crds("walls.example.com"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(kept.lists) > 2)
    assert bool(counted(signals, asked, since)) is counts
    held.set()


def _wall(version: str, *, storage: bool) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"name": version, "served": True, "storage": storage, "schema": schema}


@pytest.mark.xdist_group("API server")
def test_a_real_api_server_whose_conversion_fails_is_seen(api: RealApi) -> None:
    """The new version brings conversion by a webhook in, and nobody answers it."""
    objects, name = api.objects(), "walls.signals.example.com"
    names = {"plural": "walls", "kind": "Wall"}
    versions = [_wall("v1", storage=True), _wall("v1beta1", storage=False)]
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": "signals.example.com", "names": names, "scope": "Cluster", "versions": versions},
    }
    ref = objects.apply(crd).ref
    signals, asked = ProbeSignals(connect(None, str(api.kubeconfig))), with_crds(name)
    try:
        wait(lambda: applied(objects, {"apiVersion": "signals.example.com/v1", "kind": "Wall"}))
        found = after(signals, asked, so_many(4, sli="resources"))
        assert found["resources", ""].failed == 0
        config = {"clientConfig": {"url": "https://127.0.0.1:1/convert"}, "conversionReviewVersions": ["v1"]}
        objects.patch(ref, {"spec": {"conversion": {"strategy": "Webhook", "webhook": config}}})
        after(signals, asked, lambda found: found.get(("resources", ""), Counts()).failed >= 4)
        objects.patch(ref, {"spec": {"conversion": {"strategy": "None", "webhook": None}}})
        wait(lambda: after(signals, asked, so_many(1, sli="resources"))["resources", ""].failed == 0)
        assert after(signals, asked, so_many(4, sli="resources"))["resources", ""].failed == 0
    finally:
        signals.close()
        objects.delete(ref)


def applied(objects: ApiObjects, document: dict[str, Any]) -> bool:
    """Whether the API of a CRD serves by now."""
    with contextlib.suppress(AddonctlError):
        objects.apply({**document, "metadata": {"name": "it"}})
        return True
    return False


# ── Beginning and ending ────────────────────────────────────────────────────────────────────────────────────────


def wait(done: Callable[[], bool]) -> None:
    until = time.monotonic() + _DEADLINE_S
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def closed_in_s(signals: ProbeSignals) -> float:
    began = time.monotonic()
    signals.close()
    signals.close()
    return time.monotonic() - began


def test_nothing_is_asked_before_the_first_count_and_nothing_after_the_end(lab: Lab) -> None:
    dns = lab.dns()
    server = lab.serve(Api([Behind("1", dns)], webhooks=[hook()]))
    signals, asked = lab.signals(server.url, direct=False), step("dns", "metrics", "admission", "ready")
    time.sleep(0.2)
    assert (server.seen, threads()) == ([], [])
    found = after(signals, asked, lambda found: len(found) == 3)
    assert {sli for sli, _ in found} == {"dns", "metrics", "admission"}
    assert closed_in_s(signals) < 2
    assert threads() == []
    time.sleep(0.3)  # what was under way arrives
    seen, queries = len(server.seen), len(dns.queries)
    time.sleep(0.5)
    assert (len(server.seen), len(dns.queries)) == (seen, queries)
    assert counted(signals, asked, datetime.now(UTC)) == {}, "and it begins anew"


def test_another_step_ends_the_probing_of_the_last(lab: Lab) -> None:
    signals = lab.signals(Api([Behind("1", lab.dns())]))
    after(signals, step("dns"), so_many(3, "1"))
    after(signals, step("metrics"), so_many(1, sli="metrics"))
    wait(lambda: [name for name in threads() if "dns" in name] == [])


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refusing"])
def test_an_api_server_that_does_not_answer_is_left_in_time(lab: Lab, silent: bool) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if silent:
            listening.listen()
        signals = lab.signals(f"http://127.0.0.1:{listening.getsockname()[1]}")
        asked, since = step("dns", "metrics", "admission"), datetime.now(UTC)
        assert signals.counted(asked, since) == ()
        time.sleep(0.3)
        assert len(threads()) == 3
        assert closed_in_s(signals) < 2
        assert threads() == []
        assert signals.counted(asked, since) == ()
        assert closed_in_s(signals) < 2


def test_port_forwards_that_do_not_answer_are_left_in_time(lab: Lab) -> None:
    held = threading.Event()

    def special(request: Request) -> Answer | None:
        return Answer(wait=held) if "portforward" in request.path else None

    server = lab.serve(Api([Behind("1", lab.dns()), Behind("2", lab.dns())], special=special))
    signals, since = lab.signals(server.url, direct=False), datetime.now(UTC)
    signals.counted(step("dns"), since)
    wait(lambda: any("portforward" in request.path for request in server.seen))
    assert closed_in_s(signals) < 2
    assert threads() == []
    held.set()
    assert counted(signals, step("dns"), since) == {}


@pytest.mark.parametrize("code", [401, 403])
def test_who_may_not_ask_counts_nothing_and_tells_no_secret(
    lab: Lab, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server = lab.serve(Api(special=lambda _: refusal(code, "hunter2")))
    signals, asked, since = lab.signals(server.url), step("dns", "metrics", "admission"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len(server.seen) >= 3)
    assert counted(signals, asked, since) == {}
    assert closed_in_s(signals) < 2
    assert capsys.readouterr() == ("", "")


def test_who_may_not_forward_ports_counts_nothing(lab: Lab) -> None:
    def special(request: Request) -> Answer | None:
        return refusal(403, "pods/portforward is forbidden") if "portforward" in request.path else None

    server = lab.serve(Api([Behind("1", lab.dns())], special=special))
    signals, asked, since = lab.signals(server.url, direct=False), step("dns"), datetime.now(UTC)
    signals.counted(asked, since)
    wait(lambda: len([request for request in server.seen if "portforward" in request.path]) > 2)
    assert counted(signals, asked, since) == {}
