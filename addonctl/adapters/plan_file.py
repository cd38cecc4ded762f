"""A saved plan: the document of `addonctl plan -o json` (or yaml), read back into the plan that it shows.

Its `id` is of what it does, so a document that says something else than was planned is refused.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from addonctl.adapters import codec, shapes
from addonctl.adapters.yaml_loader import loaded
from addonctl.errors import BadInput, Broken
from addonctl.model.plan import Plan

_SIZE_MAX = 16 << 20
_FIX = "Give what `addonctl plan -o json` printed."
# What a document has beside the plan itself, and the texts that it has in the place of values.
_BESIDE = ("schema", "kind", "id", "findings", "accepted", "recommended")
_VALUES = {"do": "actions", "undo": "undo_actions", "owner": "owner_ref"}


class SavedPlan(NamedTuple):
    """A plan, and the codes of preflight whose risk was accepted when it was made."""

    plan: Plan
    accepted: tuple[str, ...]


def read(path: str) -> SavedPlan:
    """The plan in a file; `-` is standard input. Raises BadInput where there is none, or one that was changed."""
    document = _document(path)
    if document.get("kind") != "Plan" or not isinstance(document.get("steps"), list):
        raise BadInput(f"{path} is no saved plan", _FIX)
    values = {name: value for name, value in document.items() if name not in _BESIDE}
    try:
        values["steps"] = [_step(each) for each in values["steps"]]
        plan: Plan = codec.structured(values, Plan)
    except (Broken, KeyError, TypeError):
        raise BadInput(f"{path} is not a plan of this version of addonctl", "Plan anew.") from None
    if plan.id != document.get("id"):
        raise BadInput(f"{path} is not plan {document.get('id')} as it was made: it does something else", "Plan anew.")
    return SavedPlan(plan, tuple(map(str, document.get("accepted") or ())))


def _document(path: str) -> Mapping[str, Any]:
    import yaml

    try:
        body = sys.stdin.buffer.read(_SIZE_MAX) if path == "-" else Path(path).read_bytes()[:_SIZE_MAX]
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    try:
        found = shapes.decode(body) if body.lstrip()[:1] == b"{" else loaded(body)
    except (msgspec.MsgspecError, yaml.YAMLError, ValueError, RecursionError):
        raise BadInput(f"{path} is neither JSON nor YAML", _FIX) from None
    return found if isinstance(found, Mapping) else {}


def _step(document: Mapping[str, Any]) -> Mapping[str, Any]:
    values = {name: document[held] for name, held in _VALUES.items()}
    rest = {name: value for name, value in document.items() if name not in (*_VALUES.values(), "fix")}
    return {**rest, **values}
