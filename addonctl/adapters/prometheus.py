"""What speaks Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics, Amazon Managed Service for Prometheus.

It is asked at its own address, or inside the cluster through the API server's service proxy. What is asked, and what
the answer means, is the caller's. Tokens and headers come from files and are in no error; a partial answer says so.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from addonctl.adapters import redact, shapes
from addonctl.adapters.api_connection import Connection
from addonctl.adapters.api_protocol import ApiConnection
from addonctl.adapters.api_transport import Timeouts
from addonctl.adapters.credentials import Credential, Credentials, of_token_file
from addonctl.adapters.kubeconfig import Server
from addonctl.errors import (
    AddonctlError,
    BadInput,
    Broken,
    Invalid,
    NotAllowed,
    NotFound,
    NotReachable,
    NotServed,
    NotTrusted,
    TimedOut,
)
from addonctl.model import live

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from addonctl.adapters.api_objects import ApiObjects

# A longer query is sent as a form: proxies cut URLs of some 8 KB.
_URL_CHARACTERS = 4000
_T = TypeVar("_T")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels, and (seconds since the epoch, value) in order. There is no NaN: that is no number."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found. `warnings`: what the server said of it; with one, it may be a part of the truth."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelValues:
    """The values that a label has, and what the server said of them."""

    values: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that can be asked, safe to use from several threads.

    `name` is what people are told, `labels` belong to every series of this cluster where others share the server. All
    questions raise the errors of ApiConnection: Invalid for a query that cannot be run, NotServed where no such API is.
    """

    name: str
    connection: ApiConnection
    path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def instant(self, query: str, at: datetime | None = None) -> Answer:
        """The value of each series at a time; now by default. Of a range vector, all of its points."""
        when = {} if at is None else {"time": _seconds(at)}
        return self._ask("query", {"query": query, **when}, _answer)

    def range(self, query: str, start: datetime, end: datetime, step_s: float) -> Answer:
        """The values of each series from `start` to `end`, `step_s` apart."""
        times = {"start": _seconds(start), "end": _seconds(end), "step": f"{step_s:g}"}
        return self._ask("query_range", {"query": query, **times}, _answer)

    def label_values(self, label: str, match: str = "") -> LabelValues:
        """The values of a label, of the series that a selector matches."""
        what = f"label/{quote(label, safe='')}/values"
        return self._ask(what, {"match[]": match} if match else {}, _label_values)

    def selector(self, metrics: Iterable[str], where: Mapping[str, Iterable[str]] | None = None) -> str:
        """A selector of metrics by name, and of the values that labels may have; `labels` are always asked for."""
        wanted = {"__name__": metrics, **(where or {}), **{name: (value,) for name, value in self.labels.items()}}
        matchers = ", ".join(f"{name}=~{_quoted(_any_of(values))}" for name, values in wanted.items())
        return f"{{{matchers}}}"

    def _ask(self, what: str, query: Mapping[str, str], read: "Callable[[_Reply], _T]") -> _T:
        path, form = f"{self.path}/api/v1/{what}", urlencode(query)
        try:
            if len(form) > _URL_CHARACTERS:
                answer = self.connection.request("POST", path, body=form.encode(), headers=_FORM)
            else:
                answer = self.connection.request("GET", path, query)
            said: _Reply = _read(answer.body, _Reply)
            if said.status != "success":
                raise Invalid(f"{self.name} refused: {redact.message(said.error) or 'no reason given'}")
            return read(said)
        except AddonctlError as error:
            error.fix = _fix(error)
            raise


