"""The webhooks that a step's pods serve, and what they can be asked to judge.

Read from the live cluster, since an update may replace them, too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec

from addonctl.adapters import api_types, shapes
from addonctl.adapters.decoders import webhook
from addonctl.adapters.probes import sample_for
from addonctl.adapters.signals.targets import Document, Served, Targets
from addonctl.errors import NotFound, NotServed
from addonctl.model import ObjectRef, Webhook, live, selects

_CONFIGURATIONS = tuple(
    live.Kind("admissionregistration.k8s.io", f"{verb}WebhookConfiguration") for verb in ("Mutating", "Validating")
)
# Where dry runs are made of what has a namespace (probes.py).
_NAMESPACE = ObjectRef.of("Namespace", "default")
_NAME_LABEL = "kubernetes.io/metadata.name"
_ADMISSION = "admission.k8s.io"
_HTTPS_PORT = 443
_HARMLESS = ("None", "NoneOnDryRun")
_NAME = "addonctl-probe"
_POD: tuple[Mapping[str, str], Document] = (
    {"group": "", "version": "v1", "resource": "pods"},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME, "namespace": _NAMESPACE.name}},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A dry run that a webhook must judge."""

    webhook: str
    path: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A webhook that pods behind a Service serve at a path, and what it may be asked to judge."""

    name: str
    served: Served
    path: str
    version: str  # of the review that it understands
    resource: Mapping[str, str]
    document: Mapping[str, Any]

    @property
    def host(self) -> str:
        return f"{self.served.name}.{self.served.namespace}.svc"

    def review(self, id: str) -> Document:
        """The request for a verdict on a creation that is a dry run."""
        group, _, version = self.document["apiVersion"].rpartition("/")
        kind = {"group": group, "version": version, "kind": self.document["kind"]}
        metadata = self.document["metadata"]
        request = {
            "uid": id,
            "kind": kind,
            "requestKind": kind,
            "resource": self.resource,
            "requestResource": self.resource,
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "operation": "CREATE",
            "userInfo": {"username": live.FIELD_MANAGER},
            "object": self.document,
            "dryRun": True,
        }
        return {"apiVersion": f"{_ADMISSION}/{self.version}", "kind": "AdmissionReview", "request": request}


@dataclass(frozen=True, slots=True)
class StepWebhooks:
    """Those of one step. Every method raises the errors of ApiConnection."""

    targets: Targets

    def reviews(self) -> list[Review]:
        """One for each webhook of the step's pods that must be called, or else the request fails."""
        called = [webhook(shape) for hook, _ in self._called() for shape in _shapes([hook])]
        labels = self._labels() if called else {}
        return [review for hook in called for review in _review(hook, labels)]

    def judges(self) -> list[Judge]:
        """The webhooks of the step's pods, whatever becomes of a request when they fail."""
        return [judge for hook, service in self._called() for judge in self._judge(hook, service)]

    def _called(self) -> Iterator[tuple[Document, live.Object]]:
        """Webhooks behind the step's Services, and which of these each has."""
        mine = {(each.ref.namespace, each.ref.name): each for each in self.targets.services()}
        configurations = [each for kind in _CONFIGURATIONS if mine for each in self.targets.objects.list(kind)]
        for hook in (hook for each in configurations for hook in each.document.get("webhooks") or ()):
            asked = (hook.get("clientConfig") or {}).get("service") or {}
            service = mine.get((asked.get("namespace", ""), asked.get("name", "")))
            if service is not None:
                yield hook, service

    def _judge(self, hook: Document, service: live.Object) -> Iterator[Judge]:
        """None where asking might have side effects, or is about nothing that can be made up."""
        asked = hook["clientConfig"]["service"]
        number = asked.get("port") or _HTTPS_PORT
        ports = [port for port in service.document["spec"].get("ports") or () if port.get("port") == number]
        made = next((made for rule in hook.get("rules") or () if (made := self._made_up(rule))), None)
        if hook.get("sideEffects") not in _HARMLESS or not ports or made is None:
            return
        resource, document = made
        yield Judge(
            name=hook["name"],
            served=Served(
                namespace=service.ref.namespace, name=service.ref.name, ports={"TCP": ports[0].get("name", "")}
            ),
            path=asked.get("path") or "/",
            version=next(iter(hook.get("admissionReviewVersions") or ()), "v1"),
            resource=resource,
            document=document,
        )

    def _made_up(self, rule: Document) -> tuple[Mapping[str, str], Document] | None:
        """(resource, object) that a rule matches: of whatever kind, where it is for all, a Pod."""
        if not {"CREATE", "*"} & set(rule.get("operations") or ()):
            return None
        named = (rule.get(each) or () for each in ("apiGroups", "apiVersions", "resources"))
        for group, version, plural in product(*named):
            if group == "*" or plural in ("*", "*/*"):
                return _POD
            if "/" not in plural and (found := self._of_kind(group, version, plural)):
                return found
        return None

    def _of_kind(self, group: str, version: str, plural: str) -> tuple[Mapping[str, str], Document] | None:
        try:
            if version == "*":
                version = self._preferred(group)
            root = f"/apis/{group}/{version}" if group else f"/api/{version}"
            served = json.loads(self.targets.objects.connection.request("GET", root).body).get("resources") or ()
        except (NotServed, NotFound):
            return None
        for one in served:
            if one.get("name") == plural:
                metadata = {"name": _NAME} | ({"namespace": _NAMESPACE.name} if one.get("namespaced") else {})
                api_version = f"{group}/{version}" if group else version
                document = {"apiVersion": api_version, "kind": one["kind"], "metadata": metadata}
                return {"group": group, "version": version, "resource": plural}, document
        return None

    def _preferred(self, group: str) -> str:
        if not group:
            return "v1"
        said = json.loads(self.targets.objects.connection.request("GET", f"/apis/{group}").body)
        return str((said.get("preferredVersion") or {}).get("version", ""))

    def _labels(self) -> Mapping[str, str]:
        return self.targets.objects.get(_NAMESPACE).metadata.get("labels") or {}


def _shapes(hooks: list[Document]) -> list[api_types.Webhook]:
    """Webhooks of a configuration; none that cannot be read."""
    try:
        return shapes.convert(hooks, list[api_types.Webhook], strict=False)
    except msgspec.ValidationError:
        return []


def _review(hook: Webhook, labels: Mapping[str, str]) -> Iterator[Review]:
    """None where the webhook is not called for the sample, for all that can be told, or where failing is hidden."""
    sample = sample_for(hook)
    if sample is None or hook.failure_policy != "Fail" or hook.has_match_conditions:
        return
    path, document = sample
    if document["kind"] == "Namespace":  # a namespace is selected by its own labels, of which the server sets one
        labels = {_NAME_LABEL: document["metadata"]["name"]}
    own = labels if document["kind"] == "Namespace" else {}
    if selects(hook.namespace_labels, hook.namespace_expressions, labels) and selects(
        hook.object_labels, hook.object_expressions, own
    ):
        yield Review(webhook=hook.name, path=path, document=document)
