"""EKS's add-on API over the world's cluster: ports.EksAddons and ports.EksAddonWriter, with what EKS really does.

One change at a time; a change ends some time after it was accepted; what failed stays applied, the add-on DEGRADED,
until its workloads recover by themselves or another update comes; nothing is ever pruned. Descriptions may be late.
What EKS applies it applies as manager `eks`, and resolveConflicts decides about fields of others.

`versions` says what a version consists of: add-on and version → manifests for a configuration. Not modelled: health
checks other than of workloads, add-ons that need a subscription, tags. Where EKS's own behaviour is not documented (the
status after a conflict), it is as addonctl's own fake of the API has it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from addonctl.errors import (
    AddonctlError,
    BadInput,
    Conflict,
    Invalid,
    NotFound,
    NotReachable,
    TooManyRequests,
    Unavailable,
)
from addonctl.model import EksIssue, EksUpdate, live
from addonctl.sim.documents import Document, copied
from addonctl.sim.kinds import Key
from addonctl.sim.readiness import is_rolled_out, serves_nothing, workloads
from addonctl.sim.store import Store
from addonctl.sim.weather import Call, Calm, Weather
from addonctl.sim.world import Later

Renderer = Callable[[str], Iterable[Mapping[str, Any]]]
"""configuration (as it was sent) → manifests. Raises Invalid where it is not of the version's schema."""

MANAGER = "eks"
_AT_WORK = ("CREATING", "UPDATING", "DELETING")
_REPLICAS = "InsufficientNumberOfReplicas"
_TOKEN = re.compile(r"[!-~]{1,64}")
_T = TypeVar("_T")


@dataclass(slots=True)
class Pace:
    """How fast EKS works, in seconds; `late_s`: for how long it may describe what was before a change."""

    apply_s: float = 10.0
    poll_s: float = 5.0
    timeout_s: float = 1200.0  # as observed through Terraform, whose 20 minutes end before EKS says anything
    delete_s: float = 10.0
    late_s: float = 2.0


@dataclass(slots=True)
class _Addon:
    """What EKS keeps of one add-on."""

    said: live.Addon
    resolve: live.ResolveConflicts
    update_id: str = ""
    applied: dict[tuple[Key, str, str], None] = field(default_factory=dict)  # in order
    before: live.Addon | None = None  # what is described until `late_until`
    late_until: int = 0
    next: Later | None = None


