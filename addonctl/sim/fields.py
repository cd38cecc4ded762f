"""Whose a field is: what Kubernetes keeps in managedFields, and server-side apply on it.

A document is taken apart into its fields: a path each, and the value at it. Lists that Kubernetes merges by a key
(containers by name, a Service's ports by port and protocol) are taken apart item by item; all others, and custom
resources' own, are one field. What is not modelled: schemas of custom resources, so their lists are always atomic.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from addonctl.sim.documents import Document

Step = str | tuple[str, Any]
"""A name; ("k", ((key, value), …)) for the item of a list with these keys; ("v", value) for a member of a set."""
Path = tuple[Step, ...]
Fields = dict[Path, Any]

PRESENT = "."
"""The value of an item's own field: that it is in its list."""

_BY_NAME = ("name",)
_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": _BY_NAME,
    "initContainers": _BY_NAME,
    "ephemeralContainers": _BY_NAME,
    "env": _BY_NAME,
    "volumes": _BY_NAME,
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": _BY_NAME,
    "secrets": _BY_NAME,
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "webhooks": _BY_NAME,
    "schedulingGates": _BY_NAME,
}
_KEY_DEFAULTS = {"protocol": "TCP"}
_SETS = frozenset({"finalizers"})
# Selectors of labels, and references to one key of another object, are replaced as a whole.
_ATOMIC = frozenset(
    {
        "selector",
        "labelSelector",
        "podSelector",
        "namespaceSelector",
        "objectSelector",
        "nodeSelector",
        "secretKeyRef",
        "configMapKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "roleRef",
    }
)
# What the server itself keeps has no owner; a document's identity has none either.
_UNOWNED = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generateName",
    }
)


def fields_of(document: Document, *, custom: bool, status: bool | None = False) -> Fields:
    """The fields of a document; `status` True: those of its status alone, False: all others, None: both."""
    found: Fields = {}
    for name, value in document.items():
        if name in ("apiVersion", "kind") or (status is not None and (name == "status") is not status):
            continue
        if name == "metadata":
            for key, held in value.items():
                if key not in _UNOWNED:
                    _take_apart(held, ("metadata", key), found, False)
        else:
            _take_apart(value, (name,), found, custom)
    return found


def _take_apart(value: Any, path: Path, found: Fields, custom: bool) -> None:
    if type(value) is dict:
        if not value or (not custom and path[-1] in _ATOMIC):
            found[path] = value
            return
        for name, held in value.items():
            if type(held) is dict or type(held) is list:
                _take_apart(held, (*path, name), found, custom)
            else:
                found[(*path, name)] = held
    elif type(value) is list and not custom:
        _take_list_apart(value, path, found)
    else:
        found[path] = value


def _take_list_apart(value: list[Any], path: Path, found: Fields) -> None:
    items = _items(value, path)
    if items is None:
        found[path] = value
        return
    for step, item in items.items():
        there = (*path, step)
        found[there] = PRESENT
        if step[0] == "k":
            _take_apart(item, there, found, False)


def _items(value: list[Any], path: Path) -> dict[tuple[str, Any], Any] | None:
    """The items of a list by what identifies them; None where it is one field."""
    name = path[-1]
    if name in _SETS:
        return {("v", item): item for item in value}
    keys = _keys(path)
    if keys is None:
        return None
    found = {_item_step(item, keys): item for item in value if type(item) is dict}
    return found if len(found) == len(value) else None


def _keys(path: Path) -> tuple[str, ...] | None:
    name = path[-1]
    if name != "ports":
        return _LIST_KEYS.get(name) if isinstance(name, str) else None
    if path == ("spec", "ports"):
        return "port", "protocol"
    return ("containerPort", "protocol") if len(path) > 2 else None


def _item_step(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, Any]:
    return "k", tuple((key, item.get(key, _KEY_DEFAULTS.get(key))) for key in keys)


def words(path: Path) -> str:
    """A field as the API server writes it: `.spec.template.spec.containers[name="dns"].image`."""
    return "".join(f".{step}" if isinstance(step, str) else _item_words(step) for step in path)


def _item_words(step: tuple[str, Any]) -> str:
    if step[0] == "v":
        return f"[={json.dumps(step[1])}]"
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in step[1]) + "]"


