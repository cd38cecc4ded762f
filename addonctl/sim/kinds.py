"""The kinds that the simulated API server serves: those of resources.py that Kubernetes brings, and what CRDs add.

Also what the server knows of a kind beyond its name: whether it has a status of its own and a generation, which fields
stand at its top, what it sets where nothing is said. Schemas below the top are not known, so a misspelt field of a
`spec` is taken; and between versions of a kind nothing but apiVersion differs.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from addonctl import resources
from addonctl.errors import Cause, Invalid, NotServed
from addonctl.sim.documents import Document

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
Key = tuple[str, str]
"""(group, kind)"""


@dataclass(frozen=True, slots=True)
class Served:
    """`versions` are those that are served, the preferred first; objects are kept in `storage`."""

    group: str
    kind: str
    plural: str
    namespaced: bool
    versions: tuple[str, ...]
    storage: str
    custom: bool = False
    has_status: bool = False
    has_generation: bool = False
    key: Key = field(init=False, repr=False)
    preferred: str = field(init=False, repr=False)
    stored_as: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.group, self.kind))
        object.__setattr__(self, "preferred", self.api_version(self.versions[0]))
        object.__setattr__(self, "stored_as", self.api_version(self.storage))

    def api_version(self, version: str = "") -> str:
        if not version:
            return self.preferred
        return f"{self.group}/{version}" if self.group else version


_WITH_STATUS = frozenset(
    """Node Namespace Deployment DaemonSet StatefulSet ReplicaSet Job CronJob Pod Service PodDisruptionBudget
    HorizontalPodAutoscaler APIService CustomResourceDefinition PersistentVolume PersistentVolumeClaim Ingress
    ResourceQuota ValidatingAdmissionPolicy""".split()
)
_WITH_GENERATION = frozenset(
    """Deployment DaemonSet StatefulSet ReplicaSet Job CronJob PodDisruptionBudget CustomResourceDefinition Ingress
    NetworkPolicy MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy
    ValidatingAdmissionPolicyBinding""".split()
)
# What stands at the top of kinds that have no spec, beside apiVersion, kind and metadata.
_TOP: Mapping[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "ConfigMap": "data binaryData immutable",
        "Secret": "data stringData type immutable",
        "ServiceAccount": "secrets imagePullSecrets automountServiceAccountToken",
        "Role": "rules",
        "ClusterRole": "rules aggregationRule",
        "RoleBinding": "roleRef subjects",
        "ClusterRoleBinding": "roleRef subjects",
        "StorageClass": "provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion volumeBindingMode"
        " allowedTopologies",
        "MutatingWebhookConfiguration": "webhooks",
        "ValidatingWebhookConfiguration": "webhooks",
        "EndpointSlice": "addressType endpoints ports",
        "ControllerRevision": "data revision",
        "PriorityClass": "value globalDefault description preemptionPolicy",
    }.items()
}
_ALWAYS = frozenset({"apiVersion", "kind", "metadata"})
_SPEC_STATUS = frozenset({"spec", "status"})
_UNCHECKED = frozenset({"Event"})
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9A-Z]([-a-z0-9A-Z._:]*[a-z0-9A-Z])?")
_OLDER_VERSIONS = {("autoscaling", "HorizontalPodAutoscaler"): ("v1",)}
# Served, though no Snapshot holds them.
_MORE = (Served("scheduling.k8s.io", "PriorityClass", "priorityclasses", False, ("v1",), "v1"),)


class Kinds:
    """What is served at present."""

    def __init__(self) -> None:
        self._served: dict[Key, Served] = dict(_BUILT_IN)
        self._crds: dict[str, Key] = {}

    def served(self, key: Key) -> Served | None:
        """The kind of that group and name, None where there is none."""
        return self._served.get(key)

    def find(self, group: str, kind: str, version: str = "") -> Served:
        """Raises NotServed where there is no such kind, or not in that version."""
        found = self._served.get((group, kind))
        if found is None or (version and version not in found.versions):
            name = ".".join(part for part in (kind, version, group) if part)
            raise NotServed(f"The API server serves no {name}", "Install its CRDs, or check group and version.")
        return found

    def of(self, document: Mapping[str, Any]) -> Served:
        """The kind of a document. Raises NotServed."""
        group, _, version = str(document.get("apiVersion", "")).rpartition("/")
        return self.find(group, str(document.get("kind", "")), version)

    def define(self, crd: Document) -> None:
        """Serves what a CustomResourceDefinition defines, in its served versions."""
        spec = crd["spec"]
        served = sorted((one for one in spec["versions"] if one.get("served")), key=_by_priority)
        storage = next(one["name"] for one in spec["versions"] if one.get("storage"))
        name, names = crd["metadata"]["name"], spec["names"]
        key = (spec["group"], names["kind"])
        self._crds[name] = key
        if not served:
            self._served.pop(key, None)
            return
        has_status = any("status" in (one.get("subresources") or {}) for one in served)
        self._served[key] = Served(
            *key,
            names["plural"],
            spec.get("scope") == "Namespaced",
            tuple(one["name"] for one in served),
            storage,
            custom=True,
            has_status=has_status,
            has_generation=True,
        )

    def forget(self, crd: str) -> Key | None:
        """Serves no longer what a CRD of this name defined."""
        key = self._crds.pop(crd, None)
        if key is not None:
            self._served.pop(key, None)
        return key


def _built_in() -> Iterable[Served]:
    for one in resources.RESOURCES:
        if one.optional and one.group != resources.ADMISSION:
            continue
        versions = one.versions + _OLDER_VERSIONS.get((one.group, one.kind), ())
        yield Served(
            one.group,
            one.kind,
            one.plural,
            one.namespaced,
            versions,
            versions[0],
            has_status=one.kind in _WITH_STATUS,
            has_generation=one.kind in _WITH_GENERATION,
        )


_BUILT_IN = {one.key: one for one in (*_built_in(), *_MORE)}


_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def _by_priority(version: Mapping[str, Any]) -> tuple[int, int, int, str]:
    """v2 before v1 before v1beta2 before v1alpha1, and all of them before other names."""
    found = _VERSION.fullmatch(version["name"])
    if found is None:
        return 3, 0, 0, version["name"]
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return stage, -int(found[1]), -int(found[3] or 0), version["name"]


# ── What the server refuses, and what it fills in ───────────────────────────────────────────────────────────────


def check(document: Document, served: Served) -> None:
    """Raises Invalid for what the server would refuse by the form of it."""
    name = document["metadata"]["name"]
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise invalid(served, name, "metadata.name", f"Invalid value: {name!r}: a lowercase RFC 1123 subdomain")
    if not served.custom and served.kind not in _UNCHECKED:
        for unknown in document.keys() - _ALWAYS - _TOP.get(served.kind, _SPEC_STATUS):
            raise invalid(served, name, unknown, f'unknown field "{unknown}"')
    if rule := _RULES.get(served.kind):
        rule(document, served)


def invalid(served: Served, name: str, where: str, said: str) -> Invalid:
    cause = Cause(reason="FieldValueInvalid", message=said, field=where)
    text = f'{served.kind} "{name}" is invalid: {where}: {said}'
    return Invalid(text, "Correct the field.", reason="Invalid", causes=(cause,))


def _check_data(document: Document, served: Served) -> None:
    for where in ("data", "binaryData"):
        for key in document.get(where) or ():
            if not _DATA_KEY.fullmatch(key):
                said = f"Invalid value: {key!r}: a valid config key must consist of alphanumeric characters, -, _ or ."
                raise invalid(served, document["metadata"]["name"], f"{where}[{key}]", said)


def _check_template(document: Document, served: Served) -> None:
    spec = document.get("spec") or {}
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        said = f"Invalid value: {labels}: `selector` does not match template `labels`"
        raise invalid(served, document["metadata"]["name"], "spec.template.metadata.labels", said)
    _check_containers(template, served, document["metadata"]["name"], "spec.template.spec")


def _check_pod(document: Document, served: Served) -> None:
    _check_containers(document, served, document["metadata"]["name"], "spec")


def _check_containers(pod: Mapping[str, Any], served: Served, name: str, where: str) -> None:
    containers = (pod.get("spec") or {}).get("containers")
    if not containers:
        raise invalid(served, name, f"{where}.containers", "Required value")
    for number, one in enumerate(containers):
        if not one.get("image"):
            raise invalid(served, name, f"{where}.containers[{number}].image", "Required value")


_RULES: Mapping[str, Callable[[Document, Served], None]] = {
    "ConfigMap": _check_data,
    "Secret": _check_data,
    "Deployment": _check_template,
    "DaemonSet": _check_template,
    "StatefulSet": _check_template,
    "ReplicaSet": _check_template,
    "Pod": _check_pod,
}


def defaulted(document: Document, served: Served, before: Document | None = None) -> Document:
    """As the server keeps what was said: without what is empty, with what it sets by itself and nobody owns.

    What a document shares with the one `before` it needs no look.
    """
    if served.custom:
        return document
    fill = _DEFAULTS.get(served.kind)
    kept: Document = _without_empty(document, before)
    return fill(kept) if fill else kept


# Go's types leave these out where they are empty or zero; an empty `emptyDir` or `securityContext` says something.
_SCALARS = frozenset({str, int, float, bool, type(None)})
_EMPTY = ("data", "binaryData", "stringData", "labels", "annotations", "nodeSelector", "minReadySeconds")


def _without_empty(value: Any, before: Any = None) -> Any:
    """The same value where there is nothing to leave out, so that states share their parts."""
    if value is before or type(value) in _SCALARS:
        return value
    if type(value) is list:
        items = [_without_empty(held) for held in value]
        return value if all(map(is_, items, value)) else items
    if type(value) is not dict:
        return value
    was = before if type(before) is dict else {}
    result, same = {}, True
    for name, held in value.items():
        if held == [] or (not held and name in _EMPTY):
            same = False
            continue
        kept = result[name] = _without_empty(held, was.get(name))
        same = same and kept is held
    return value if same else result


def _secret(document: Document) -> Document:
    """What was given as text is kept encoded."""
    result = {"type": "Opaque", **document}
    given = result.pop("stringData", None) or {}
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in given.items()}
    return result | ({"data": {**(result.get("data") or {}), **encoded}} if encoded else {})


def _namespace(document: Document) -> Document:
    metadata = document["metadata"]
    labels = {"kubernetes.io/metadata.name": metadata["name"], **(metadata.get("labels") or {})}
    return {
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
        **document,
        "metadata": {**metadata, "labels": labels},
    }


def _filled(value: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> Document:
    """The defaults with what was said over them; nested maps alike."""
    result = {**defaults, **(value or {})}
    for name, held in defaults.items():
        if isinstance(held, dict):
            result[name] = _filled(result[name], held)
    return result


_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}


def _pod_spec(spec: Mapping[str, Any] | None) -> Document:
    result = _filled(spec, _POD)
    result["containers"] = [_container(one) for one in result.get("containers") or ()]
    return result


def _container(one: Mapping[str, Any]) -> Document:
    image = str(one.get("image", ""))
    latest = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
    return {"imagePullPolicy": "Always" if latest else "IfNotPresent", **one}


def _pod(document: Document) -> Document:
    return {"status": {"phase": "Pending"}, **document, "spec": _pod_spec(document.get("spec"))}


def _workload(defaults: Mapping[str, Any]) -> Callable[[Document], Document]:
    def fill(document: Document) -> Document:
        spec = _filled(document.get("spec"), defaults)
        template = spec.get("template") or {}
        spec["template"] = {**template, "spec": _pod_spec(template.get("spec"))}
        return {**document, "spec": spec}

    return fill


_QUARTER = {"maxSurge": "25%", "maxUnavailable": "25%"}


def _deployment(document: Document) -> Document:
    defaults = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
    strategy = (document.get("spec") or {}).get("strategy") or {}
    rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    chosen = {"type": "RollingUpdate", "rollingUpdate": _QUARTER} if rolling else {"type": "Recreate"}
    return _workload({**defaults, "strategy": chosen})(document)


def _daemon_set(document: Document) -> Document:
    strategy = (document.get("spec") or {}).get("updateStrategy") or {}
    rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    one = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    return _workload({"revisionHistoryLimit": 10, "updateStrategy": one if rolling else {}})(document)


def _stateful_set(document: Document) -> Document:
    strategy = (document.get("spec") or {}).get("updateStrategy") or {}
    rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    chosen = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}} if rolling else {}
    defaults = {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}
    return _workload({**defaults, "updateStrategy": chosen})(document)


def _service(document: Document) -> Document:
    spec = {"type": "ClusterIP", "sessionAffinity": "None", **(document.get("spec") or {})}
    if "ports" in spec:
        spec["ports"] = [{"protocol": "TCP", "targetPort": port.get("port"), **port} for port in spec["ports"]]
    return {**document, "spec": spec}


_DEFAULTS: Mapping[str, Callable[[Document], Document]] = {
    "Secret": _secret,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _workload({"replicas": 1}),
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Service": _service,
}
