"""What every Prometheus answers: a real one at its address, behind TLS with a token, and through a service proxy.

What only others say (Thanos' warnings, partial answers of VictoriaMetrics, login pages) is played on loopback.
"""

import hashlib
import hmac
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from addonctl import errors
from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.prometheus import Found, Place, Prometheus, Series, at, found, inside
from tests.cluster import prometheus as real
from tests.contracts.api_server import (
    Answer,
    ApiServer,
    Request,
    Route,
    authority,
    kubeconfig_of,
    refusal,
    running,
    server_tls,
)

_BEGAN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_STEP_S, _STEPS = 30, 20
_TOKEN = "hunter2-of-prometheus"
_SERVICE = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"


def _history() -> str:
    """Two pods that answer 100 requests a step, the second of which fails a tenth and begins anew in the middle."""
    lines = ["# TYPE requests counter"]
    for pod, bad in (("a", 0), ("b", 10)):
        for code, each in (("200", 100 - bad), ("500", bad)):
            for step in range(_STEPS):
                moment = _BEGAN.timestamp() + step * _STEP_S
                value = each * (step if pod == "a" or step < 10 else step - 10)
                lines.append(f'requests_total{{pod="{pod}",code="{code}"}} {value} {moment:.0f}')
    return "\n".join((*lines, "# TYPE odd gauge", f'odd{{kind="nan"}} NaN {_BEGAN.timestamp():.0f}', "# EOF", ""))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if absent := real.missing():
        pytest.skip(f"a real Prometheus needs {absent}")
    with real.serving(tmp_path_factory.mktemp("prometheus"), history=_history()) as address:
        yield address


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def _relayed(url: str, request: Request) -> Answer:
    """What the real one answers to a request that came to somebody else."""
    given = {"Content-Type": request.headers.get("content-type", "")}
    data = request.body if request.method == "POST" else None
    asked = urllib.request.Request(url + request.path, data, given, method=request.method)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return Answer(status=answer.status, body=answer.read(), headers={"Content-Type": "application/json"})
    except urllib.error.HTTPError as error:
        return Answer(status=error.code, body=error.read(), headers={"Content-Type": "application/json"})


def _served(stack: ExitStack, route: Route, tls: Any = None) -> ApiServer:
    server: ApiServer = stack.enter_context(running(ApiServer(route, tls)))
    return server


def _as_it_is(url: str, _stack: ExitStack, _folder: Path) -> Prometheus:
    return at(Place(url=url))


def _behind_tls(url: str, stack: ExitStack, folder: Path) -> Prometheus:
    def route(request: Request) -> Answer:
        if request.user != _TOKEN or request.headers.get("x-scope-orgid") != "team-a":
            return Answer(status=401, body=b"who are you?")
        return _relayed(url, Request(**{**_fields(request), "path": request.path.removeprefix("/prometheus")}))

    server = _served(stack, route, server_tls(folder))
    for name, text in (("ca", authority().pem), ("token", _TOKEN), ("headers", "X-Scope-OrgID: team-a\n")):
        (folder / name).write_text(text)
    return at(
        Place(
            url=f"{server.url}/prometheus/",
            ca_file=f"{folder}/ca",
            token_file=f"{folder}/token",
            headers_file=f"{folder}/headers",
        )
    )


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in ("method", "path", "headers", "body")}


def _through_the_api_server(url: str, stack: ExitStack, folder: Path) -> Prometheus:
    def route(request: Request) -> Answer:
        if not request.path.startswith(_SERVICE):
            return refusal(404)
        return _relayed(url, Request(**{**_fields(request), "path": request.path.removeprefix(_SERVICE)}))

    connection = connect(None, kubeconfig_of(folder, _served(stack, route).url))
    return inside(connection, Found("monitoring", "prometheus", 9090, ""))


Way = Callable[[str, ExitStack, Path], Prometheus]


@pytest.fixture(params=[_as_it_is, _behind_tls, _through_the_api_server])
def prometheus(request: pytest.FixtureRequest, url: str, stack: ExitStack, tmp_path: Path) -> Prometheus:
    way: Way = request.param
    return way(url, stack, tmp_path)


