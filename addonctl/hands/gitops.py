"""The hands for what GitOps controllers keep: another revision in the controller's object, which it carries out itself.

While a step is under way the controller is held: it puts nothing back by itself, so neither the temporary settings nor
old templates that are put back are fought over. What undoes that is the object as the checkpoint has it, which was
stored before. An Application whose version is not in it, but in the files of its repository, is changed there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from addonctl.errors import Conflict, Invalid
from addonctl.hands.applied import listed, rendered
from addonctl.hands.base import Kept, NotYet, Ports, Present, as_written, goal_of
from addonctl.instances import TEMPORARY, exists
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.owners import ArgoApplication, FluxHelmRelease
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState
from addonctl.rollouts import of_checkpoint
from addonctl.versions import parse, pinned

_SOON_S = 2.0
Document = Mapping[str, Any]


# ── Argo CD ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_PHASES = {"Succeeded": OwnerState.DONE, "Failed": OwnerState.FAILED, "Error": OwnerState.FAILED}


@dataclass(frozen=True, slots=True)
class ArgoHand:
    step: Step
    owner: ArgoApplication
    ports: Ports

    def present(self) -> Present:
        """Raises Invalid where the version is not in the Application, Conflict where somebody else keeps that."""
        found = self._application()
        place = argo_place(self.step, found)
        revision = str(argo_sources(found)[place].get("targetRevision"))
        self.ports.gitops.set_revision(self.owner, revision, source=place, dry_run=True)
        busy, unsynced = _argo_is_busy(found), _not_synced(found)
        changes = unsynced and _heals(found) and parse(revision) == self.step.from_version
        return Present(as_written(self.step, revision), busy or unsynced, busy=bool(busy or changes))

    def kept(self) -> Kept:
        return Kept(manager=self._application())

    def applied(self) -> tuple[live.Object, ...]:
        """Argo CD lists what it has synchronised."""
        found = (self._application().document.get("status") or {}).get("resources") or ()
        return listed(self.ports.reader, map(_named, found))

    def hold(self, before: Checkpoint) -> None:
        workloads = of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)
        self.ports.gitops.hold(self.owner, {each.ref: each.hardened for each in workloads})

    def let_go(self, before: Checkpoint, token: str) -> None:
        """After an update the workloads are synchronised again: new manifests may say otherwise of what was held."""
        _resume(self.ports, self.owner, before)
        if argo_sources(self._application()) == argo_sources(_manager(before)):
            return
        refs = [each.ref for each in of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)]
        try:
            self.ports.gitops.sync(self.owner, token, only=refs)
        except Conflict as busy:
            if busy.reason != "InProgress":  # Argo CD is doing it by itself
                raise NotYet(busy.what, _SOON_S) from busy

    # ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────

    def change(self, before: Checkpoint, token: str) -> str:
        goal = goal_of(self.step, self.ports)
        if goal is not None:
            self.ports.gitops.put_back(self.owner, _manager(goal))
        else:
            place = argo_place(self.step, self._application())
            self.ports.gitops.set_revision(self.owner, str(self.step.to_version), source=place)
        automated = (_spec(_manager(before)).get("syncPolicy") or {}).get("automated") or {}
        return self._sync(token, prune=bool(automated.get("prune")))

    def revert(self, before: Checkpoint, token: str) -> str:
        """What the update added goes again: before it, nothing was left to be pruned."""
        if not self.ports.gitops.end_sync(self.owner):
            raise NotYet("Argo CD ends its synchronisation", _SOON_S)
        found = self._application()
        if argo_sources(found) == argo_sources(_manager(before)) and not live.sync_token(
            _operation_state(found).get("operation")
        ):
            return ""
        self.ports.gitops.put_back(self.owner, _manager(before))
        return self._sync(token, prune=True)

    def _sync(self, token: str, *, prune: bool) -> str:
        try:
            self.ports.gitops.sync(self.owner, token, prune=prune)
        except Conflict as busy:
            if busy.reason != "InProgress":
                raise
            raise NotYet(busy.what, _SOON_S) from busy
        return token

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """What Argo CD says of the synchronisation; where another one followed, of the Application."""
        if not ticket:
            return OwnerState.IDLE, ""
        found = self._application()
        last = _operation_state(found)
        if (
            live.sync_token(found.document.get("operation")) == ticket
            and live.sync_token(last.get("operation")) != ticket
        ):
            return OwnerState.AT_WORK, "Argo CD has not begun with it"
        if live.sync_token(last.get("operation")) == ticket:
            return _PHASES.get(str(last.get("phase")), OwnerState.AT_WORK), str(last.get("message") or "")
        unsettled = _argo_is_busy(found) or _not_synced(found)
        return (OwnerState.AT_WORK if unsettled else OwnerState.DONE), unsettled

    def differences(self, before: Checkpoint) -> Iterator[str]:
        found = self._application()
        if argo_sources(found) != argo_sources(_manager(before)):
            yield f"the source of {self.owner}"
        if _argo_is_busy(found):
            yield f"{self.owner} is being synchronised"

    def _application(self) -> live.Object:
        return self.ports.reader.get(live.object_of(self.owner))


def argo_place(step: Step, found: live.Object) -> int:
    """Which source has the version: that with a chart, else with a tag; of several, that with the step's.

    Raises Invalid where none has.
    """
    sources = argo_sources(found)
    exact = [n for n, each in enumerate(sources) if pinned(str(each.get("targetRevision") or "")) is not None]
    charts = [n for n in exact if sources[n].get("chart")] or exact
    ours = (step.from_version, step.to_version)
    of_step = [n for n in charts if parse(sources[n]["targetRevision"]) in ours]
    if not charts:
        takes = ", ".join(str(each.get("targetRevision") or "HEAD") for each in sources) or "nothing"
        what = f"The version of {step.addon} is not in {step.owner}, which takes {takes}"
        raise Invalid(f"{what}: it is in the repository", "Change it there.")
    return (of_step or charts)[0]


def _argo_is_busy(found: live.Object) -> str:
    running = _operation_state(found).get("phase") in ("Running", "Terminating")
    return "Argo CD is synchronising it" if running or found.document.get("operation") else ""


def _named(resource: Document) -> ObjectRef:
    return ObjectRef(
        kind=resource["kind"],
        name=resource["name"],
        namespace=resource.get("namespace", ""),
        group=resource.get("group", ""),
    )


def _heals(found: live.Object) -> bool:
    """Whether Argo CD makes it synchronised again by itself."""
    automated = (_spec(found).get("syncPolicy") or {}).get("automated") or {}
    return bool(automated.get("selfHeal")) and automated.get("enabled") is not False


def _not_synced(found: live.Object) -> str:
    """Why an update would bring more than its version, or could not be put back to what is live."""
    status = found.document.get("status") or {}
    sync = (status.get("sync") or {}).get("status") or "not looked at"
    said = "; ".join(
        str(each.get("message")) for each in status.get("conditions") or () if "Error" in each.get("type", "")
    )
    return "" if sync == "Synced" else ": ".join(filter(None, (f"Argo CD says {sync}", said)))


def _operation_state(found: live.Object) -> Document:
    return (found.document.get("status") or {}).get("operationState") or {}


def argo_sources(found: live.Object) -> list[Document]:
    """Of an Application, one or several."""
    spec = _spec(found)
    return list(spec.get("sources") or ([spec["source"]] if spec.get("source") else []))


# ── Flux ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_APPLIED = ("chart", "chartRef", "values", "valuesFrom")
# Flux tries these again by itself.
_TRANSIENT = ("Progressing", "ProgressingWithRetry", "DependencyNotReady", "SourceNotReady", "ArtifactFailed")


@dataclass(frozen=True, slots=True)
class FluxHand:
    """Flux upgrades by Helm as soon as its HelmRelease says another version; what it does by itself when that fails,
    it does, and the step is put back."""

    step: Step
    owner: FluxHelmRelease
    ports: Ports

    def present(self) -> Present:
        """Raises Invalid where the version is not in the HelmRelease, Conflict where somebody else keeps that."""
        found = self._release()
        version = str(_chart(found).get("version") or "")
        if pinned(version) is None:
            takes = version or ("the newest chart" if _chart(found) else "what its chartRef names")
            what = f"The version of {self.step.addon} is not in {self.owner}, which takes {takes}"
            raise Invalid(what, "Give it a version, or change what it takes.")
        self.ports.gitops.set_revision(self.owner, version, dry_run=True)
        suspended = "it is suspended" if _spec(found).get("suspend") else ""
        state, detail = _flux_says(found)
        unsettled = suspended or ("" if state is OwnerState.DONE else f"Flux says {detail or state}")
        busy = state is OwnerState.AT_WORK and not suspended
        return Present(as_written(self.step, version), unsettled, busy=busy)

    def kept(self) -> Kept:
        return Kept(manager=self._release())

    def applied(self) -> tuple[live.Object, ...]:
        """Flux notes which of Helm's releases is its own."""
        status = self._release().document.get("status") or {}
        newest = next(iter(status.get("history") or ()), None)
        if newest is None:
            return ()
        stored = status.get("storageNamespace") or newest["namespace"]
        return rendered(self.ports, stored, newest["name"], newest["version"], into=newest["namespace"])

    def hold(self, before: Checkpoint) -> None:
        self.ports.gitops.hold(self.owner, {})

    def let_go(self, before: Checkpoint, token: str) -> None:
        """What was rendered into the chart goes again, by an upgrade of Flux's."""
        _resume(self.ports, self.owner, before)

    # ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────

    def change(self, before: Checkpoint, token: str) -> str:
        """Helm would set what the chart sets, so the chart is told the temporary settings; none has `paused`."""
        workloads = of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)
        held = {each.ref: {k: v for k, v in each.hardened.items() if k != "paused"} for each in workloads}
        self.ports.gitops.hold(self.owner, held)
        goal = goal_of(self.step, self.ports)
        if goal is not None:
            self.ports.gitops.put_back(self.owner, _manager(goal))
        else:
            self.ports.gitops.set_revision(self.owner, str(self.step.to_version))
        return token

    def revert(self, before: Checkpoint, token: str) -> str:
        """What failed while nodes were lost is asked for again: Flux counts its failures, and then does no more."""
        found = self._release()
        if flux_applied(found) == flux_applied(_manager(before)):
            if _flux_says(found)[0] is not OwnerState.FAILED:
                return ""
            self.ports.gitops.retry(self.owner, token)
            return token
        self.ports.gitops.put_back(self.owner, _manager(before), self._as_they_are(before))
        return token

    def _as_they_are(self, before: Checkpoint) -> dict[ObjectRef, Document]:
        """The settings by which old instances come back at present: Helm would set others, or be refused ours."""
        workloads = of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)
        found = filter(None, (exists(self.ports.reader, each.ref) for each in workloads))
        return {
            each.ref: {k: v for k, v in each.document["spec"].items() if k in TEMPORARY and k != "paused"}
            for each in found
        }

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        return _flux_says(self._release()) if ticket else (OwnerState.IDLE, "")

    def differences(self, before: Checkpoint) -> Iterator[str]:
        found = self._release()
        if flux_applied(found) != flux_applied(_manager(before)):
            yield f"the chart of {self.owner}"
        state, detail = _flux_says(found)
        if state is not OwnerState.DONE:
            yield f"{self.owner}, of which Flux says {detail or state}"

    def _release(self) -> live.Object:
        return self.ports.reader.get(live.object_of(self.owner))


