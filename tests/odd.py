"""Odd snapshots for properties: every field of every part, filled from small pools so that references meet by chance.

Names may be empty or dangle, counts may be None, times may be missing or lie in the future. What the wire never makes
(a kind of workload that does not exist, a quantity that is none) is left out.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from hypothesis import strategies as st

from addonctl import model
from tests.builders import NOW

_WORDS = ("", "a", "coredns", "kube-system", "Fail", "Ignore", "True", "False", "Pending", "CrashLoopBackOff", "pods",
          "*", "coredns/coredns:v1.12.4", "DEGRADED", "1.34", "v1")  # fmt: skip
_TIMES = (None, NOW, NOW - timedelta(minutes=5), NOW - timedelta(days=400), NOW + timedelta(days=3))
_MAPS: tuple[Mapping[str, str], ...] = ({}, {"app": "a"}, {"app": "b", "": ""}, {"pods": "1", "cpu": "250m"})
_KINDS: Mapping[type, tuple[str, ...]] = {
    model.Workload: ("Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob", "Pod"),
    model.WebhookConfiguration: ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    model.Revision: ("ReplicaSet", "ControllerRevision"),
    model.ObjectRef: ("Deployment", "ReplicaSet", "Service", "Node", "Custom", "ServiceAccount", ""),
    model.FluxSource: ("GitRepository",),
}
_FEW = 2
"""A part holds at most so many objects: what goes wrong between more goes wrong between two."""


def _plain(wanted: Any) -> st.SearchStrategy[Any]:
    if wanted is str:
        return st.sampled_from(_WORDS)
    if wanted is bool:
        return st.booleans()
    if wanted in (int, float):
        return st.sampled_from((0, 1, 2, 7))
    assert wanted is datetime, wanted
    return st.sampled_from(_TIMES[1:])


@cache
def values(wanted: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation as they occur in model.py."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return st.none() | values(next(each for each in inner if each is not types.NoneType))
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=_FEW).map(tuple)
    if origin is Mapping:
        if inner[1] is str:
            return st.sampled_from(_MAPS)
        return st.dictionaries(st.sampled_from(_WORDS), values(inner[1]), max_size=1)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return st.sampled_from(list(wanted))
    return objects(wanted) if is_dataclass(wanted) else _plain(wanted)


@cache
def objects(wanted: Any, **fixed: Any) -> st.SearchStrategy[Any]:
    """Instances of a dataclass; each field with a default is left to it half of the time."""
    hints = typing.get_type_hints(wanted)
    given: dict[str, st.SearchStrategy[Any]] = {}
    for each in fields(wanted):
        if each.name == "kind" and wanted in _KINDS:
            given[each.name] = st.sampled_from(_KINDS[wanted])
        elif each.default is MISSING and each.default_factory is MISSING:
            given[each.name] = values(hints[each.name])
    rest = {each.name: values(hints[each.name]) for each in fields(wanted) if each.name not in given}

    def made(required: dict[str, Any], more: dict[str, Any]) -> Any:
        return wanted(**{**more, **required, **fixed})

    return st.builds(made, st.fixed_dictionaries(given), st.fixed_dictionaries({}, optional=rest))


_TOLD = model.Cluster(name="odd", kubernetes="v1.34.2-eks-1")


def snapshots() -> st.SearchStrategy[model.Snapshot]:
    """Snapshots of one day, live or from files."""
    clusters = (_TOLD, model.Cluster(name="odd", source="files"))
    return st.builds(
        lambda whole, cluster: model.Snapshot(**{
            **{each.name: getattr(whole, each.name) for each in fields(whole)}, "taken": NOW, "cluster": cluster}),
        objects(model.Snapshot), st.sampled_from(clusters),
    )  # fmt: skip
