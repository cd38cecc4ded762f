"""Decodes Kubernetes' JSON into values of the model: pages and objects of any kind.

The decoder of each kind is in decoders.py. An object that cannot be decoded is named and skipped.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from addonctl import images, model, units
from addonctl.adapters import api_types as s
from addonctl.adapters import redact, shapes
from addonctl.catalog import Catalog, SettingForm, VersionFrom
from addonctl.errors import BadInput
from addonctl.health.object_rules import rule_for
from addonctl.resources import Resource

# The annotations that are kept: who installed an object, and settings that others depend on. No other annotation is;
# of last-applied only the apiVersion is read.
ANNOTATIONS = frozenset(
    """
    meta.helm.sh/release-name meta.helm.sh/release-namespace helm.sh/hook
    argocd.argoproj.io/tracking-id argocd.argoproj.io/hook argocd.argoproj.io/ignore-restart-policy
    eks.amazonaws.com/role-arn
    kubernetes.io/config.mirror deprecated.daemonset.template.generation deployment.kubernetes.io/revision
    storageclass.kubernetes.io/is-default-class storageclass.beta.kubernetes.io/is-default-class
    kubernetes.io/ingress.class alb.ingress.kubernetes.io/group.name
    service.beta.kubernetes.io/aws-load-balancer-type
    ingressclass.kubernetes.io/is-default-class snapshot.storage.kubernetes.io/is-default-class
    volume.kubernetes.io/selected-node volume.kubernetes.io/storage-provisioner
    volume.beta.kubernetes.io/storage-provisioner
    cert-manager.io/inject-ca-from gateway.networking.k8s.io/bundle-version
    objectset.rio.cattle.io/owner-name objectset.rio.cattle.io/owner-gvk
    kapp.k14s.io/identity pulumi.com/autonamed configsync.gke.io/manager olm.operatorGroup
    rollout.argoproj.io/workload-generation kubeflow-resource-stopped
    """.split()
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind in the table of resources.py with its decoder: the shape of its JSON, and the conversion to a value."""

    of: Resource
    shape: type[s.Object]
    convert: "Callable[[Any, Decoder, dict[str, Any]], Any]"

    @property
    def kind(self) -> str:
        return self.of.kind

    @property
    def group(self) -> str:
        return self.of.group

    @property
    def part(self) -> str:
        return self.of.part


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: the decoded objects, the token of the next page, and those that could not be decoded."""

    items: list[Any]
    next: str = ""
    skipped: tuple[str, ...] = ()


class Decoder:
    """Decodes for one scan; knows which settings the catalog allows, and shares equal values.

    Safe to use from several threads without a lock: the interning tables are plain dicts, whose single operations are
    atomic, so a race only costs a second copy.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._env = tuple(
            (tuple(image.path for image in addon.fingerprints.images), addon.env)
            for addon in catalog.addons.values()
            if addon.env
        )
        self.config_maps: Mapping[str, Mapping[str, SettingForm]] = {
            name: keys for addon in catalog.addons.values() for name, keys in addon.config_maps.items()
        }
        self.crd_groups = frozenset(g for addon in catalog.addons.values() for g in addon.fingerprints.crd_groups)
        self.kubernetes = catalog.kubernetes
        rules = (rule for addon in catalog.addons.values() for rule in addon.version)
        self._told_versions = frozenset(r.key for r in rules if r.source is VersionFrom.CUSTOM_RESOURCE)
        self._counted = frozenset(crd.name for a in catalog.addons.values() for crd in a.crds if crd.counted)
        self._appliers: dict[tuple[tuple[str, str, str], ...], tuple[model.Applier, ...]] = {}
        self._labels: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self._statuses: dict[tuple[Any, ...], model.ContainerStatus] = {}
        self._owners: dict[tuple[str, str, str], tuple[model.ObjectRef, ...]] = {}
        self._requests: dict[tuple[str, str], tuple[int, int]] = {}

    def env(self, references: Iterable[str]) -> Mapping[str, SettingForm]:
        """The environment variables to keep for a workload with these images: those of its add-on."""
        paths = [images.parse(reference).path for reference in references]
        return {
            name: form
            for prints, settings in self._env
            if any(images.path_matches(path, known) for path in paths for known in prints)
            for name, form in settings.items()
        }

    def reads_whole(self, crd: model.CustomResourceDefinition, version: model.CrdVersion) -> bool:
        """Whether custom resources are read with spec and status: those that contain a version or their health."""
        return crd.name in self._told_versions or (version.has_status and crd.name not in self._counted)

    def page(self, kind: Kind, body: bytes) -> Page:
        """The objects of one list response. Raises msgspec.DecodeError when `body` is not a list of this kind."""
        decoder, raw_decoder = _list_decoders(kind.shape)
        try:
            page = decoder.decode(body)
            token = (page.metadata.continue_ or "") if page.metadata else ""
            items = [self._convert(kind, item) for item in page.items or ()]
        except (msgspec.ValidationError, BadInput):
            return self._page_one_by_one(kind, raw_decoder.decode(body))
        return Page([item for item in items if item is not None], token)

    def _page_one_by_one(self, kind: Kind, page: Any) -> Page:
        """The slow path for a page with a broken object: one by one, with the broken ones named."""
        items, skipped = [], []
        for number, raw in enumerate(page.items or ()):
            try:
                item = self.one(kind, raw)
            except BadInput as error:
                skipped.append(f"{kind.kind} number {number}: {error.what}")
                continue
            if item is not None:
                items.append(item)
        token = (page.metadata.continue_ or "") if page.metadata else ""
        return Page(items, token, tuple(skipped))

    def one(self, kind: Kind, raw: "bytes | msgspec.Raw | Mapping[str, Any]", place: model.Place | None = None) -> Any:
        """One object from JSON or from parsed YAML, which stands in `place`. Raises BadInput when it is broken."""
        return self._convert(kind, _decoded(kind.shape, raw), place)

    def _convert(self, kind: Kind, shape: s.Object, place: model.Place | None = None) -> Any:
        return kind.convert(shape, self, self._common(shape, kind.kind, place))

    def _common(self, shape: s.Object, kind: str, place: model.Place | None) -> dict[str, Any]:
        """The keyword arguments that every KubernetesObject takes."""
        meta = shape.metadata
        if meta is None:
            raise BadInput(f"a {kind} has no metadata")
        name = meta.name or meta.generate_name
        if not name:
            raise BadInput(f"a {kind} has no name")
        return {
            "name": name,
            "namespace": meta.namespace or "",
            "uid": meta.uid or "",
            "created": aware(meta.creation_timestamp),
            "deleting": meta.deletion_timestamp is not None,
            "deleted": aware(meta.deletion_timestamp),
            "finalizers": tuple(meta.finalizers) if meta.finalizers else (),
            "labels": self._interned_labels(meta.labels),
            "annotations": kept_annotations(meta.annotations),
            "owners": self._owner_refs(meta.owner_references),
            "appliers": self._applied_by(meta),
            "place": place,
        }

    def _interned_labels(self, labels: dict[str, str] | None) -> dict[str, str]:
        if not labels:
            return EMPTY
        return self._labels.setdefault(tuple(labels.items()), labels)

    def _owner_refs(self, owners: list[s.OwnerReference] | None) -> tuple[model.ObjectRef, ...]:
        """The owner references, the controller first."""
        if not owners:
            return ()
        if len(owners) == 1:
            key = (owners[0].kind, owners[0].name, owners[0].api_version)
            known = self._owners.get(key)
            return known if known is not None else self._owners.setdefault(key, (_owner_ref(owners[0]),))
        return tuple(_owner_ref(owner) for owner in sorted(owners, key=lambda owner: not owner.controller))

    def _applied_by(self, meta: s.Meta) -> tuple[model.Applier, ...]:
        last = (meta.annotations or EMPTY).get(LAST_APPLIED)
        if not meta.managed_fields and last is None:
            return ()
        key = tuple((entry.manager, entry.api_version, entry.operation) for entry in meta.managed_fields or ())
        if last is not None:
            key += (("kubectl", _last_applied_version(last), "LastApplied"),)
        known = self._appliers.get(key)
        if known is None:
            known = tuple(
                model.Applier(manager=manager, api_version=version, operation=operation)
                for manager, version, operation in dict.fromkeys(key)
                if version
            )
            self._appliers[key] = known
        return known

    def status(self, name: str, image: str, was: s.ContainerStatus) -> model.ContainerStatus:
        """A container's status; equal ones (most simply run) share one object."""
        last = was.last_state.terminated if was.last_state else None
        wait = was.state.waiting if was.state else None
        waiting, why = (wait.reason, wait.message) if wait else (None, None)
        image_id = (was.image_id or "").rpartition("@")[2]
        now = was.state.terminated if was.state else None
        ended = now.exit_code if now else None
        words = (now and now.message) or (last and last.message) or ""
        key = (
            name,
            image,
            image_id,
            was.ready,
            was.restart_count,
            waiting,
            why,
            ended,
            words,
            last and (last.reason, last.finished_at),
        )
        known = self._statuses.get(key)
        if known is None:
            known = model.ContainerStatus(
                name=name,
                image=image,
                image_id=image_id,
                ready=bool(was.ready),
                restarts=was.restart_count or 0,
                waiting=waiting or "",
                exit_code=ended,
                waits_for=redact.message(why or ""),
                last_exit=(last.reason or "") if last else "",
                last_exit_at=aware(last.finished_at) if last else None,
                last_words=redact.message(words),
            )
            self._statuses[key] = known
        return known

    def request(self, resources: s.Resources | None) -> tuple[int, int]:
        """(CPU in millicores, memory in bytes) that a container requests: its limit where it says no more.

        A running pod says both, since the API server fills them in; a manifest need not.
        """
        if resources is None or not (resources.requests or resources.limits):
            return _NOTHING
        requests, limits = resources.requests or EMPTY, resources.limits or EMPTY
        cpu = requests.get("cpu", limits.get("cpu", "0"))
        key = (str(cpu), str(requests.get("memory", limits.get("memory", "0"))))
        known = self._requests.get(key)
        if known is None:
            millicores, size = quantity(units.cpu_millicores, key[0]), quantity(units.whole, key[1])
            known = self._requests[key] = millicores or 0, size or 0
        return known

    def others(self, api_version: str, kind: str, body: bytes) -> Page:
        """One page of a list of a kind without a shape of its own; full objects, or only their metadata."""
        page = _other_list.decode(body)
        items, skipped = [], []
        for number, raw in enumerate(page.items or ()):
            try:
                items.append(self.other(api_version, kind, raw))
            except BadInput as error:
                skipped.append(f"{kind} number {number}: {error.what}")
        return Page(items, (page.metadata.continue_ or "") if page.metadata else "", tuple(skipped))

    def other(
        self,
        api_version: str,
        kind: str,
        raw: "bytes | msgspec.Raw | Mapping[str, Any]",
        place: model.Place | None = None,
    ) -> model.OtherObject:
        """One object of a kind without a shape of its own. Raises BadInput when it is broken."""
        shape = _decoded(s.OtherObject, raw)
        status = shape.status if isinstance(shape.status, Mapping) else {}
        observed = status.get("observedGeneration")
        return model.OtherObject(
            **self._common(shape, kind, place),
            api_version=api_version,
            kind=kind,
            generation=(shape.metadata.generation or 0) if shape.metadata else 0,
            observed_generation=observed if isinstance(observed, int) else None,
            has_status=None if shape.kind == _METADATA_KIND else shape.status is not None,
            conditions=_free_conditions(status.get("conditions")),
            parents=tuple(_parents(status)),
            fields=dict(_fields(shape)),
            **({} if rule_for(api_version.rpartition("/")[0], kind)[1] else _inside(status)),
            is_empty=isinstance(shape.status, Mapping) and not any(_holds(value) for value in status.values()),
        )


