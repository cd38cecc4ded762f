"""The user's settings: a YAML file with waivers, and with what changes of clusters keep to.

waivers:
  - code: HLT013
    subject: PodDisruptionBudget/payments/*
    cluster: prod-*
    reason: one replica is accepted until the queue is sharded
    until: 2027-01-31
windows:
  - {days: [sat, sun], start: "22:00", end: "04:00", zone: Europe/Berlin, cluster: prod-*}
freezes:
  - {start: 2026-12-20, end: 2027-01-04, reason: end of year}
notices:
  - {url_file: /etc/addonctl/slack-url, form: slack}
prometheus:
  - {url: "https://prometheus.example.com", token_file: /etc/addonctl/prometheus-token, cluster: prod-*}
defaults: {context: prod-eu-1, output: wide}
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from addonctl.adapters import shapes
from addonctl.adapters.notices import Form, Receiver
from addonctl.adapters.prometheus import Place
from addonctl.errors import BadInput
from addonctl.findings import CHECKS
from addonctl.waivers import Waiver
from addonctl.windows import DAYS, Freeze, Window


class _Window(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    start: str
    end: str
    zone: str = "UTC"
    days: tuple[str, ...] = DAYS
    cluster: str = "*"


class _Freeze(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    start: date
    end: date
    reason: str
    cluster: str = "*"


class _Notice(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The URL itself is a secret: it is in a file of its own, or in the settings that nobody else can read."""

    url: str = ""
    url_file: str = ""
    form: Form = Form.WEBHOOK


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    waivers: tuple[Waiver, ...] = ()
    windows: tuple[_Window, ...] = ()
    freezes: tuple[_Freeze, ...] = ()
    notices: tuple[_Notice, ...] = ()
    prometheus: tuple[Place, ...] = ()
    defaults: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """The contents of the file."""

    waivers: tuple[Waiver, ...] = ()
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    prometheus: tuple[Place, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)


# The options that may have a default.
DEFAULTS = (
    "context",
    "kubeconfig",
    "namespace",
    "eks",
    "region",
    "profile",
    "request-timeout",
    "kubernetes",
    "target",
    "prometheus",
    "output",
    "fail-on",
)


def default_path() -> Path:
    """Where settings are read from if no file is given."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(os.environ.get("ADDONCTL_CONFIG") or Path(base) / "addonctl" / "config.yaml")


def load(given: str = "") -> Settings:
    """The settings in a file; empty if no file is given and the default one does not exist.

    Raises BadInput with file and field for what cannot be used: a waiver needs a reason and an end date.
    """
    path = Path(given) if given else default_path()
    named = bool(given or os.environ.get("ADDONCTL_CONFIG"))
    try:
        body = path.read_bytes()
    except OSError as error:
        if not named:
            return Settings()  # a home directory that does not exist or cannot be read has no settings
        raise BadInput(f"{path} cannot be read: {error.strerror}", "Check the path and its permissions.") from error
    return _settings(body, path)


def _settings(body: bytes, path: Path) -> Settings:
    import yaml

    from addonctl.adapters import yaml_loader
    from addonctl.adapters.knowledge import unknown_keys

    try:
        facts = yaml.load(body, Loader=yaml_loader.usual()) or {}
        if isinstance(facts, dict):
            facts = {key: value for key, value in facts.items() if value is not None}
        said = shapes.convert(facts, _File)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        why = " ".join(str(error).split())
        raise BadInput(f"The settings {path} cannot be used: {why}", _FIX) from error
    unknown = [
        key
        for part, kind in (("waivers", Waiver), ("prometheus", Place))
        for n, each in enumerate(facts.get(part, ()))
        for key in unknown_keys(each, kind, f"{part}[{n}]")
    ]
    if unknown:  # a misspelt `subject` would waive far more than intended
        raise BadInput(f"The settings {path} have unknown fields: {', '.join(unknown)}", _FIX)
    if others := [key for key in said.defaults if key not in DEFAULTS]:
        why = f"{path}: {', '.join(others)} cannot have a default"
        raise BadInput(why, f"These can: {', '.join(DEFAULTS)}.")
    for waiver in said.waivers:
        _checked(waiver, path)
    return Settings(
        said.waivers,
        tuple(_window(each, path) for each in said.windows),
        tuple(Freeze(start=f.start, end=f.end, reason=f.reason, cluster=f.cluster) for f in said.freezes),
        tuple(_receiver(each, path) for each in said.notices),
        said.prometheus,
        said.defaults,
    )


def _window(said: _Window, path: Path) -> Window:
    unknown = [day for day in said.days if day not in DAYS]
    if unknown:
        raise BadInput(f"{path}: {', '.join(unknown)} is no day of a window", f"Days are {', '.join(DAYS)}.")
    try:
        zone, start, end = ZoneInfo(said.zone), time.fromisoformat(said.start), time.fromisoformat(said.end)
    except (ZoneInfoNotFoundError, ValueError) as error:
        fix = '{start: "22:00", end: "04:00", zone: Europe/Berlin}'
        raise BadInput(f"{path}: a window cannot be used: {error}", f"One looks like {fix}.") from error
    return Window(start=start, end=end, zone=zone, days=said.days, cluster=said.cluster)


def _receiver(said: _Notice, path: Path) -> Receiver:
    if bool(said.url) == bool(said.url_file):
        raise BadInput(f"{path}: a notice has either url or url_file", "Give one: {url_file: …, form: slack}.")
    url = said.url
    if said.url_file:
        try:
            url = Path(said.url_file).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise BadInput(f"{path}: {said.url_file} of a notice cannot be read", "Check the path.") from error
    if not url.startswith(("https://", "http://")):
        raise BadInput(f"{path}: the address of a notice is not one of HTTP", "It begins with https://.")
    return Receiver(url=url, form=said.form)


_FIX = "A waiver is: {code: HLT013, subject: PodDisruptionBudget/payments/*, reason: …, until: 2027-01-31}."


def _checked(waiver: Waiver, path: Path) -> None:
    from fnmatch import filter as matching

    if not matching(CHECKS, waiver.code):
        raise BadInput(f"{path}: no finding has the code {waiver.code!r}", "See `addonctl findings explain`.")
    if not waiver.reason.strip():
        raise BadInput(f"{path}: the waiver of {waiver.code} {waiver.subject} gives no reason", _FIX)
