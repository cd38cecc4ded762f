"""The user's settings: a YAML file with waivers.

waivers:
  - code: HLT013
    subject: PodDisruptionBudget/payments/*
    cluster: prod-*
    reason: one replica is accepted until the queue is sharded
    until: 2027-01-31
"""

import os
from pathlib import Path

import msgspec

from addonctl.adapters import shapes
from addonctl.errors import BadInput
from addonctl.findings import CHECKS
from addonctl.waivers import Waiver


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The contents of the file."""

    waivers: tuple[Waiver, ...] = ()


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

    from addonctl.adapters.knowledge import unknown_keys
    from addonctl.adapters.sources.manifests import yaml_loader

    try:
        facts = yaml.load(body, Loader=yaml_loader()) or {}
        if isinstance(facts, dict) and facts.get("waivers", ()) is None:
            facts = {**facts, "waivers": []}
        settings = shapes.convert(facts, Settings)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        why = " ".join(str(error).split())
        raise BadInput(f"The settings {path} cannot be used: {why}", _FIX) from error
    numbered = enumerate(facts.get("waivers", ()))
    unknown = [key for n, waiver in numbered for key in unknown_keys(waiver, Waiver, f"waivers[{n}]")]
    if unknown:  # a misspelt `subject` would waive far more than intended
        raise BadInput(f"The settings {path} have unknown fields: {', '.join(unknown)}", _FIX)
    for waiver in settings.waivers:
        _checked(waiver, path)
    return settings


_FIX = "A waiver is: {code: HLT013, subject: PodDisruptionBudget/payments/*, reason: …, until: 2027-01-31}."


def _checked(waiver: Waiver, path: Path) -> None:
    from fnmatch import filter as matching

    if not matching(CHECKS, waiver.code):
        raise BadInput(f"{path}: no finding has the code {waiver.code!r}", "See `addonctl findings explain`.")
    if not waiver.reason.strip():
        raise BadInput(f"{path}: the waiver of {waiver.code} {waiver.subject} gives no reason", _FIX)
