"""The rights that changing takes beyond reading, RBAC rules and IAM actions: `addonctl rbac --for update`."""

from typing import Any

UPDATE_RULES: tuple[dict[str, Any], ...] = (
    {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets", "statefulsets"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
    {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch", "delete"]},
    {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get", "patch"]},
    {"apiGroups": ["helm.toolkit.fluxcd.io"], "resources": ["helmreleases"], "verbs": ["get", "patch"]},
)
"""Waves, Leases, and the objects that GitOps controllers work from. What `helm` applies is the chart's own business."""

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