# ── Managers ────────────────────────────────────────────────────────────────────────────────────────────────────


class Managed:
    """The fields of one manager, by one operation through one version of the API.

    `fields` may be worked out when they are first asked for, from the document that was written: most never are.
    """

    __slots__ = ("_fields", "_fields_v1", "_source", "api_version", "manager", "operation", "subresource", "time")

    def __init__(
        self,
        manager: str,
        operation: str,
        api_version: str,
        time: str,
        fields: frozenset[Path] | None = None,
        source: tuple[Document, bool] | None = None,  # a document, and whether it is a custom resource
        subresource: str = "",
    ) -> None:
        assert (fields is None) is not (source is None), "fields are given, or what they come from"
        self.manager, self.operation, self.api_version = manager, operation, api_version
        self.time, self.subresource, self._fields, self._source = time, subresource, fields, source
        self._fields_v1: Document | None = None

    @property
    def fields(self) -> frozenset[Path]:
        if self._fields is None:
            assert self._source is not None
            document, custom = self._source
            self._fields = frozenset(fields_of(document, custom=custom, status=self.subresource == "status"))
            self._source = None
        return self._fields

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Managed":
        """From an entry of managedFields."""
        found = frozenset(_paths(entry.get("fieldsV1") or {}, ()))
        version, time = entry["apiVersion"], entry.get("time", "")
        return cls(entry["manager"], entry["operation"], version, time, found, None, entry.get("subresource", ""))

    def keeping(self, fields: frozenset[Path]) -> "Managed":
        return Managed(self.manager, self.operation, self.api_version, self.time, fields, None, self.subresource)

    def is_of(self, manager: str, operation: str, subresource: str = "") -> bool:
        return (self.manager, self.operation, self.subresource) == (manager, operation, subresource)

    def __eq__(self, other: object) -> bool:
        """Times apart: who owns the same owns the same, whenever it was written."""
        return (
            isinstance(other, Managed)
            and self.is_of(other.manager, other.operation, other.subresource)
            and self.fields == other.fields
        )

    __hash__ = None  # type: ignore[assignment]

    def entry(self) -> Document:
        """The entry of managedFields."""
        if self._fields_v1 is None:
            self._fields_v1 = _fields_v1(self.fields)
        said: Document = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self._fields_v1,
        }
        return said | ({"subresource": self.subresource} if self.subresource else {})

    def __str__(self) -> str:
        """As the API server names a manager in a conflict."""
        under = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version} at {self.time}" if self.operation == "Update" else ""
        return f'"{self.manager}"{under}{using}'