class SimEks:
    """EKS itself, for one cluster; clients talk to it through SimEksAddons."""

    def __init__(
        self,
        store: Store,
        versions: Mapping[tuple[str, str], Renderer],
        pace: Pace | None = None,
        cluster: str = "prod-eu-1",
    ) -> None:
        self.store, self.world, self.versions = store, store.world, versions
        self.pace, self.cluster = pace or Pace(), cluster
        self.deleted: list[tuple[str, bool]] = []
        self.schemas: dict[tuple[str, str], str] = {}  # of the configuration; without one it takes anything
        self.fails_next = ""  # the error code with which the next change ends
        self._addons: dict[str, _Addon] = {}
        self._updates: dict[tuple[str, str], EksUpdate] = {}
        self._tokens: dict[str, live.Addon | EksUpdate] = {}

    # ── Asked ───────────────────────────────────────────────────────────────────────────────────────────────────

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._addons))

    def tokens(self) -> frozenset[str]:
        """All with which something was asked for."""
        return frozenset(self._tokens)

    def versions_asked(self) -> frozenset[str]:
        """All to which something was to be updated."""
        return frozenset(update.params["AddonVersion"] for update in self._updates.values())

    def describe(self, name: str) -> live.Addon:
        addon = self._found(name)
        self._judge(addon)
        if addon.before is None or self.world.micros >= addon.late_until:
            return addon.said
        if addon.before.identities != addon.said.identities:
            raise Unavailable(f"The identities of {name} are no longer there; EKS is between two states", "Ask again.")
        return addon.before

    def update_status(self, name: str, update_id: str) -> EksUpdate:
        self._found(name)
        found = self._updates.get((name, update_id))
        if found is None:
            raise NotFound(f"No update found for ID: {update_id}", reason="ResourceNotFoundException")
        return found

    def configuration_schema(self, name: str, version: str) -> str:
        if (name, version) not in self.versions:
            raise NotFound(f"No addon: {name} of version {version} found", reason="ResourceNotFoundException")
        return self.schemas.get((name, version), "{}")

    def _found(self, name: str) -> _Addon:
        found = self._addons.get(name)
        if found is None:
            text = f"No addon: {name} found in cluster: {self.cluster}"
            raise NotFound(text, reason="ResourceNotFoundException")
        return found

    def _judge(self, addon: _Addon) -> None:
        """DEGRADED for want of replicas heals by itself, and ACTIVE degrades where nothing serves any longer."""
        mine, said = workloads(self.store, addon.applied), addon.said
        if said.status == "ACTIVE" and any(map(serves_nothing, mine)):
            addon.said = replace(said, status="DEGRADED", issues=(_not_ready(),))
        wants_replicas = said.status == "DEGRADED" and all(one.code == _REPLICAS for one in said.issues)
        if wants_replicas and mine and all(map(is_rolled_out, mine)):
            addon.said = replace(said, status="ACTIVE", issues=())

    # ── Changed ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, wanted: live.Addon, resolve: live.ResolveConflicts, token: str) -> live.Addon:
        if isinstance(again := self._tokens.get(token), live.Addon):
            return again
        if wanted.name in self._addons:
            raise Conflict(f"Addon already exists: {wanted.name}", reason="ResourceInUseException")
        self._check(wanted)
        arn = f"arn:aws:eks:eu-central-1:123456789012:addon/{self.cluster}/{wanted.name}/{self.world.uid()}"
        said = replace(wanted, arn=arn, status="CREATING", modified=self.world.now)
        addon = self._addons[wanted.name] = _Addon(said, resolve)
        self._tokens[token] = said
        self._go_on(addon, self.pace.apply_s, lambda: self._apply(addon))
        return addon.said

    def update(self, wanted: live.Addon, resolve: live.ResolveConflicts, token: str) -> EksUpdate:
        if isinstance(again := self._tokens.get(token), EksUpdate):
            return self._updates[wanted.name, again.id]
        addon = self._found(wanted.name)
        if addon.said.status in _AT_WORK:
            text = f"Addon {wanted.name} cannot be updated as it is currently in {addon.said.status} state"
            raise Conflict(text, "Follow the update in progress, then decide again.", reason="ResourceInUseException")
        self._check(wanted)
        update = self._begun(wanted, resolve)
        addon.before, addon.late_until = addon.said, self.world.micros + round(self.pace.late_s * 1e6)
        was = addon.said
        addon.said = replace(
            wanted, status="UPDATING", arn=was.arn, namespace=was.namespace, mark=was.mark, modified=self.world.now
        )
        addon.resolve, addon.update_id = resolve, update.id
        self._tokens[token] = self._updates[wanted.name, update.id] = update
        self._go_on(addon, self.pace.apply_s, lambda: self._apply(addon))
        return self._updates[wanted.name, update.id]

    def _begun(self, wanted: live.Addon, resolve: live.ResolveConflicts) -> EksUpdate:
        params = {"AddonVersion": wanted.version, "ResolveConflicts": resolve.value}
        params |= {"ServiceAccountRoleArn": wanted.role_arn} if wanted.role_arn else {}
        return EksUpdate(
            id=self.world.uid(),
            type="AddonUpdate",
            status="InProgress",
            addon=wanted.name,
            created=self.world.now,
            params=params,
        )

    def delete(self, name: str, preserve: bool) -> None:
        addon = self._found(name)
        if addon.said.status == "DELETING":
            return
        if addon.next is not None:
            addon.next.cancel()
        addon.said = replace(addon.said, status="DELETING")
        self._go_on(addon, self.pace.delete_s, lambda: self._end(addon, preserve))

    def _end(self, addon: _Addon, preserve: bool) -> None:
        del self._addons[addon.said.name]
        self.deleted.append((addon.said.name, preserve))
        for name in () if preserve else reversed(addon.applied):
            if (stored := self.store.get(*name)) is not None:
                self.store.end(stored)

    def _check(self, wanted: live.Addon) -> None:
        """Raises Invalid for what EKS refuses at once."""
        render = self.versions.get((wanted.name, wanted.version))
        if render is None:
            text = "Addon version specified is not supported"
            raise Invalid(text, reason="InvalidParameterException")
        render(wanted.configuration)

    # ── At work ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, addon: _Addon, seconds: float, what: Callable[[], None]) -> None:
        """EKS that takes no time does it within the call."""
        if seconds > 0:
            addon.next = self.world.after(seconds, what)
        else:
            what()

    def _apply(self, addon: _Addon) -> None:
        said = addon.said
        documents = [
            _with_role(document, said.role_arn)
            for document in self.versions[said.name, said.version](said.configuration)
        ]
        try:
            if addon.resolve is live.ResolveConflicts.NONE:
                self._foresee(documents)
            for document in documents:
                self._apply_one(addon, document)
        except AddonctlError as error:
            self._done(addon, EksIssue(code=_code(error), message=error.what))
            return
        self._wait(addon, self.world.micros + round(self.pace.timeout_s * 1e6))

    def _foresee(self, documents: Iterable[Document]) -> None:
        """With NONE, EKS changes nothing where anything is in conflict."""
        for document in documents:
            try:
                self.store.apply(document, MANAGER, dry_run=True)
            except Conflict as error:
                metadata = document["metadata"]
                fields = "\n".join(cause.field for cause in error.causes)
                text = (
                    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. "
                    f"Conflicts:\n{document['kind']} {metadata['name']} - {fields}"
                )
                raise Conflict(text, causes=error.causes) from error

    def _apply_one(self, addon: _Addon, document: Document) -> None:
        match addon.resolve:
            case live.ResolveConflicts.PRESERVE:
                stored = self.store.apply(document, MANAGER, only=lambda _: False)
            case live.ResolveConflicts.OVERWRITE:
                stored = self.store.apply(document, MANAGER, force=True)
            case live.ResolveConflicts.NONE:
                stored = self.store.apply(document, MANAGER)
        addon.applied[stored.served.key, *stored.name] = None

    def _wait(self, addon: _Addon, until: int) -> None:
        """Asks again and again whether the workloads are rolled out."""
        if self.fails_next:
            code, self.fails_next = self.fails_next, ""
            self._done(addon, EksIssue(code=code, message="The add-on is unhealthy"))
        elif all(map(is_rolled_out, workloads(self.store, addon.applied))):
            self._done(addon, None)
        elif self.world.micros >= until:
            self._done(addon, _not_ready())
        else:
            addon.next = self.world.after(self.pace.poll_s, lambda: self._wait(addon, until))

    def _done(self, addon: _Addon, problem: EksIssue | None) -> None:
        """A change that failed is not undone."""
        said = addon.said
        failed = "CREATE_FAILED" if said.status == "CREATING" else "DEGRADED"
        issues = (problem,) if problem is not None else ()
        addon.said = replace(said, status=failed if issues else "ACTIVE", issues=issues, modified=self.world.now)
        addon.next = None
        if addon.update_id and said.status == "UPDATING":
            key = said.name, addon.update_id
            status = "Failed" if issues else "Successful"
            self._updates[key] = replace(self._updates[key], status=status, errors=issues)
        self.world.note(f"eks {said.name} {addon.said.status} {said.version}")