# ── What all answer ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_instant_query_gives_each_series_at_that_time(prometheus: Prometheus) -> None:
    moment = _BEGAN + timedelta(seconds=5 * _STEP_S)
    answer = prometheus.instant("sum by (pod) (requests_total)", moment)
    by_pod = {each.labels["pod"]: each.points for each in answer.series}
    assert by_pod == {pod: ((moment.timestamp(), 500.0),) for pod in ("a", "b")}
    assert answer.warnings == ()


def test_a_range_vector_gives_the_points_as_they_are(prometheus: Prometheus) -> None:
    moment = _BEGAN + timedelta(seconds=3 * _STEP_S)
    (series,) = prometheus.instant('requests_total{pod="b", code="500"}[1m]', moment).series
    at = moment.timestamp()
    assert series.points == ((at - 30, 20.0), (at, 30.0))  # a range is open at its beginning


def test_a_range_query_gives_values_that_far_apart(prometheus: Prometheus) -> None:
    start, end = _BEGAN, _BEGAN + timedelta(seconds=4 * _STEP_S)
    (series,) = prometheus.range('requests_total{pod="a", code="200"}', start, end, 60).series
    began = start.timestamp()
    assert series.points == ((began, 0.0), (began + 60, 200.0), (began + 120, 400.0))


def test_a_scalar_is_one_series_without_labels(prometheus: Prometheus) -> None:
    assert prometheus.instant("scalar(vector(7))", _BEGAN).series == (Series({}, ((_BEGAN.timestamp(), 7.0),)),)


def test_what_is_no_number_is_no_point(prometheus: Prometheus) -> None:
    assert prometheus.instant("odd", _BEGAN).series == (Series({"__name__": "odd", "kind": "nan"}, ()),)
    assert prometheus.instant("vector(1) / 0", _BEGAN).series[0].points[0][1] == float("inf")


def test_of_what_is_not_there_nothing_is_found(prometheus: Prometheus) -> None:
    assert prometheus.instant("no_such_metric").series == ()
    assert prometheus.label_values("no_such_label").values == ()


def test_the_values_of_a_label(prometheus: Prometheus) -> None:
    assert prometheus.label_values("pod").values == ("a", "b")
    assert prometheus.label_values("pod", 'requests_total{pod!="a"}').values == ("b",)


def test_a_query_too_long_for_a_url_is_asked_all_the_same(prometheus: Prometheus) -> None:
    query = " or ".join(f'requests_total{{pod="{n}"}}' for n in ("a", *range(300)))
    assert len(prometheus.instant(query, _BEGAN).series) == 2


def test_a_selector_takes_values_as_they_are(prometheus: Prometheus) -> None:
    wanted = prometheus.selector(("requests_total",), {"code": ("500", "50.", '"'), "pod": ("b",)})
    assert [each.labels["code"] for each in prometheus.instant(wanted, _BEGAN).series] == ["500"]
    assert prometheus.instant(prometheus.selector(("requests_total",), {"code": ("5..",)}), _BEGAN).series == ()


def test_a_query_that_cannot_be_run_is_refused_in_its_words(prometheus: Prometheus) -> None:
    with pytest.raises(errors.Invalid, match="parse error") as refused:
        prometheus.instant("sum(")
    assert refused.value.fix
    assert refused.value.reason == "bad_data"
    with pytest.raises(errors.Invalid, match="many-to-many"):
        prometheus.instant("requests_total + on () requests_total", _BEGAN)


def test_another_path_is_none_of_its_api(prometheus: Prometheus) -> None:
    elsewhere = Prometheus("it", prometheus.connection, f"{prometheus.path}/select/0")
    with pytest.raises(errors.NotServed) as missing:
        elsewhere.instant("up")
    assert "path" in missing.value.fix


# ── What only some say ──────────────────────────────────────────────────────────────────────────────────────────


def played(stack: ExitStack, answer: Answer | Route, **place: Any) -> Prometheus:
    server = _served(stack, answer if callable(answer) else lambda _: answer)
    return at(Place(url=server.url, **place))


def _vector(*values: Any, **more: Any) -> Answer:
    result = [{"metric": {"pod": "a"}, "value": [1, value]} for value in values]
    return Answer(body={"status": "success", "data": {"resultType": "vector", "result": result}, **more})


