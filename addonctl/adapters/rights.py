"""The rights that changing takes beyond reading, RBAC rules and IAM actions: `addonctl rbac --for update`."""

from typing import Any

# Of what EKS leaves behind when it goes back. Without these rights it is told, and left.
_ENDED: tuple[dict[str, Any], ...] = tuple(
    {"apiGroups": [group], "resources": resources, "verbs": ["delete"]}
    for group, resources in (
        ("", ["configmaps", "serviceaccounts", "services"]),
        ("apps", ["deployments", "daemonsets", "statefulsets"]),
        ("rbac.authorization.k8s.io", ["roles", "rolebindings", "clusterroles", "clusterrolebindings"]),
        ("policy", ["poddisruptionbudgets"]),
        ("autoscaling", ["horizontalpodautoscalers"]),
        ("networking.k8s.io", ["networkpolicies"]),
        ("admissionregistration.k8s.io", ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]),
        ("apiregistration.k8s.io", ["apiservices"]),
        ("storage.k8s.io", ["csidrivers"]),
    )
)

UPDATE_RULES: tuple[dict[str, Any], ...] = (
    {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets", "statefulsets"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "patch", "delete", "watch"]},
    {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]},
    *_ENDED,
    {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch", "delete"]},
    {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get", "patch"]},
    {"apiGroups": ["helm.toolkit.fluxcd.io"], "resources": ["helmreleases"], "verbs": ["get", "patch"]},
)
"""Waves, pods that look at the network from nodes, ConfigMaps that old instances need back at once, what a version has
brought that goes with it, Leases, the objects that GitOps controllers work from, and a Prometheus in the cluster, which
may be left out. What `helm` applies is the chart's own business."""

UPDATE_ACTIONS: tuple[tuple[str, str], ...] = (
    ("eks:UpdateAddon", "addon/*/*/*"),
    ("eks:CreateAddon", "cluster/*"),
    ("eks:DeleteAddon", "addon/*/*/*"),
    ("eks:TagResource", "addon/*/*/*"),
    ("eks:CreatePodIdentityAssociation", "cluster/*"),
    ("eks:UpdatePodIdentityAssociation", "podidentityassociation/*/*"),
    ("eks:DeletePodIdentityAssociation", "podidentityassociation/*/*"),
)
"""IAM action and resource. `iam:PassRole` is needed for the roles of add-ons, which only their owner can name."""