_CODES: Mapping[type[AddonctlError], str] = {Conflict: "ConfigurationConflict", NotFound: "K8sResourceNotFound"}


def _code(error: AddonctlError) -> str:
    return _CODES.get(type(error), "AdmissionRequestDenied")


def _not_ready() -> EksIssue:
    return EksIssue(code=_REPLICAS, message="The add-on is unhealthy because it doesn't have the desired replicas")


def _with_role(given: Mapping[str, Any], role_arn: str) -> Document:
    """EKS notes the role on the add-on's ServiceAccounts; without one there is no note, so a former one goes."""
    document: Document = copied(given)
    if role_arn and document["kind"] == "ServiceAccount":
        metadata = document["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), "eks.amazonaws.com/role-arn": role_arn}
    return document


# ── The ports ───────────────────────────────────────────────────────────────────────────────────────────────────

# As boto3 is set up by the adapter: throttling, failures of the server's and lost answers are tried again, which a
# token makes safe; the pauses double, up to a limit.
_ATTEMPTS, _PAUSE_S, _PAUSE_MAX_S = 10, 0.5, 20.0
_PASSING = (TooManyRequests, Unavailable, NotReachable)


class SimEksAddons:
    """Both ports of one client. Its attempts take the world's time."""

    def __init__(self, eks: SimEks, weather: Weather | None = None) -> None:
        self._eks, self._weather = eks, weather or Calm()

    def names(self) -> tuple[str, ...]:
        return self._asked("ListAddons", "", self._eks.names)

    def describe(self, addon: str) -> live.Addon:
        return self._asked("DescribeAddon", addon, lambda: self._eks.describe(addon))

    def configuration_schema(self, addon: str, version: str) -> str:
        return self._asked("DescribeAddonConfiguration", addon, lambda: self._eks.configuration_schema(addon, version))

    def update_status(self, addon: str, update_id: str) -> EksUpdate:
        return self._asked("DescribeUpdate", addon, lambda: self._eks.update_status(addon, update_id))

    def create(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        namespace: str,
        token: str,
        mark: str = "",
    ) -> live.Addon:
        wanted = _wanted(addon, version, role_arn, identities, configuration, token)
        wanted = replace(wanted, namespace=namespace, mark=mark)
        return self._asked("CreateAddon", addon, lambda: self._eks.create(wanted, resolve_conflicts, token), True)

    def update(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        token: str,
    ) -> EksUpdate:
        wanted = _wanted(addon, version, role_arn, identities, configuration or "{}", token)
        return self._asked("UpdateAddon", addon, lambda: self._eks.update(wanted, resolve_conflicts, token), True)

    def delete(self, addon: str, *, preserve: bool) -> None:
        try:
            self._asked("DeleteAddon", addon, lambda: self._eks.delete(addon, preserve), True)
        except NotFound:
            return

    def _asked(self, operation: str, addon: str, ask: Callable[[], _T], writes: bool = False) -> _T:
        call = Call("eks", operation, addon, writes)
        for attempt in range(_ATTEMPTS):
            try:
                self._weather.before(call)
                answer = ask()
                self._weather.after(call)
                return answer
            except _PASSING as error:
                between_two_states = isinstance(error, Unavailable) and operation == "DescribeAddon"
                if attempt == _ATTEMPTS - 1 or between_two_states:
                    raise
                self._eks.world.advance(min(_PAUSE_S * 2**attempt, _PAUSE_MAX_S))
        raise AssertionError("the last attempt returns or raises")


def _wanted(
    addon: str, version: str, role_arn: str, identities: tuple[live.Identity, ...], configuration: str, token: str
) -> live.Addon:
    if not _TOKEN.fullmatch(token):
        raise BadInput("A change of an EKS add-on needs a token of 1 to 64 characters", "Give the step's own.")
    return live.Addon(
        name=addon,
        status="",
        version=version,
        role_arn=role_arn,
        identities=identities,
        configuration=configuration,
    )
