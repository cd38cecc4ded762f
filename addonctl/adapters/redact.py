"""Takes out what could be a secret, before anything read becomes a value that is saved, shown or logged.

The rule errs to the safe side: of settings, only numbers, booleans and words that cannot hold a secret are kept; of
free text, what looks like a credential is replaced.
"""

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "(redacted)"

_SECRET_KEY = re.compile(r"pass|secret|token|key|cred|auth|cert|private|connection|dsn|webhook_?url", re.IGNORECASE)
# What a string setting may be and still be kept: number, quantity, duration, percentage, boolean, version, or one of
# the few words that configure controllers. Anything longer or freer could be a secret.
_SAFE_STRING = re.compile(
    r"-?\d{1,9}(\.\d{1,6})?([numkMGTPE]i?|%|ms|s|h|d)?|true|false|v?\d{1,4}(\.\d{1,6}){1,3}(-eksbuild\.\d{1,4})?"
    r"|Always|IfNotPresent|Never|info|debug|warn|warning|error|json|text|ipv4|ipv6|standard|strict|Fail|Ignore"
    r"|RollingUpdate|OnDelete|Recreate|ClusterIP|LoadBalancer|NodePort|gp2|gp3|Fargate|ec2",
)
_CREDENTIAL = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?"  # JWT
    r"|k8s-aws-v1\.[\w-]+"
    r"|(AKIA|ASIA)[A-Z0-9]{12,}"
    r"|gh[pousr]_\w{16,}|xox[abp]-[\w-]{8,}|glpat-[\w-]{8,}"
    r"|-----BEGIN[^-]*PRIVATE KEY-----[\s\S]*?(-----END[^-]*-----|$)"
    r"|(?<=://)[^/\s:@]*:[^/\s@]*(?=@)"  # user:password@ of a URL
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
    r"|(?i:(password|passwd|secret|token|api[_-]?key|access[_-]?key|client[_-]?secret)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"',;&]{3,}",
)


def text(free: str) -> str:
    """Free text (an event's message, a condition's) with what looks like a credential replaced."""
    return _CREDENTIAL.sub(REDACTED, free)


def settings(value: Any, key: str = "", keep: frozenset[str] = frozenset()) -> Any:
    """Settings of any shape with keys, numbers and harmless words kept. `keep` names keys that hold no secret."""
    if isinstance(value, Mapping):
        return {str(name): settings(inner, _path(key, str(name)), keep) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [settings(inner, key, keep) for inner in value]
    last = key.rpartition("/")[2]
    if value is None or isinstance(value, bool) or last in keep:
        return value
    if _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, int | float):
        return value
    return value if isinstance(value, str) and _SAFE_STRING.fullmatch(value) else REDACTED


def _path(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def url(address: str) -> str:
    """A URL without user, password and query: what is left names the place only."""
    bare = re.sub(r"(?<=://)[^/@]*@", "", address)
    return re.split(r"[?#]", bare, maxsplit=1)[0]
