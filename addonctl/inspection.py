"""Reads what preflight needs of each step beyond a Snapshot: configuration against schemas, fields, stored versions,
and whether whoever asks has the rights.

Through ports; what cannot be read is left out with the reason, and preflight says so. Values of a configuration stay
here: what is returned names places and rules alone. Used by the live source, for ports.Inspector.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from addonctl import ports
from addonctl.errors import AddonctlError, NotFound, NotServed
from addonctl.model import ObjectRef, live, owners
from addonctl.model.owners import Owner
from addonctl.model.plan import Plan, Step
from addonctl.model.preflight import Fact, ForeignField, StepFacts, Violation
from addonctl.rights import needed
from addonctl.versions import Version

_T = TypeVar("_T")
_EKS = "eks"
_BY_HAND = "kubectl"  # kubectl-edit, kubectl-patch, kubectl-client-side-apply …
# What these write is theirs to write; what was there before the first server-side apply is nobody's.
_NOT_FOREIGN = frozenset({_EKS, "kube-controller-manager", "before-first-apply", live.FIELD_MANAGER})
# Labels and annotations are shared by design, and nobody but controllers sets a status.
_NOT_SPEC = ("f:status", "f:metadata")
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_CHANGED = frozenset(
    {
        "ConfigMap",
        "CustomResourceDefinition",
        "DaemonSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "MutatingWebhookConfiguration",
        "PodDisruptionBudget",
        "Service",
        "StatefulSet",
        "ValidatingWebhookConfiguration",
    }
)
# The values of `{"containerPort":53,"protocol":"UDP"}`, which identify an item of a list.
_VALUE = re.compile(r':"?([^",}]*)')


@dataclass(frozen=True)
class Inspection:
    """Of one cluster. `eks` is None where AWS was not asked; `configurations` leads to those that plans name."""

    objects: ports.ObjectReader
    schemas: ports.Schemas
    eks: ports.EksAddons | None = None
    configurations: Callable[[], ports.Checkpoints] | None = None

    def facts(self, plan: Plan) -> Mapping[str, StepFacts]:
        """Step id → what was read for it. Raises nothing that reading may raise."""
        return {step.id: self._step(step) for step in plan.steps}

    def _step(self, step: Step) -> StepFacts:
        unread: dict[Fact, str] = {}
        configuration = fields = stored = None
        name = _eks_name(step)
        if name:
            configuration = _read(Fact.CONFIGURATION, unread, lambda: self._configuration(step, name, unread))
        fields = _read(Fact.FIELDS, unread, lambda: tuple(self._fields(step)))
        stored = _read(Fact.STORED_VERSIONS, unread, lambda: self._stored(step))
        lacking = _read(Fact.RIGHTS, unread, lambda: tuple(self._lacking(step)))
        return StepFacts(
            configuration=configuration, fields=fields, stored_versions=stored, lacking=lacking, unread=unread
        )

    # ── Configuration ───────────────────────────────────────────────────────────────────────────────────────────

    def _configuration(
        self, step: Step, addon: str, unread: dict[Fact, str]
    ) -> Mapping[str, tuple[Violation, ...]] | None:
        if self.eks is None:
            unread[Fact.CONFIGURATION] = "AWS was not asked"
            return None
        present = "" if step.creation else self.eks.describe(addon).configuration
        found = {}
        for version, configuration in self._ends(step, present):
            try:
                schema = self.eks.configuration_schema(addon, str(version))
            except NotFound as error:
                unread[Fact.CONFIGURATION] = error.what
                continue
            found[str(version)] = self.schemas.violations(schema, configuration)
        return found

    def _ends(self, step: Step, present: str) -> Iterator[tuple[Version, str]]:
        """Each version with the configuration that it is to have; one that has it already is not asked."""
        if step.to_version is not None:
            yield step.to_version, self._wanted(step, present)
        if step.from_version not in (None, step.to_version) and step.undo and not step.creation:
            assert step.from_version is not None
            yield step.from_version, present

    def _wanted(self, step: Step, present: str) -> str:
        if step.configuration is None:
            return present
        assert self.configurations is not None, "who plans a change of configuration keeps it"
        goal = self.configurations().load(step.configuration.goal).eks
        return goal.configuration if goal else present

    # ── Fields ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _fields(self, step: Step) -> Iterator[ForeignField]:
        for ref in _installed(step):
            try:
                managed = self.objects.get(ref).metadata.get("managedFields") or ()
            except NotFound:
                continue
            yield from (ForeignField(ref, manager, path) for manager, path in foreign_fields(managed, step.owner))

    # ── Stored versions ─────────────────────────────────────────────────────────────────────────────────────────

    def _stored(self, step: Step) -> Mapping[str, tuple[str, ...]]:
        found = {}
        for ref in step.objects:
            if ref.kind == "CustomResourceDefinition":
                try:
                    found[ref.name] = self.objects.get(ref).stored_versions
                except NotFound:
                    continue
        return found

    # ── Rights ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _lacking(self, step: Step) -> Iterator[live.Right]:
        """A right to all objects of a kind in a namespace is one to each; what is not served yet nobody can ask for."""
        to_all: dict[live.Right, bool] = {}
        for right in needed(step):
            whole = replace(right, ref=replace(right.ref, name=""))
            try:
                if whole not in to_all:
                    to_all[whole] = self.objects.allowed(whole)
                if not to_all[whole] and (not right.ref.name or not self.objects.allowed(right)):
                    yield right
            except NotServed:
                continue


def _eks_name(step: Step) -> str:
    """Of the add-on that EKS keeps, or is to keep."""
    if creation := step.creation:
        return creation.addon
    return step.owner.name if isinstance(step.owner, owners.EksAddon) else ""


def _read(fact: Fact, unread: dict[Fact, str], read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except AddonctlError as error:
        unread[fact] = error.what
        return None


def _installed(step: Step) -> Iterator[ObjectRef]:
    """The objects that installers write and people change; each once."""
    refs = dict.fromkeys((*(target.ref for target in step.targets), *step.objects))
    yield from (ref for ref in refs if ref.kind in _CHANGED)


def foreign_fields(managed: Iterable[Mapping[str, Any]], owner: Owner) -> Iterator[tuple[str, str]]:
    """(manager, field) of what others than an object's owner set, out of its managedFields.

    What people set counts whole: nobody can say without the new manifests which of it the owner will set. Of other
    managers' fields, which are theirs to set, those count that EKS has set as well.
    """
    entries = [entry for entry in managed if not entry.get("subresource")]
    own = {path for entry in entries if entry.get("manager") == _EKS for path in _paths(entry.get("fieldsV1") or {})}
    for entry in entries:
        manager = str(entry.get("manager") or "")
        if manager in _NOT_FOREIGN or (isinstance(owner, owners.Manifest) and manager == owner.manager):
            continue
        by_hand = manager.startswith(_BY_HAND)
        for path in _paths(entry.get("fieldsV1") or {}):
            if (by_hand or path in own) and _RESTARTED not in path:
                yield manager, path


def _paths(fields: Mapping[str, Any]) -> Iterator[str]:
    """The leaves of a field set, dotted: `spec.replicas`, `spec.template.spec.containers[coredns].image`."""
    stack = [("", key, inner) for key, inner in fields.items() if key not in _NOT_SPEC]
    while stack:
        above, key, inner = stack.pop()
        path = f"{above}{_named(key)}"
        below = [(path, name, more) for name, more in inner.items() if name != "."]
        stack += below
        if not below:
            yield path.removeprefix(".")


def _named(key: str) -> str:
    """One key of a field set, as a path has it; of a list's item what identifies it, never what it is worth."""
    kind, _, name = key.partition(":")
    if kind == "f":
        return f".{name}"
    return f"[{','.join(_VALUE.findall(name))}]" if kind == "k" else "[*]"
