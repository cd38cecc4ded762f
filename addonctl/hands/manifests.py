"""The hand for add-ons whose manifests somebody applied: the new ones by server-side apply, and back object by object.

What their previous applier owned becomes ours, as `kubectl apply --server-side` does it: so what the new manifests no
longer say goes, and nothing that others own is overruled. Objects that are no longer there are deleted last, when the
new ones serve. Going back puts each object back as the checkpoint has it, with whom its fields belonged to.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from addonctl.errors import BadInput, Conflict, NotFound, NotServed
from addonctl.hands.applied import KUBECTL, appliers, managed
from addonctl.hands.base import Kept, NotYet, Ports, Present
from addonctl.hands.putting_back import put_back, set_managers
from addonctl.instances import Instances, exists
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint, secret_print
from addonctl.model.manifests import KEPT, ManifestSet, versions_in
from addonctl.model.owners import Manifest
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState
from addonctl.ports import ObjectReader
from addonctl.rollouts import of_checkpoint

# A kind is served, and an object that is being written comes to rest, within seconds.
_SOON_S, _STARTING_S = 1.0, 2.0
_MANAGER = re.compile(r'conflict with "([^"]+)"')
# What others need comes first: where pods live, kinds, then all else, and what calls the pods last.
_FIRST = {"Namespace": 0, "CustomResourceDefinition": 1}
_WORKLOADS, _CALLERS = ("apps", "batch"), ("admissionregistration.k8s.io", "apiregistration.k8s.io")
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ManifestHand:
    step: Step
    owner: Manifest
    ports: Ports

    def present(self) -> Present:
        """The version that the workloads name; once they are applied from the plan's manifests, that of the plan."""
        found = [each for target in self.step.targets if (each := exists(self.ports.reader, target.ref))]
        missing = not self.step.restores and self.step.manifests is None
        return Present(self._version(found), "its new manifests were not given" if missing else "")

    def _version(self, workloads: Sequence[live.Object]) -> str:
        if workloads and all(self._is_applied(each) for each in workloads):
            return str(self.step.to_version)
        named = versions_in(each.document for each in workloads)
        was = self.step.from_version
        return str(was) if was in named else str(next(iter(named), ""))

    def _is_applied(self, found: live.Object) -> bool:
        """By a run from the plan's manifests."""
        given = self.step.manifests
        notes = found.metadata.get("annotations") or {}
        return given is not None and notes.get(live.MANIFESTS_ANNOTATION) == given.sha256

    def kept(self) -> Kept:
        """What is there of that which the new manifests hold, so that it can be put back."""
        given = self.step.manifests
        found = (_there(self.ports.reader, ref) for ref in (given.objects if given else ()))
        return Kept(objects=tuple(filter(None, found)))

    def applied(self) -> tuple[live.Object, ...]:
        return managed(self.ports.reader, self.step, appliers(self.owner))

    def hold(self, before: Checkpoint) -> None:
        """Nobody applies by itself."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """At the end of an update: what the manifests say of the temporary settings, and no more of what they lack.

        What goes is deleted when what is new serves.
        """
        given = self.step.manifests
        if given is None:
            return
        found = [_there(self.ports.reader, ref) for ref in given.objects]
        if not all(each is not None and self._is_applied(each) for each in found):
            return
        held = {each.ref for each in self._instances(before)}
        with suppress(BadInput):  # the files are no longer what they were: the settings stay as they were before
            for document in self._documents(given):
                if live.Object(document).ref in held:
                    self._apply(document)
        starting = [str(each) for each in found if each is not None and not _serves(each.document)]
        if starting:
            raise NotYet(f"{', '.join(starting)} is not ready", _STARTING_S)
        for ref in given.gone:
            self.ports.writer.delete(ref)

    # ── There ───────────────────────────────────────────────────────────────────────────────────────────────────

    def change(self, before: Checkpoint, token: str) -> str:
        """All of it is tried first, so that nothing is done by halves."""
        given = self._given()
        wanted = sorted(self._documents(given), key=_rank)
        instances = [each for each in self._instances(before) if each.ref not in given.gone]
        for each in instances:
            each.disown()
        for document in wanted:
            self._try(document)
        for document in wanted:
            self._take_over(document)
            self._apply(document)
        for each in instances:
            each.harden()
        return given.sha256

    def _instances(self, before: Checkpoint) -> tuple[Instances, ...]:
        return of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)

    def _given(self) -> ManifestSet:
        assert self.step.manifests is not None, f"step {self.step.id} has manifests"
        return self.step.manifests

    def _documents(self, given: ManifestSet) -> Iterator[Document]:
        """As they are given, with the note from which they are; what kubectl notes on its objects is kept up."""
        read = self.ports.manifests.read(given.path)
        if read.sha256 != given.sha256:
            raise BadInput(f"{given.path} is not what the plan was made with", "Plan anew.")
        for each in read.documents:
            notes = {**(each.metadata.get("annotations") or {}), live.MANIFESTS_ANNOTATION: given.sha256}
            found = _there(self.ports.reader, each.ref)
            if found is not None and live.LAST_APPLIED in (found.metadata.get("annotations") or {}):
                notes[live.LAST_APPLIED] = json.dumps(each.document, separators=(",", ":")) + "\n"
            yield {**each.document, "metadata": {**each.metadata, "annotations": notes}}

    def _try(self, document: Document) -> None:
        try:
            self._apply(document, dry_run=True)
        except (NotServed, NotFound):
            return  # its kind or its namespace comes with the others

    def _apply(self, document: Document, *, dry_run: bool = False) -> None:
        """Overrules nobody but who applied it before. Raises NotYet while its kind is not served yet."""
        try:
            self.ports.writer.apply(document, dry_run=dry_run)
        except Conflict as error:
            others = {name for cause in error.causes for name in _MANAGER.findall(cause.message)}
            if not others or not others <= {*KUBECTL, self.owner.manager, live.FIELD_MANAGER}:
                raise
            self.ports.writer.apply(document, force=True, dry_run=dry_run)
        except NotServed as error:
            if dry_run:
                raise
            raise NotYet(error.what, _SOON_S) from error

    def _take_over(self, document: Document) -> None:
        """What its previous applier owned becomes what we applied, so that what is no longer applied goes."""
        found = _there(self.ports.reader, live.Object(document).ref)
        entries = found.metadata.get("managedFields") or () if found is not None else ()
        theirs = [entry for entry in entries if self._is_of_applier(entry)]
        if found is None or not any(entry["manager"] != live.FIELD_MANAGER for entry in theirs):
            return
        ours = {**theirs[0], "manager": live.FIELD_MANAGER, "operation": "Apply"}
        for entry in theirs[1:]:
            ours["fieldsV1"] = _united(ours["fieldsV1"], entry["fieldsV1"])
        set_managers(self.ports.writer, found, [ours, *(entry for entry in entries if entry not in theirs)])

    def _is_of_applier(self, entry: Document) -> bool:
        if entry.get("subresource"):
            return False
        if entry["manager"] == live.FIELD_MANAGER:
            return bool(entry["operation"] == "Apply")
        return entry["manager"] in (*KUBECTL, self.owner.manager)

    # ── And back ────────────────────────────────────────────────────────────────────────────────────────────────

    def revert(self, before: Checkpoint, token: str) -> str:
        for each in self._instances(before):
            if exists(self.ports.reader, each.ref) is not None:
                each.disown()
        touched = [each for each in before.objects if self._was_touched(each)]
        for old in sorted(touched, key=lambda each: _rank_back(each.document)):
            put_back(self.ports, old)
        if self.step.manifests is not None and not self.step.restores:
            held = {each.ref for each in before.objects} | {each.ref for each in before.secrets}
            for ref in self.step.manifests.objects:
                if ref not in held and ref.kind not in KEPT:
                    self.ports.writer.delete(ref)
        return before.installation

    def _was_touched(self, old: live.Object) -> bool:
        """Whether it may be otherwise because of us; what is restored for itself is what was applied."""
        given = self.step.manifests
        if given is None or self.step.restores:
            entries = old.metadata.get("managedFields") or ()
            return any(self._is_of_applier(entry) for entry in entries)
        return old.ref in (*given.objects, *given.gone) or any(old.ref == target.ref for target in self.step.targets)

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """What is applied is applied: nobody carries it on."""
        return (OwnerState.DONE if ticket else OwnerState.IDLE), ""

    def differences(self, before: Checkpoint) -> Iterator[str]:
        """Secrets that the checkpoint has only fingerprints of; objects are compared by whoever asks."""
        for each in before.secrets:
            found = exists(self.ports.reader, each.ref)
            salt = each.hmac_sha256.partition(":")[0]
            if found is None or secret_print(found, salt) != each:
                yield f"{each.ref}, which is not stored"


def _there(reader: ObjectReader, ref: ObjectRef) -> live.Object | None:
    try:
        return exists(reader, ref)
    except NotServed:
        return None


def _serves(document: Document) -> bool:
    """Whether a workload has all of its pods ready; what is no workload has none."""
    status, replicas = document.get("status") or {}, (document.get("spec") or {}).get("replicas", 1)
    if document["kind"] == "DaemonSet":
        return bool(status.get("numberReady", 0) >= status.get("desiredNumberScheduled", 0))
    return document["kind"] not in ("Deployment", "StatefulSet") or bool(status.get("readyReplicas", 0) >= replicas)


def _rank(document: Document) -> int:
    """The order of applying; within a rank that of the files."""
    group = live.Object(document).ref.group
    return _FIRST.get(document["kind"], 3 if group in _WORKLOADS else 4 if group in _CALLERS else 2)


def _rank_back(document: Document) -> tuple[bool, int]:
    """Kinds last: where the server refuses to take a version of one back, all else is back already."""
    return document["kind"] == "CustomResourceDefinition", _rank(document)


def _united(one: Document, other: Document) -> Document:
    """The fields of both, as managedFields has them."""
    shared = {name: _united(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}
