"""Odd snapshots by seed, for properties: every field of every part, from small pools so that references meet by chance.

Names may be empty or dangle, counts may be None, times may be missing or lie in the future. What the wire never makes
(a kind of workload that does not exist, an EKS add-on without a name) is left out.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from random import Random
from typing import Any

from addonctl import model
from tests.builders import NOW

_WORDS = ("", "a", "True", "Fail")
_POOLS: Mapping[str, tuple[str, ...]] = {
    "name": ("", "a", "b", "coredns"),
    "namespace": ("", "a"),
    "service": ("", "a"),
    "image": ("", "coredns/coredns:v1.12.4", "jetstack/cert-manager-controller", "x@sha256:0a"),
    "group": ("", "apps", "cert-manager.io"),
    "api_version": ("", "v1", "cert-manager.io/v1"),
    "status": ("", "True", "False", "Unknown", "ACTIVE", "DEGRADED"),
    "type": ("", "Ready", "Available", "Established", "Terminating", "Progressing", "PodScheduled"),
    "phase": ("", "Pending", "Running", "Failed", "Succeeded"),
    "waiting": ("", "CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError"),
    "last_exit": ("", "OOMKilled", "Error"),
    "reason": ("", "FailedMount", "Unschedulable"),
    "holder": ("", "a-7d9", "coredns-5d78c9869d-x2x4z"),
    "version": ("", "v1.12.4-eksbuild.3", "1.34", "latest"),
    "kubelet_version": ("", "v1.34.2-eks-1", "v1.29.0"),
    "part": ("pods", "workloads", "services", "leases", "eks:addons", "nonsense"),
}
"""What a field of text may hold, by its name; elsewhere one of the words above."""
_OF_TYPE: Mapping[tuple[type, str], tuple[str, ...]] = {
    (model.Workload, "kind"): ("Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob", "Pod"),
    (model.WebhookConfiguration, "kind"): ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    (model.Revision, "kind"): ("ReplicaSet", "ControllerRevision"),
    (model.ObjectRef, "kind"): ("Deployment", "ReplicaSet", "Service", "Node", "Custom", "ServiceAccount", ""),
    (model.FluxSource, "kind"): ("GitRepository",),
    (model.EksAddon, "name"): ("coredns", "acme_agent"),
}
_TIMES = (NOW, NOW - timedelta(minutes=5), NOW - timedelta(days=400), NOW + timedelta(days=3))
_MAPS: tuple[Mapping[str, str], ...] = (
    {},
    {"app": "a"},
    {"app": "b", "": ""},
    {"pods": "1"},
    {"app.kubernetes.io/name": "coredns"},
)
_PORTS = tuple(map(model.Port.of, ("a:443/TCP>https", ":53/UDP", "metrics:9153/TCP")))
_FEW = 3
"""A part holds at most so many objects: what goes wrong between more goes wrong between three."""


def snapshot(seed: int) -> model.Snapshot:
    """A snapshot of one day, live or from files."""
    random = Random(seed)
    cluster = model.Cluster(
        name="odd", kubernetes=random.choice(("v1.34.2-eks-1", "")), source=random.choice(("live", "files"))
    )
    made: model.Snapshot = _object(model.Snapshot, random, taken=NOW, cluster=cluster)
    return made


@cache
def _hints(wanted: type) -> Mapping[str, Any]:
    return typing.get_type_hints(wanted)


def _object(wanted: Any, random: Random, **fixed: Any) -> Any:
    """An instance of a dataclass; a field that has a default is left to it one time in four."""
    given: dict[str, Any] = {}
    for each in fields(wanted):
        needed = each.default is MISSING and each.default_factory is MISSING
        if (wanted, each.name) in _OF_TYPE:
            given[each.name] = random.choice(_OF_TYPE[wanted, each.name])
        elif needed or random.random() < 0.75:
            given[each.name] = _value(_hints(wanted)[each.name], random, each.name)
    return wanted(**(given | fixed))


def _value(wanted: Any, random: Random, name: str) -> Any:
    """A value of an annotation as they occur in model.py."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        some = next(each for each in inner if each is not types.NoneType)
        return None if random.random() < 0.3 else _value(some, random, name)
    if origin is tuple:
        return tuple(_value(inner[0], random, name) for _ in range(random.randint(0, _FEW)))
    if origin is Mapping:
        whole = inner[1] is str
        return random.choice(_MAPS) if whole else {random.choice(_WORDS): _value(inner[1], random, "")}
    if wanted is model.Port:
        return random.choice(_PORTS)
    if is_dataclass(wanted):
        return _object(wanted, random)
    if hasattr(wanted, "_fields"):  # a NamedTuple
        return wanted(*(_value(_hints(wanted)[each], random, each) for each in wanted._fields))
    return random.choice(_pool(wanted, name))


def _pool(wanted: Any, name: str) -> tuple[Any, ...]:
    if wanted is str:
        return _POOLS.get(name, _WORDS)
    if issubclass(wanted, StrEnum):
        return tuple(wanted)
    return {bool: (True, False), int: (0, 1, 2, 7), datetime: _TIMES}[wanted]