def test_a_partial_answer_says_so(stack: ExitStack) -> None:
    thanos = played(stack, _vector("1", warnings=["store 10.0.0.7:10901 did not answer: password=hunter2"]))
    (warning,) = thanos.instant("up").warnings
    assert warning.startswith("store 10.0.0.7:10901 did not answer")
    assert "hunter2" not in warning
    victoria = played(stack, _vector("1", isPartial=True))
    assert victoria.instant("up").warnings == ("the answer is partial",)
    assert victoria.instant("up").series[0].points == ((1.0, 1.0),)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=401, body=b"no"), errors.NotAllowed),
        (Answer(status=403, body=b"no"), errors.Forbidden),
        (Answer(status=302, headers={"Location": "https://login.example.com/?token=hunter2"}), errors.Broken),
        (Answer(body=b"<html>log in</html>"), errors.Broken),
        (Answer(body={"status": "success", "data": {"resultType": "vector", "result": 3}}), errors.Broken),
        (Answer(body={"status": "error", "errorType": "timeout", "error": "hunter2 token=hunter2"}), errors.Invalid),
        (Answer(body=b"{"), errors.Broken),
        (_vector("hunter2"), errors.Broken),
        (Answer(status=503, body={"status": "error", "errorType": "unavailable", "error": "x"}), errors.Unavailable),
        (Answer(status=504, body=b""), errors.TimedOut),
        (
            Answer(status=422, body={"status": "error", "errorType": "execution", "error": "too many samples"}),
            errors.Invalid,
        ),
    ],
)
def test_what_goes_wrong_says_how_to_put_it_right(
    stack: ExitStack, answer: Answer, error: type[errors.AddonctlError]
) -> None:
    asked = played(stack, answer)
    asked.connection.retries = False  # type: ignore[attr-defined]
    with pytest.raises(error) as raised:
        asked.instant("up")
    assert raised.value.fix
    assert "kubeconfig" not in str(raised.value)
    assert "token=hunter2" not in str(raised.value)


def test_nobody_answers(stack: ExitStack) -> None:
    asked = played(stack, _vector("1"))
    stack.close()
    with pytest.raises(errors.NotReachable) as raised:
        asked.instant("up")
    assert "address" in raised.value.fix


def test_an_answer_that_does_not_come_in_time(stack: ExitStack) -> None:
    never = threading.Event()
    stack.callback(never.set)
    asked = played(stack, Answer(body={}, wait=never), timeout_s=0.3)
    with pytest.raises(errors.TimedOut, match="in time"):
        asked.instant("up")


# ── Places that cannot be used ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url", ["prometheus:9090", "ftp://x", "https://", "https://x:port", "https://x?dedup=true", "https://me:hunter2@x"]
)
def test_what_is_no_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(errors.BadInput) as raised:
        at(Place(url=url))
    assert raised.value.fix
    assert "hunter2" not in str(raised.value)


def test_a_file_that_cannot_be_used_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("X-Scope-OrgID: a\nhunter2 is no header\n")
    with pytest.raises(errors.BadInput, match="Line 2") as raised:
        at(Place(url="http://x", headers_file=f"{tmp_path}/headers"))
    assert "hunter2" not in str(raised.value)
    with pytest.raises(errors.BadInput, match="cannot be read"):
        at(Place(url="http://x", ca_file=f"{tmp_path}/none"))
    with pytest.raises(errors.BadInput, match="cannot be read"):
        at(Place(url="http://127.0.0.1:9", token_file=f"{tmp_path}/none")).instant("up")