def _flux_says(found: live.Object) -> tuple[OwnerState, str]:
    """Of the present state of the object; Flux notes which generation it has seen."""
    status = found.document.get("status") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    said = ": ".join(filter(None, (str(ready.get("reason") or ""), str(ready.get("message") or ""))))
    if status.get("observedGeneration") != found.metadata.get("generation"):
        return OwnerState.AT_WORK, "Flux has not looked at it yet"
    if (conditions.get("Reconciling") or {}).get("status") == "True" or ready.get("status") not in ("True", "False"):
        return OwnerState.AT_WORK, said
    if ready["status"] == "True":
        return OwnerState.DONE, ""
    return (OwnerState.AT_WORK if ready.get("reason") in _TRANSIENT else OwnerState.FAILED), said


def _chart(found: live.Object) -> Document:
    return (_spec(found).get("chart") or {}).get("spec") or {}


def flux_applied(found: live.Object) -> Document:
    """Of a HelmRelease, what says what is applied."""
    return {name: value for name, value in _spec(found).items() if name in _APPLIED}


# ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _resume(ports: Ports, owner: ArgoApplication | FluxHelmRelease, before: Checkpoint) -> None:
    """Restores what `hold` set; what somebody has set otherwise meanwhile stays theirs."""
    try:
        ports.gitops.resume(live.Suspension(owner, _manager(before)))
    except Conflict as conflict:
        if conflict.reason != "Changed":
            raise NotYet(conflict.what, _SOON_S) from conflict


def _manager(before: Checkpoint) -> live.Object:
    assert before.manager is not None, f"the checkpoint of {before.installation} has what its controller works from"
    return before.manager


def _spec(found: live.Object) -> Document:
    return found.document.get("spec") or {}
