"""The last net for free text: what looks like a credential is replaced before the text is saved, shown or logged.

Settings are not handled here: only those that the catalog lists are kept, by their form (forms.py). Free text (messages
of events and conditions, errors, insights) is kept except for what the patterns below match; they err on the safe side.
Called by every adapter that reads text written by others.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

REDACTED = "(redacted)"
# A longer message does not tell a person more, and 10,000 events are in memory at once.
MESSAGE_MAX = 400
# Of a longer one this much of its beginning is kept, and its end, where errors that wrap others name the cause.
_BEGINNING = 130
_CUT = " … "
# A message is searched before it is cut, since a credential that is cut off no longer matches; it is read up to here,
# as long as a condition's may be.
_SEARCHED_MAX = 32_768
_REMEMBERED_MAX = 2_048

_NAME = r"pass(?:word|wd|phrase)?|pwd|bindpw|secret|token|credentials?|(?:api|access|private|secret|signing)[_-]?key"
# A value: to its closing quote, or to the end of the word.
_VALUE = r"(?:\\?\"[^\"\\]+|'[^']+|[^\s\"',;&)]{3,})"
# Lower-case words, one of which must be in a text for the pattern to be tried; then the source of the format, or what
# writes it.
_GENERAL: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("-----begin",),
        "RFC 7468, OpenSSL, OpenSSH, PGP; a block that is cut off ends with the text",
        r"-----BEGIN[ A-Z0-9_-]{0,100}(?:PRIVATE KEY|KEY BLOCK)[^-]*-----[\s\S]*?(?:-----END[^-]*-----|\Z)",
    ),
    (("ls0tls1crudjti",), "such a block in base64", r"LS0tLS1CRUdJTi[\w+/=]*"),
    (("eyj",), "JWT, RFC 7519", r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),
    (("k8s-aws-v1",), "aws-iam-authenticator", r"k8s-aws-v1\.[\w-]+"),
    (
        ("a3t", "akia", "asia", "abia", "acca", "aiza", "sg."),
        "AWS, Google, SendGrid; of any length: texts are cut",
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{8,}|\bAIza[\w-]{16,}|\bSG\.[\w.-]{16,}",
    ),
    (
        (
            "gh",
            "github_pat_",
            "gl",
            "npm_",
            "xox",
            "xapp-",
            "sk-",
            "sk_",
            "rk_",
            "hvs.",
            "hvb.",
            "_v1_",
            "dapi",
            "shp",
            "pypi-",
        ),
        "GitHub, GitLab, npm, Slack, OpenAI, Stripe, Vault and others; of any length likewise",
        r"\b(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-|npm_|xox[a-z]-|xapp-"
        r"|sk-|[sr]k_(?:live|test|prod)_|hv[sb]\.|do[opr]_v1_|dapi|shp(?:at|ca|pa|ss)_|pypi-)[\w.-]{12,}",
    ),
    (
        ("bearer ", "basic ", "negotiate "),
        "RFC 9110, 11; letters alone are words of a sentence",
        r"(?i:(?<=bearer )|(?<=basic )|(?<=negotiate ))(?=\S*[\d=+/])[\w.~+/=-]{8,}",
    ),
    (
        ("authorization",),
        "RFC 9110, 11.6.2",
        r"(?i:(?<=authorization: )|(?<=authorization:)|(?<=authorization=))(?:\w+ )?[^\s\"',;]{3,}",
    ),
    (
        ("@",),
        "RFC 3986, 3.2.1: user and password of a URL; there may be a slash in it that nobody escaped",
        r"(?<=://)(?:[^\s/@\"'<>]*|[^\s/@:\"'<>]+:(?!\d{1,5}[/?#])[^\s@\"'<>]*)(?=@)"
        r"|(?<![\w/.@-])[\w.+-]+:[^\s@/:]{3,}(?=@(?!sha\d))",
    ),
    (
        ("?",),
        "presigned URLs of S3 and STS, tokens handed over as parameters; a timeout is none",
        r"(?<=\?)(?!timeout=\w+(?:[\"'\s]|\Z))[\w.~%-]+=[^\s\"'<>]*",
    ),
    (
        ("hooks.slack.com", "discord.com", "webhook.office.com"),
        "webhooks of chats: the path is the secret",
        r"(?i:(?<=hooks\.slack\.com/)|(?<=discord\.com/api/webhooks/)|(?<=webhook\.office\.com/))[^\s\"'<>]+",
    ),
    (
        ("--",),
        "options of a command, with a space or an equals sign",
        rf"(?i:(?<![\w-])--?[\w-]*(?:{_NAME})[\w-]*)[ =]+{_VALUE}",
    ),
    (("-u ", "--user"), "curl", r"(?:(?<=\s-u )|(?<=--user )|(?<=--user=))[^\s:]+:\S+"),
    (
        ("passw", "secret", "token", "key"),
        "environment variables, the name and the value apart",
        r"\b[A-Z][A-Z0-9_]*(?:PASSW(?:OR)?D|SECRET|TOKEN|KEY)[A-Z0-9_]*[\"']?[\s=:]+[\"']?(?=\S*[\d+/=])\S{8,}",
    ),
    (
        ("pass", "pwd", "bindpw", "secret", "token", "credential", "key"),
        "name and value of JSON, YAML and INI",
        rf"(?i:(?:{_NAME}|key-data)[\w-]{{0,20}})\\?[\"']?\s*(?:=>|:=|=|:)\s*{_VALUE}",
    ),
)
# A path segment this long and mixed is a key, not a name.
_KEY_IN_PATH = re.compile(r"(?<=/)(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,}", re.ASCII)
_WORD_OF_A_TOKEN = re.compile(r"[\w+/=.~-]{16,}", re.ASCII)


def message(free: str) -> str:
    """Free text of others, cut to what a report shows, with what looks like a credential replaced."""
    cleaned = (text if len(free) <= _REMEMBERED_MAX else _cleaned)(free[:_SEARCHED_MAX])
    if len(cleaned) <= MESSAGE_MAX or len(free) > _SEARCHED_MAX:
        return cleaned[:MESSAGE_MAX]
    return cleaned[:_BEGINNING] + _CUT + cleaned[_BEGINNING + len(_CUT) - MESSAGE_MAX :]


@lru_cache(maxsize=4096)
def text(free: str) -> str:
    """Free text with what looks like a credential replaced."""
    return _cleaned(free)


def _cleaned(free: str) -> str:
    cleaned = _replaced(free, _general())
    return _replaced(cleaned, _vendors()) if _WORD_OF_A_TOKEN.search(cleaned) else cleaned


def url(address: str) -> str:
    """A URL without user, password, query and keys in its path."""
    place = re.split(r"[?#]", address, maxsplit=1)[0]
    return text(_KEY_IN_PATH.sub(REDACTED, _USER.sub("", place)))


_USER = re.compile(r"(?<=://)(?:[^\s/@]*|[^\s/@:]+:(?!\d{1,5}[/?#])[^\s@]*)@|^[\w.+-]+:[^\s@/:]{3,}@")


_Rules = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


def _replaced(free: str, rules: _Rules) -> str:
    low = free.lower()
    for words, pattern in rules:
        if any(word in low for word in words):
            free = pattern.sub(REDACTED, free)
    return free


@cache
def _general() -> _Rules:
    return tuple((words, re.compile(pattern)) for words, _, pattern in _GENERAL)


@cache
def _vendors() -> _Rules:
    """Vendors' tokens, by their exact forms."""
    import json
    from importlib import resources

    facts = json.loads((resources.files("addonctl") / "data" / "credentials.json").read_text())
    return tuple((tuple(rule["keywords"]), re.compile(rule["pattern"], re.ASCII)) for rule in facts["rules"].values())


# Shorter words are the names and numbers that errors consist of.
_QUOTED_MIN = 6


def without(free: str, settings_sent: Any) -> str:
    """Free text that does not quote the settings that were sent: JSON or YAML text, or parsed values."""
    for value in sorted(set(_leaves(_read(settings_sent))), key=len, reverse=True):
        free = free.replace(value, REDACTED)
    return free


def _read(settings_sent: Any) -> Any:
    """The parsed text, so that its keys may be quoted; the text itself if it cannot be parsed."""
    import yaml

    if not isinstance(settings_sent, str):
        return settings_sent
    try:
        return yaml.safe_load(settings_sent)
    except (yaml.YAMLError, ValueError, RecursionError):
        return settings_sent


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield from (word for word in re.findall(r"[^\s\"'{}\[\],]+", value) if len(word) >= _QUOTED_MIN)