def test_a_token_that_is_replaced_is_read_again(stack: ExitStack, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    now = ["old"]
    asked = played(
        stack,
        lambda request: _vector("1") if request.user == now[0] else Answer(status=401, body=b"no"),
        token_file=str(token),
    )
    asked.instant("up")
    token.write_text("new")
    now[0] = "new"
    assert asked.instant("up").series


def test_nothing_of_a_place_shows_its_secrets(tmp_path: Path) -> None:
    for name in ("token", "headers"):
        (tmp_path / name).write_text(f"Authorization: {_TOKEN}")
    one = at(Place(url="https://x", token_file=f"{tmp_path}/token", headers_file=f"{tmp_path}/headers"))
    assert _TOKEN not in repr(one)


# ── Amazon's ────────────────────────────────────────────────────────────────────────────────────────────────────


def _signature(request: Request, secret: str, region: str) -> str:
    """What AWS computes of a request that arrived (Signature Version 4), from nothing but that."""
    path, _, query = request.path.partition("?")
    scope_date = request.headers["x-amz-date"][:8]
    words = dict(part.strip().split("=", 1) for part in request.headers["authorization"].split(" ", 1)[1].split(","))
    names = words["SignedHeaders"].split(";")
    canonical = "\n".join(
        (
            request.method,
            path,
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{request.headers[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = f"{scope_date}/{region}/aps/aws4_request"
    text = (
        f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    key = f"AWS4{secret}".encode()
    for part in (scope_date, region, "aps", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("query", ["up", 'sum by (pod) (rate(x{a="b+c/d~e%"}[5m])) > 1', "x or " * 1500 + "x"])
def test_a_request_to_amazon_is_signed_as_it_is_sent(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-of-aws")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hunter2-of-sts")
    server = _served(stack, lambda _: _vector("1"))
    asked = at(Place(url=f"{server.url}/workspaces/ws-1", region="eu-west-1"))
    assert asked.instant(query).series
    (seen,) = server.seen
    form = seen.body.decode() if seen.method == "POST" else urlsplit(seen.path).query
    assert parse_qs(form)["query"] == [query]
    assert unquote(urlsplit(seen.path).path) == "/workspaces/ws-1/api/v1/query"
    assert seen.headers["x-amz-security-token"] == "hunter2-of-sts"
    assert seen.headers["authorization"].endswith(f"Signature={_signature(seen, 'hunter2-of-aws', 'eu-west-1')}")
    assert "hunter2" not in repr(asked)


def test_amazons_address_says_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for host in ("aps-workspaces.eu-west-1.amazonaws.com", "vpce-1.aps-workspaces.eu-west-1.vpce.amazonaws.com"):
        assert type(at(Place(url=f"https://{host}/workspaces/ws-1")).connection).__name__ == "_Signed"


def test_without_credentials_of_aws_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    with pytest.raises(errors.NotAllowed, match="no AWS credentials"):
        at(Place(url="https://x", region="eu-west-1"))
    with pytest.raises(errors.BadInput, match="nobody"):
        at(Place(url="https://x", region="eu-west-1"), profile="nobody")


# ── In a cluster ────────────────────────────────────────────────────────────────────────────────────────────────


def _service(name: str, labels: dict[str, str], *ports: tuple[str, int]) -> dict[str, Any]:
    listed = [{"name": port, "port": number} for port, number in ports]
    return {"metadata": {"name": name, "namespace": "monitoring", "labels": labels}, "spec": {"ports": listed}}


def test_those_of_a_cluster_are_found_by_their_services_labels(stack: ExitStack, tmp_path: Path) -> None:
    services = [
        _service("web", {"app": "web"}, ("http", 80)),
        _service("prometheus-operated", {"operated-prometheus": "true"}, ("http-web", 9090)),
        _service(
            "stack", {"app": "kube-prometheus-stack-prometheus", "x": "y"}, ("reloader", 8080), ("http-web", 9091)
        ),
        _service("vm", {"app.kubernetes.io/name": "vmselect"}, ("http", 8481)),
        _service("without-ports", {"app.kubernetes.io/name": "vmsingle"}),
    ]
    bodies: dict[str, Any] = {
        "/api/v1": {"resources": [{"name": "services", "kind": "Service", "namespaced": True}]},
        "/api/v1/services": {"items": services},
    }

    def route(request: Request) -> Answer:
        body = bodies.get(urlsplit(request.path).path)
        return refusal(404) if body is None else Answer(body=body)

    connection = connect(None, kubeconfig_of(tmp_path, _served(stack, route).url))
    assert found(ApiObjects(connection)) == (
        Found("monitoring", "vm", 8481, "/select/0/prometheus"),
        Found("monitoring", "stack", 9091, ""),
        Found("monitoring", "prometheus-operated", 9090, ""),
    )


def test_a_service_proxy_that_is_not_allowed_says_the_right_that_is_missing(stack: ExitStack, tmp_path: Path) -> None:
    connection = connect(None, kubeconfig_of(tmp_path, _served(stack, lambda _: refusal(403)).url))
    with pytest.raises(errors.Forbidden) as raised:
        inside(connection, Found("monitoring", "prometheus", 9090, "")).instant("up")
    assert "services/proxy" in raised.value.fix
