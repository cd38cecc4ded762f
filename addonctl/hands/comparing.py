"""What is live beside a checkpoint: what is otherwise, what is new, and what of it is put back at once.

What others have written meanwhile is theirs: it is told, and neither waited for nor changed. Called by executor.py.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from addonctl.errors import AddonctlError, NotAllowed
from addonctl.hands.applied import added, writers, written_since
from addonctl.hands.base import Hand, Ports
from addonctl.hands.putting_back import is_half_done, put_back
from addonctl.instances import exists
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint, Differences
from addonctl.model.plan import Step

_RBAC = "rbac.authorization.k8s.io"
# What old instances, and the API server for everybody, go by from one moment to the next.
_SETTINGS = frozenset((("", "ConfigMap"), ("apiextensions.k8s.io", "CustomResourceDefinition")))


def differences(ports: Ports, step: Step, hand: Hand, before: Checkpoint) -> Differences:
    changed: list[ObjectRef] = []
    others: list[ObjectRef] = []
    for old in before.objects:
        now = exists(ports.reader, old.ref)
        if _as_it_was(old, now):
            continue
        (others if now is not None and _is_of_others(step, old, now) else changed).append(old.ref)
    new = tuple(each.ref for each in added(step, before, hand.applied()))
    return Differences(changed=tuple(changed), others=tuple(others), added=new)


def _as_it_was(old: live.Object, now: live.Object | None) -> bool:
    return now is not None and live.normalised(now.document) == live.normalised(old.document)


def _is_of_others(step: Step, old: live.Object, now: live.Object) -> bool:
    is_now, was = ({**live.normalised(each.document), "metadata": None} for each in (now, old))
    since = written_since(old, now)
    return is_now == was or (bool(since) and not since & writers(step))


def put_settings_back(ports: Ports, step: Step, before: Checkpoint) -> None:
    """ConfigMaps that old instances read when they start again, and how CRDs convert, ahead of their owner.

    Where that is not allowed or not possible, their owner does it later.
    """
    for old in before.objects:
        if (old.ref.group, old.ref.kind) not in _SETTINGS:
            continue
        now = exists(ports.reader, old.ref)
        if now is not None and not is_half_done(old, now) and (_as_it_was(old, now) or _is_of_others(step, old, now)):
            continue
        try:
            put_back(ports, old)
        except AddonctlError as error:
            if error.retry_after_s is not None:
                raise


def delete_added(ports: Ports, step: Step, hand: Hand, before: Checkpoint) -> tuple[ObjectRef, ...]:
    """Ends what its owner has applied since and left behind; what may not be deleted is returned."""
    left = []
    for each in added(step, before, hand.applied()):
        try:
            ports.writer.delete(each.ref, uid=each.uid)
        except NotAllowed:
            left.append(each.ref)
    return tuple(left)


def rights_given_up(ports: Ports, before: Checkpoint) -> Iterator[str]:
    """What the roles of a checkpoint allow no more, a line for each: a version may need it first when somebody asks."""
    for old in before.objects:
        if old.ref.group == _RBAC and old.ref.kind in ("ClusterRole", "Role"):
            now = exists(ports.reader, old.ref)
            kept = list(_rights(now)) if now else []
            lost = {_in_words(right) for right in _rights(old) if not any(_covers(each, right) for each in kept)}
            if lost:
                yield f"{', '.join(sorted(lost))} of {old.ref}"


# Verb, group, resource, and the name of the only object, or none.
_Right = tuple[str, str, str, str]


def _rights(role: live.Object) -> Iterator[_Right]:
    """Those on resources; paths of the API server are left out."""
    rules: list[dict[str, Any]] = role.document.get("rules") or []
    for rule in rules:
        of = (rule.get(each) or () for each in ("verbs", "apiGroups", "resources"))
        yield from product(*of, rule.get("resourceNames") or ("",))


def _covers(allowed: _Right, wanted: _Right) -> bool:
    *what, name = allowed
    return name in ("", wanted[3]) and all(has in ("*", want) for has, want in zip(what, wanted, strict=False))


def _in_words(right: _Right) -> str:
    verb, group, resource, name = right
    return f"{verb} {resource}.{group}".rstrip(".") + (f" {name}" if name else "")