def _seconds(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"


def _any_of(values: Iterable[str]) -> str:
    return "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)


_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def _quoted(text: str) -> str:
    """A string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class _Reply(msgspec.Struct, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    warnings: tuple[str, ...] = ()
    is_partial: bool = False  # VictoriaMetrics


class _Result(msgspec.Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


def _read(body: "bytes | msgspec.Raw", shape: Any) -> Any:
    try:
        return shapes.decode(body, shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # names a path and types, no values
        raise Broken(f"The answer is none of Prometheus' HTTP API: {error}") from error


def _answer(said: _Reply) -> Answer:
    """Native histograms have no value of their own: a query that finds them finds series without points."""
    data: _Data = _read(said.data, _Data)
    if data.result_type in ("scalar", "string"):
        results = [_Result(value=_read(data.result, tuple[float, str]))]
    else:
        results = _read(data.result, list[_Result])
    return Answer(tuple(map(_series, results)), _warnings(said))


def _series(one: _Result) -> Series:
    said = (*one.values, *([one.value] if one.value else ()))
    try:
        points = tuple((at, value) for at, text in said if not math.isnan(value := float(text)))
    except ValueError as error:
        raise Broken("The answer has values that are no numbers") from error
    return Series(one.metric, points)


def _label_values(said: _Reply) -> LabelValues:
    return LabelValues(tuple(_read(said.data, list[str])), _warnings(said))


def _warnings(said: _Reply) -> tuple[str, ...]:
    partial = ("the answer is partial",) if said.is_partial else ()
    return (*map(redact.message, said.warnings), *partial)


_CHECK = "Check it under `prometheus` in the settings"
_FIXES: tuple[tuple[type[AddonctlError], str], ...] = (
    (NotFound, "Look for it again: its Service is gone."),
    (NotAllowed, f"{_CHECK}: token_file, headers_file or region; inside the cluster it takes `get` on services/proxy."),
    (NotTrusted, f"{_CHECK}: ca_file, cert_file, key_file and tls_server_name."),
    (TimedOut, "Try again, or wait longer: `timeout_s` in the settings."),
    (NotReachable, "Check its address, network, VPN and proxy."),
    (NotServed, "Check its address: a path may be missing, such as /prometheus or /select/0/prometheus."),
    (Broken, f"Another server answers there, or a login page. {_CHECK}: url, token_file."),
)


def _fix(error: AddonctlError) -> str:
    """What is wrong with an API server is fixed elsewhere."""
    return next((fix for kind, fix in _FIXES if isinstance(error, kind)), "Check the Prometheus that answered.")


# ── At an address ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address and how to ask there; what is secret is in files.

    It knows the clusters whose names are as `cluster`. `headers_file` has one `Name: value` a line. `region`: requests
    are signed for AWS; known from AWS's own addresses. `labels`: see Prometheus.
    """

    url: str
    cluster: str = "*"
    token_file: str = ""
    headers_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    tls_server_name: str = ""
    insecure: bool = False
    region: str = ""
    timeout_s: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


_AMAZON = re.compile(r"\baps-workspaces(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)")


def at(place: Place, profile: str = "") -> Prometheus:
    """The one at a place; nothing is asked yet. `profile` is one of AWS. Raises BadInput where it cannot be used."""
    address = _address(place.url)
    name = redact.url(address)
    server = Server(
        name=name,
        url=address,
        ca_pem=_file(place.ca_file),
        tls_server_name=place.tls_server_name,
        insecure=place.insecure,
    )
    region = place.region or next(iter(_AMAZON.findall(address)), "")
    given = (name, address, "", server, _credentials(place), Timeouts.of(place.timeout_s))
    connection = _Signed(*given, sign=_signer(region, profile)) if region else Connection(*given)
    return Prometheus(name, connection, labels=place.labels)


def _address(url: str) -> str:
    parts = urlsplit(url)
    try:
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        fix = "Give its URL without query, such as https://prometheus.example.com or https://example.com/prometheus."
        raise BadInput(f"{redact.url(url)[:100]!r} is not the address of a Prometheus", fix)
    if parts.username is not None:
        raise BadInput(f"The address {redact.url(url)} has a user in it", "Put `Authorization: …` into a headers_file.")
    return url.rstrip("/")


def _credentials(place: Place) -> Credentials:
    fixed = Credential(
        headers=tuple(_headers(place.headers_file)),
        certificate_pem=_file(place.cert_file),
        key_pem=_file(place.key_file or place.cert_file),
    )
    if place.token_file:
        return of_token_file(Path(place.token_file).expanduser(), fixed)
    return Credentials(lambda: fixed, renewable=False)


def _headers(name: str) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(_file(name).splitlines(), start=1):
        header, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not _HEADER.fullmatch(header):
            raise BadInput(f"Line {number} of {name} is not a header", "Each line is one: `X-Scope-OrgID: team-a`.")
        yield header, value.strip()


_HEADER = re.compile(r"[A-Za-z0-9-]+")


def _file(name: str) -> str:
    if not name:
        return ""
    try:
        return Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise BadInput(f"{name} cannot be read: {why}", "Check the path and its permissions.") from error


# ── Signed for AWS ──────────────────────────────────────────────────────────────────────────────────────────────

_Sign = Callable[[str, str, bytes | None], Mapping[str, str]]


def _unsigned(_method: str, _url: str, _body: bytes | None) -> Mapping[str, str]:
    return {}


@dataclass(eq=False)
class _Signed(Connection):
    """Each request is signed anew. What is signed is what is sent: AWS takes a `+` in a query for a plus."""

    sign: _Sign = _unsigned

    def _send(
        self,
        credential: Credential,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        read_timeout_s: float,
    ) -> "BaseHTTPResponse":
        target = target.replace("+", "%20")
        signed = {**headers, **self.sign(method, f"{self.server}{target}", body)}
        return super()._send(credential, method, target, body, signed, read_timeout_s)


def _signer(region: str, profile: str) -> _Sign:
    """Signs by the Signature Version 4 of AWS, with the credentials that its SDK finds. Raises NotAllowed."""
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError

    try:
        held = boto3.Session(profile_name=profile or None).get_credentials()
    except BotoCoreError as error:
        raise BadInput(f"AWS credentials cannot be used: {redact.message(str(error))}", "Check --profile.") from error
    if held is None:
        raise NotAllowed("There are no AWS credentials to ask Amazon's Prometheus with", "Log in, or give --profile.")

    def sign(method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        request = AWSRequest(method, url, data=body)
        try:
            SigV4Auth(held.get_frozen_credentials(), "aps", region).add_auth(request)
        except BotoCoreError as error:
            what = f"AWS credentials cannot be renewed: {redact.message(str(error))}"
            raise NotAllowed(what, "Log in again.") from error
        return dict(request.headers.items())

    return sign


# ── Inside the cluster ──────────────────────────────────────────────────────────────────────────────────────────


class _Convention(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the Services of one are labelled. `ports`: names that its port may have; else it is the first."""

    labels: dict[str, str]
    ports: tuple[str, ...] = ()
    path: str = ""


class _Conventions(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    as_of: str
    source: str
    services: tuple[_Convention, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A Service behind which one answers."""

    namespace: str
    service: str
    port: int
    path: str


def found(objects: "ApiObjects") -> tuple[Found, ...]:
    """Those that are in the cluster, by the labels of their Services; what knows more comes first.

    Raises the errors of ApiConnection.
    """
    services = objects.list(live.Kind("", "Service"), "")
    return tuple(
        Found(each.ref.namespace, each.ref.name, port, known.path)
        for known in _conventions()
        for each in services
        if known.labels.items() <= ((each.document.get("metadata") or {}).get("labels") or {}).items()
        and (port := _port(each.document, known))
    )


def inside(connection: ApiConnection, place: Found, labels: Mapping[str, str] | None = None) -> Prometheus:
    """The one behind a Service, through the API server."""
    service = f"/api/v1/namespaces/{quote(place.namespace)}/services/{quote(place.service)}:{place.port}/proxy"
    return Prometheus(f"Service {place.namespace}/{place.service}", connection, service + place.path, labels or {})


def choose(given: str, names: Iterable[str], known: Sequence[Place], connection: ApiConnection) -> Prometheus | None:
    """One that answers for the cluster of these names: that at the address given, that of the settings, or one inside.

    `known` are those of the settings; the address given is asked as they say of it. None: there is none. Raises the
    errors of ApiConnection, where none of those that there are answers.
    """
    from addonctl.adapters.api_objects import ApiObjects

    places = [each for each in known if any(fnmatchcase(name, each.cluster) for name in names)]
    if given:
        places = [*(each for each in places if each.url == given), Place(url=given)]
    asked = [at(each) for each in places[:1]] or [inside(connection, each) for each in found(ApiObjects(connection))]
    failed: AddonctlError | None = None
    for each in asked:
        try:
            each.instant("vector(1)")
            return each
        except AddonctlError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return None


def _conventions() -> tuple[_Convention, ...]:
    import yaml

    from addonctl.adapters import yaml_loader

    text = (resources.files("addonctl") / "data" / "prometheus.yaml").read_text()
    return shapes.convert(yaml.load(text, Loader=yaml_loader.usual()), _Conventions, strict=False).services


def _port(service: Mapping[str, Any], known: _Convention) -> int:
    """Its number; 0: there is none."""
    ports = [each for each in service["spec"].get("ports") or () if each.get("protocol", "TCP") == "TCP"]
    named = [each for name in known.ports for each in ports if each.get("name") == name]
    return next((int(each["port"]) for each in (*named, *ports)), 0)
