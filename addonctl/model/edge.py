"""How one thing depends on another: typed edges between objects."""

from dataclasses import dataclass
from enum import StrEnum

from addonctl.model.cluster import ObjectRef


class EdgeType(StrEnum):
    """How one thing depends on another."""

    OWNER = "owner"
    SERVICE_ACCOUNT = "service-account"
    CONFIG_MAP = "config-map"
    SECRET = "secret"
    CLAIM = "claim"
    SELECTOR = "selector"
    SCALE_TARGET = "scale-target"
    METRICS = "metrics"  # a HorizontalPodAutoscaler → the APIService that its metrics come from
    WEBHOOK = "webhook"
    ADMISSION = "admission"  # a workload → the webhook configuration that admits its pods
    API_SERVICE = "api-service"
    DNS = "dns"  # a workload → the Service by which its pods resolve names
    CONVERSION = "conversion"
    CUSTOM_RESOURCE = "custom-resource"
    RBAC = "rbac"
    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"
    STORAGE_CLASS = "storage-class"
    CSI_DRIVER = "csi-driver"
    INGRESS = "ingress"
    INGRESS_CLASS = "ingress-class"
    PRIORITY_CLASS = "priority-class"
    POLICY_BINDING = "policy-binding"


class Strength(StrEnum):
    """The effect of losing the target: `hard`, the source stops or cannot change; `soft`, it runs on, degraded."""

    HARD = "hard"
    SOFT = "soft"


class Affects(StrEnum):
    """What fails on the source when the target fails."""

    RUNNING = "running"  # the source itself stops
    CHANGE = "change"  # it keeps running; creating or changing it is rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`source` depends on `target`: when the target fails, so does the source.

    `affects`: what fails: the source itself, or only creating and changing it.
    """

    source: ObjectRef
    target: ObjectRef
    type: EdgeType
    strength: Strength = Strength.HARD
    affects: Affects = Affects.RUNNING
    evidence: str = ""