EMPTY: dict[str, str] = {}
# Raised for bytes that are not the expected JSON; invalid UTF-8 in a string is only found when it is decoded.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOTHING = (0, 0)


class _OtherList(s.Shape):
    items: list[msgspec.Raw] | None = None
    metadata: s.ListMeta | None = None


_other_list = shapes.decoder(_OtherList)


@cache
def _list_decoders(shape: type[s.Object]) -> tuple[Any, Any]:
    """Decoders of a list of `shape`: directly into it, and with each item as raw JSON."""
    straight, raw = (
        msgspec.defstruct(
            "List",
            [("items", list[item] | None, None), ("metadata", s.ListMeta | None, None)],  # type: ignore[valid-type]
            gc=False,
        )
        for item in (shape, msgspec.Raw)
    )
    return shapes.decoder(straight), shapes.decoder(raw)


_Shape = TypeVar("_Shape", bound=s.Object)


def _decoded(shape: type[_Shape], raw: "bytes | msgspec.Raw | Mapping[str, Any]") -> _Shape:
    try:
        if isinstance(raw, Mapping):
            return shapes.convert(_tolerant(raw), shape, strict=False)
        return shapes.decode(raw, shape, strict=False)
    except NOT_JSON as error:
        raise BadInput(f"{_name_of(raw)} cannot be read: {error}") from error