class Entries(Sequence[Document]):
    """The entries of managedFields, made when they are read: most never are."""

    def __init__(self, managers: Iterable[Managed]) -> None:
        self._managers = tuple(managers)

    def __len__(self) -> int:
        return len(self._managers)

    @overload
    def __getitem__(self, place: int) -> Document: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Document]: ...
    def __getitem__(self, place: int | slice) -> Document | Sequence[Document]:
        return (
            [one.entry() for one in self._managers[place]]
            if isinstance(place, slice)
            else self._managers[place].entry()
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def _fields_v1(fields: Iterable[Path]) -> Document:
    root: Document = {}
    for path in sorted(fields, key=repr):
        node = root
        for step in path:
            node = node.setdefault(_step_v1(step), {})
        if not isinstance(path[-1], str) and path[-1][0] == "k":
            node["."] = {}
    return root


def _paths(node: Mapping[str, Any], so_far: Path) -> Iterator[Path]:
    """The reverse of `_fields_v1`: leaves are fields, and so are items that say of themselves that they are there."""
    if so_far and (not node or "." in node):
        yield so_far
    for name, inner in node.items():
        if name != ".":
            yield from _paths(inner, (*so_far, _step_of(name)))


def _step_of(text: str) -> Step:
    kind, _, said = text.partition(":")
    if kind == "f":
        return said
    value = json.loads(said)
    return kind, tuple(value.items()) if kind == "k" else value


def _step_v1(step: Step) -> str:
    if isinstance(step, str):
        return f"f:{step}"
    kind, said = step
    said = dict(said) if kind == "k" else said
    return f"{kind}:{json.dumps(said, sort_keys=True, separators=(',', ':'))}"


# ── Server-side apply ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another manager owns and that is wanted otherwise."""

    path: Path
    owner: Managed


def conflicts(wanted: Fields, live: Fields, managers: Iterable[Managed], manager: str) -> list[FieldConflict]:
    """What stands against `manager` applying `wanted`."""
    found = [
        FieldConflict(path, other)
        for other in managers
        if not other.is_of(manager, "Apply")
        for path in (*_set_otherwise(wanted, live, other.fields), *_filled(wanted, live, other.fields))
    ]
    return sorted(found, key=lambda one: (words(one.path), one.owner.manager))


def _set_otherwise(wanted: Fields, live: Fields, owned: frozenset[Path]) -> Iterator[Path]:
    return (path for path in wanted.keys() & owned if path not in live or live[path] != wanted[path])


def _filled(wanted: Fields, live: Fields, owned: frozenset[Path]) -> Iterator[Path]:
    """What somebody owns as empty, and would no longer be."""
    empty = owned - live.keys() - wanted.keys()
    return (path for path in empty if _holds(wanted, path) and not _holds(live, path))


def _holds(fields: Iterable[Path], path: Path) -> bool:
    """Whether there is something at a path or under it."""
    return any(one[: len(path)] == path for one in fields)


def applied(live: Document, wanted: Document, dropped: Iterable[Path], *, custom: bool) -> Document:
    """`wanted` laid over `live`, without what its manager had applied and applies no more."""
    result: Any = _laid_over(live, wanted, (), custom)
    # An item goes as a whole, and before its fields: without its keys it would not be found any more.
    for path in sorted(dropped, key=len):
        result = _removed(result, path, 0)
    assert isinstance(result, dict)
    return result


def _laid_over(live: Any, wanted: Any, path: Path, custom: bool) -> Any:
    """Of equal values the live one, so that states share it."""
    if type(wanted) is dict and type(live) is dict and (custom or not path or path[-1] not in _ATOMIC):
        result = dict(live)
        for name, value in wanted.items():
            result[name] = _laid_over(live[name], value, (*path, name), custom) if name in live else value
        return result
    if type(wanted) is list and type(live) is list and path and not (custom and path[0] != "metadata"):
        there, items = _items(live, path), _items(wanted, path)
        if there is not None and items is not None:
            return _list_laid_over(there, items, path, custom)
    return live if live == wanted else wanted


def _list_laid_over(
    there: Mapping[tuple[str, Any], Any], items: Mapping[tuple[str, Any], Any], path: Path, custom: bool
) -> list[Any]:
    """Items keep the order of the live list, new ones follow."""
    found = [
        _laid_over(item, items[step], (*path, step), custom) if step in items else item for step, item in there.items()
    ]
    return found + [item for step, item in items.items() if step not in there]


def _removed(value: Any, path: Path, depth: int) -> Any:
    """The value without what stands under a path; maps that become empty go with it."""
    step, last = path[depth], depth == len(path) - 1
    if isinstance(step, str):
        if type(value) is not dict or step not in value:
            return value
        inner = None if last else _removed(value[step], path, depth + 1)
        if last or (inner in ({}, []) and value[step] not in ({}, [])):
            return {name: held for name, held in value.items() if name != step}
        return value if inner is value[step] else {**value, step: inner}
    if type(value) is not list:
        return value
    return list(_without_item(value, path, depth))


def _without_item(value: list[Any], path: Path, depth: int) -> Iterator[Any]:
    step = path[depth]
    assert not isinstance(step, str)
    kind, said = step
    for item in value:
        found = item if kind == "v" else _item_step(item, tuple(key for key, _ in said))[1]
        if found != said:
            yield item
        elif depth < len(path) - 1:
            yield _removed(item, path, depth + 1)


def dropped(had: frozenset[Path], mine: frozenset[Path], others: Iterable[Managed]) -> list[Path]:
    """What a manager had applied, applies no more, and nobody holds any longer, in itself or by a field within it."""
    held = mine.union(*(other.fields for other in others))
    return [path for path in had - mine if not _holds(held, path)]
