"""An object as a checkpoint has it, with whom its fields belonged to: so its owner finds nothing of ours in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from addonctl.errors import Conflict
from addonctl.hands.base import NotYet, Ports
from addonctl.instances import TEMPORARY, exists
from addonctl.model import live
from addonctl.ports import ObjectWriter

_SOON_S = 1.0
_APART = ("apiVersion", "kind", "metadata", "status")
_ITS_OWN = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
Document = Mapping[str, Any]


def put_back(ports: Ports, old: live.Object) -> None:
    """Changes it back, or makes it anew. Raises NotYet where somebody else writes it meanwhile."""
    now = exists(ports.reader, old.ref)
    if now is None:
        metadata = {name: old.metadata[name] for name in _ITS_OWN if name in old.metadata}
        rest = {name: value for name, value in old.document.items() if name not in ("status", "metadata")}
        now = ports.writer.apply({**rest, "metadata": metadata}, force=True)
    body = list(_back(old, now))
    if body:
        now = ports.writer.patch(old.ref, body, form=live.PatchForm.JSON)
    entries = old.metadata.get("managedFields") or ()
    if entries and _managers(now) != _managers(old):
        set_managers(ports.writer, now, entries)


def is_half_done(old: live.Object, now: live.Object) -> bool:
    """Whether it was changed back, and its fields are still ours: of the first write, no answer came."""
    return (live.FIELD_MANAGER, "Update", "") in _managers(now) - _managers(old)


def set_managers(writer: ObjectWriter, found: live.Object, entries: Sequence[Document]) -> None:
    body = [{"op": "add", "path": "/metadata/managedFields", "value": list(entries)}]
    try:
        writer.patch(found.ref, body, form=live.PatchForm.JSON, resource_version=found.resource_version)
    except Conflict as error:
        raise NotYet(error.what, _SOON_S) from error


def _managers(found: live.Object) -> set[tuple[str, str, str]]:
    entries = found.metadata.get("managedFields") or ()
    return {(each["manager"], each["operation"], each.get("subresource", "")) for each in entries}


def _back(old: live.Object, now: live.Object) -> Iterator[Document]:
    """A JSON patch that makes `now` what `old` is, but for what is set for a while and what controllers note."""
    was, notes = dict(old.document), dict(old.metadata.get("annotations") or {})
    if old.ref.group == "apps":
        mine = {name: now.document["spec"][name] for name in TEMPORARY if name in now.document["spec"]}
        was["spec"] = {**{name: value for name, value in was["spec"].items() if name not in TEMPORARY}, **mine}
    present = now.metadata.get("annotations") or {}
    notes |= {name: present[name] for name in (*live.COUNTED, live.RUN_ANNOTATION) if name in present}
    kept = {"labels": old.metadata.get("labels"), "annotations": notes}
    yield from _set("", was, now.document, (was.keys() | now.document.keys()) - set(_APART))
    yield from _set("/metadata", {name: held for name, held in kept.items() if held}, now.metadata, kept)


def _set(under: str, old: Document, now: Document, names: Iterable[str]) -> Iterator[Document]:
    for name in sorted(names):
        if name in old and (name not in now or old[name] != now[name]):
            yield {"op": "add", "path": f"{under}/{name}", "value": old[name]}
        elif name not in old and name in now:
            yield {"op": "remove", "path": f"{under}/{name}"}