def _tolerant(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """YAML parses `version: 1.10` as a number; labels, annotations and names are converted back to strings."""
    meta = document.get("metadata")
    if not isinstance(meta, Mapping):
        return document
    plain = {**meta}
    for key in ("labels", "annotations"):
        if isinstance(plain.get(key), Mapping):
            plain[key] = {str(k): _yaml_text(v) for k, v in plain[key].items()}
    for key in ("name", "namespace"):
        if isinstance(plain.get(key), int | float):
            plain[key] = _yaml_text(plain[key])
    return {**document, "metadata": plain}


# YAML aliases can expand a document far beyond its size; charts use them to share a few labels. More values than this
# are not a manifest: the largest objects of real clusters have some 100,000.
_UNFOLDED_MAX = 1_000_000


def refuse_bombs(document: Any) -> None:
    """Raises BadInput when a YAML document expands, through aliases, far beyond its size, or without end."""
    sizes: dict[int, int] = {}
    if _unfolded(document, sizes) > _UNFOLDED_MAX:
        raise BadInput(f"it unfolds to more than {_UNFOLDED_MAX} values", "Write it without YAML aliases.")


def _unfolded(value: Any, sizes: dict[int, int]) -> int:
    """The number of values with every alias expanded; each shared part is counted only once."""
    if not isinstance(value, dict | list):
        return 1
    known = sizes.get(id(value))
    if known is not None:
        return known
    sizes[id(value)] = _UNFOLDED_MAX + 1  # if met again inside itself, it never ends
    inner = (part for pair in value.items() for part in pair) if isinstance(value, dict) else value
    sizes[id(value)] = 1 + sum(_unfolded(part, sizes) for part in inner)
    return sizes[id(value)]


def _yaml_text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise BadInput("a label or an annotation is a list or a mapping, not a text")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _name_of(raw: Any) -> str:
    """The best available name for a broken object."""
    try:
        if not isinstance(raw, Mapping):
            raw = shapes.decode(raw)
        meta = raw.get("metadata")
        meta = meta if isinstance(meta, Mapping) else {}
        return f"{raw.get('kind') or 'object'} {meta.get('namespace') or '-'}/{meta.get('name') or '-'}"[:200]
    except (*NOT_JSON, AttributeError):
        return "an object"


def quantity(read: Callable[[str], int], written: Any) -> int | None:
    """A quantity; None for what is none, which no API server lets pass: files may have a variable in its place."""
    try:
        return read(str(written))
    except BadInput:
        return None


def aware(when: datetime | None) -> datetime | None:
    """A time in UTC. One without a zone comes from YAML and is in UTC already, like all times of Kubernetes."""
    if when is None or when.tzinfo is UTC:
        return when
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def kept_annotations(annotations: dict[str, str] | None) -> dict[str, str]:
    if not annotations:
        return EMPTY
    kept = ANNOTATIONS.intersection(annotations)
    return {key: redact.text(annotations[key]) for key in kept} if kept else EMPTY


def _last_applied_version(text: str) -> str:
    try:
        return shapes.decode(text, s.LastApplied).api_version
    except msgspec.DecodeError:
        return ""


def _owner_ref(owner: s.OwnerReference) -> model.ObjectRef:
    group = owner.api_version.rpartition("/")[0]
    return model.ObjectRef(kind=owner.kind, name=owner.name, group=group)


def conditions(given: Iterable[s.Condition] | None) -> tuple[model.Condition, ...]:
    return tuple(
        model.Condition(
            type=c.type,
            status=c.status,
            reason=c.reason or "",
            message=redact.message(c.message or ""),
            changed=aware(c.last_transition_time),
            observed_generation=c.observed_generation,
            severity=c.severity or "",
        )
        for c in given or ()
    )


# ── Objects without a shape of their own ────────────────────────────────────────────────────────────────────────

_METADATA_KIND = "PartialObjectMetadata"
# The fields of spec and status that health rules use: phases, counts and switches; no free text of users except
# messages, which are redacted.
FIELDS = tuple(
    """
    spec.default spec.executor.instances spec.image spec.maxReplicas spec.mode spec.paused spec.replicas
    spec.scaleTargetRef.name spec.size spec.suspend spec.suspended spec.updateStrategy.paused
    spec.updateStrategy.rollingUpdate.paused status.abort status.active status.activeSelector
    status.applicationState.errorMessage status.applicationState.state status.availableReplicas
    status.blueGreen.activeSelector status.boundVolumeSnapshotContentName status.canary.stableRS
    status.conditionStatus.message status.conditionStatus.ready status.controllerPause status.created
    status.currentHealthy status.currentPodHash status.currentReplicas status.currentState status.desiredReplicas
    status.error status.error.message status.errorDescription status.errorMessage status.expectedMachines
    status.failureReason status.health status.healthy status.health.message status.health.status
    status.ipam.operator-status.error status.lastAppliedRevision status.message status.modelStatus.transitionStatus
    status.mounted status.nodeName status.notAfter status.observedGeneration status.operationState.phase
    status.paused status.phase status.providerID status.ready status.readyReplicas status.readyToUse status.reason
    status.replicas status.scale.replicas status.scale.statusReplicas status.scheduleState status.stableRS
    status.state status.status status.sync.status status.totalViolations status.unavailableReplicas
    status.updatedReadyReplicas status.updatedReplicas status.version status.workloadObservedGeneration
    """.split()
)
# Of spec, only these may be text; all other fields must be booleans or numbers.
_WORDS = frozenset({"spec.image", "spec.mode", "spec.scaleTargetRef.name"})
_PATHS = tuple((path, tuple(path.split("."))) for path in FIELDS)


def _fields(shape: s.OtherObject) -> Iterator[tuple[str, str]]:
    for path, (root, *keys) in _PATHS:
        value = shape.spec if root == "spec" else shape.status
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            yield path, "true" if value else "false"
        elif isinstance(value, int | float):
            yield path, str(value)
        elif isinstance(value, str) and value and (root == "status" or path in _WORDS):
            yield path, redact.message(value)


def _free_conditions(value: Any) -> tuple[model.Condition, ...]:
    """Conditions in the usual form; others are ignored."""
    if not isinstance(value, list):
        return ()
    found = []
    for item in value:
        if isinstance(item, dict) and isinstance(item.get("status"), bool):  # YAML's unquoted True
            item["status"] = str(item["status"])
        try:
            found.append(shapes.convert(item, s.Condition, strict=False))
        except msgspec.ValidationError:
            continue
    return conditions(found)


# Gateway API also has conditions per parent of a route, ancestor of a policy and listener of a gateway; the Prometheus
# operator has a monitor's per server that it is bound to.
_PARENTS = (("parents", "parentRef"), ("ancestors", "ancestorRef"), ("listeners", ""), ("bindings", ""))


def _parents(status: Mapping[str, Any]) -> Iterator[model.ConditionsOf]:
    for key, reference in _PARENTS:
        for entry in _mappings(status.get(key)):
            parent = entry.get(reference) if reference else entry
            name = str(parent.get("name") or "") if isinstance(parent, Mapping) else ""
            yield model.ConditionsOf(parent=name, conditions=_free_conditions(entry.get("conditions")))
    for entry in _mappings(status.get("byPod")):
        yield model.ConditionsOf(parent=str(entry.get("id") or ""), conditions=tuple(_of_pod(entry)))


def _of_pod(entry: Mapping[str, Any]) -> Iterator[model.Condition]:
    """What one Gatekeeper pod reports on an object, as conditions: the observed generation, and errors."""
    observed = entry.get("observedGeneration")
    generation = observed if isinstance(observed, int) else None
    yield model.Condition(type="Observed", status="True", observed_generation=generation)
    for error in _mappings(entry.get("errors")):
        message = redact.message(str(error.get("message") or error.get("code") or ""))
        yield model.Condition(type="Error", status="True", message=message, observed_generation=generation)


# How deep, and among how many entries, words and conditions are looked for where no rule says where they are.
_DEEP, _ENTRIES = 3, 20
_STATE_KEY = re.compile(r"(?i)(?:phase|state|status|health)$")
_WORD_MAX = 64


def _inside(status: Mapping[str, Any]) -> dict[str, Any]:
    """The words of state and the conditions further down in a status, for kinds that nobody has a rule for."""
    words: dict[str, None] = {}
    nested: list[model.ConditionsOf] = []
    for key, value in status.items():
        _look_inside(key, value, words, nested, _DEEP)
    return {"words": tuple(words)[:_ENTRIES], "nested": tuple(nested)[:_ENTRIES]}


def _holds(value: Any) -> bool:
    """Whether a value says anything; an empty list, mapping or text does not."""
    return value not in (None, "", [], {})


def _look_inside(key: str, value: Any, words: dict[str, None], nested: list[model.ConditionsOf], depth: int) -> None:
    if isinstance(value, str):
        if _STATE_KEY.search(key) and 0 < len(value) <= _WORD_MAX:
            words[redact.text(value)] = None
        return
    if depth == 0 or key == "conditions":
        return
    for entry in value[:_ENTRIES] if isinstance(value, list) else (value,):
        if not isinstance(entry, Mapping):
            continue
        found = _free_conditions(entry.get("conditions"))
        if found:
            nested.append(model.ConditionsOf(parent=key, conditions=found))
        for inner, more in entry.items():
            _look_inside(str(inner), more, words, nested, depth - 1)


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (entry for entry in (value if isinstance(value, list) else ()) if isinstance(entry, Mapping))


class Tally:
    """Counts custom resources of one kind, and the API versions that they were written with."""

    def __init__(self, group: str, kind: str, plural: str) -> None:
        self._group, self._kind, self._plural = group, kind, plural
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self._written: dict[str, int] = {}
        self._images: dict[str, None] = {}

    def add(self, items: Iterable[model.OtherObject]) -> None:
        for item in items:
            self.count += 1
            for version in {applier.api_version for applier in item.appliers}:
                self._written[version] = self._written.get(version, 0) + 1
            if "spec.image" in item.fields:
                self._images[item.fields["spec.image"]] = None

    def sum(self) -> model.CustomResources:
        return model.CustomResources(
            group=self._group,
            kind=self._kind,
            plural=self._plural,
            count=self.count,
            written_as=dict(sorted(self._written.items())),
            images=tuple(self._images),
        )
