"""Filters settings: only those that the catalog lists are kept, and only in the form that it gives.

A form is narrow enough that no secret matches it: a number, a boolean, one of a few words, a host, or the skeleton of a
Corefile. Called by the decoders of Kubernetes objects.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from addonctl.catalog import Form, SettingForm

_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,6})?", re.ASCII)
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
# The last label of a host name has only letters, which is unlikely for a token or a password that contains a dot.
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,10}[a-z]{2,24}", re.ASCII)


def kept(value: str, form: SettingForm) -> str:
    """`value` if it has the form, reduced to what the form keeps; otherwise empty."""
    match form:
        case Form.NUMBER:
            return value if _NUMBER.fullmatch(value) else ""
        case Form.BOOLEAN:
            return value if _BOOLEAN.fullmatch(value) else ""
        case Form.COREFILE:
            return corefile(value)
        case words:
            return value if value in words else ""


def settings(values: Mapping[str, str], forms: Mapping[str, SettingForm]) -> dict[str, str]:
    """Those of `values` that `forms` lists, each in its form; others are omitted."""
    found = ((name, kept(values[name], form)) for name, form in forms.items() if name in values)
    return {name: value for name, value in found if value}


def host(address: str) -> str:
    """The host of a URL or of `host:port`: a full domain name or an IP address, otherwise empty."""
    rest = address.rpartition("://")[2] if "://" in address else address
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :]:
        return ""  # a password may contain a slash, so the start of the host is ambiguous
    name = authority.rpartition("@")[2]
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name if _HOST.fullmatch(name) or _is_address(name) else ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# ── Corefile ────────────────────────────────────────────────────────────────────────────────────────────────────

# CoreDNS's plugins, and those that Kubernetes distributions add: a closed list, so that no argument is taken for one.
# Source: plugin.cfg of CoreDNS 1.13.
_PLUGINS = frozenset(
    """
    acl any auto autopath azure bind bufsize cache cancel chaos clouddns debug dns64 dnssec dnstap erratic errors
    etcd file forward geoip grpc grpc_server header health hosts https https3 import k8s_external kubernetes
    loadbalance local log loop loopback metadata minimal multisocket nomad nsid on pprof prometheus proxyproto quic
    ready reload rewrite root route53 secondary sign template timeouts tls trace transfer tsig view whoami
    """.split()
)
# The root, a name that contains a dot, or a name with a port; a bare word could be anything.
_ZONE = re.compile(
    r"((dns|tls|grpc|https|https3|quic)://)?(\.|([a-z0-9_-]{1,63}\.)+[a-z0-9_-]{0,63}|[a-z0-9_-]{1,63}(?=:))(:\d{1,5})?"
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|\n|[^\s"]+')


def corefile(text: str) -> str:
    """The skeleton of a Corefile, as a Corefile: the zones of each server block and its plugins without arguments.

    Only `kubernetes` keeps its zones, from which the cluster domain is read. Plugin blocks, comments, snippets and
    unknown plugins are removed.
    """
    blocks: list[str] = []
    zones: list[str] = []
    depth = 0
    for words, opens, closes in _directives(text):
        if depth == 0 and opens:
            zones = [word.rstrip(",") for word in words if _ZONE.fullmatch(word.rstrip(","))]
            blocks += [f"{' '.join(zones)} {{"] if zones else []
        elif depth == 1 and zones and words and words[0] in _PLUGINS:
            blocks.append(f"    {' '.join(_plugin(words))}")
        depth += opens
        if closes and depth:
            depth = max(0, depth - closes)
            if depth == 0 and zones:
                blocks.append("}")
                zones = []
    return "\n".join(blocks)


def _plugin(words: list[str]) -> list[str]:
    zones = words[1:] if words[0] == "kubernetes" else []
    return [words[0], *(zone for zone in zones if _ZONE.fullmatch(zone))]


def _directives(text: str) -> Iterator[tuple[list[str], int, int]]:
    """(words, opened braces, closed braces) of each line of a Corefile; quotes may span lines, `#` begins a comment."""
    words: list[str] = []
    opens = closes = 0
    comment = False
    for token in (*_TOKEN.findall(text), "\n"):
        if token == "\n":
            if words or opens or closes:
                yield words, opens, closes
            words, opens, closes, comment = [], 0, 0, False
        elif comment or token.startswith("#"):
            comment = True
        elif token in ("{", "}"):
            opens, closes = opens + (token == "{"), closes + (token == "}")
        else:
            words.append(token)
