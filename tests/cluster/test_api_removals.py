"""API versions that end, in live objects of a real API server: through the old version where it is still served, else
by what `kubectl apply` noted when the object was last applied.
"""

import json
from datetime import date
from typing import Any

import pytest

from addonctl.apps import wiring
from addonctl.catalog import ApiRemoval, Catalog, plural
from addonctl.model import Finding
from addonctl.render.commands import fix_text
from addonctl.versions import Minor
from tests.cluster.cluster import Cluster
from tests.judging import assessed

_FAR = Minor(1, 99)  # further than any removal in the table
_POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "planted"}},
    "spec": {"containers": [{"name": "c", "image": "shop/app:1"}]},
}
_APP = {"selector": {"matchLabels": {"app": "planted"}}, "template": _POD}
_HOOKS: dict[str, Any] = {"webhooks": []}
_VIEW = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
_MATCH = {
    "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
}
_DRA = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "planted.example.com"}}]}}
# What an object of each kind needs besides its name, in the version that the newest server prefers.
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _HOOKS,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _HOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {
        "spec": {"matchConstraints": _MATCH, "validations": [{"expression": "true"}]}
    },
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): {
        "spec": {"policyName": "planted", "validationActions": ["Warn"]}
    },
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): {"spec": {"policyName": "planted"}},
    ("apps", "DaemonSet"): {"spec": _APP},
    ("apps", "Deployment"): {"spec": _APP},
    ("apps", "ReplicaSet"): {"spec": _APP},
    ("apps", "StatefulSet"): {"spec": {**_APP, "serviceName": "planted"}},
    ("autoscaling", "HorizontalPodAutoscaler"): {
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "planted"}}
    },
    ("batch", "CronJob"): {
        "spec": {
            "schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": {**_POD, "spec": {**_POD["spec"], "restartPolicy": "Never"}}}},
        }
    },
    ("coordination.k8s.io", "Lease"): {"spec": {"holderIdentity": "planted"}},
    ("coordination.k8s.io", "LeaseCandidate"): {
        "spec": {
            "leaseName": "planted",
            "binaryVersion": "1.36.0",
            "emulationVersion": "1.36.0",
            "strategy": "OldestEmulationVersion",
        }
    },
    ("discovery.k8s.io", "EndpointSlice"): {"addressType": "IPv4", "endpoints": []},
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}},
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    ("networking.k8s.io", "Ingress"): {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    ("networking.k8s.io", "IngressClass"): {"spec": {"controller": "example.com/planted"}},
    ("networking.k8s.io", "ServiceCIDR"): {"spec": {"cidrs": ["10.99.0.0/24"]}},
    ("node.k8s.io", "RuntimeClass"): {"handler": "planted"},
    ("policy", "PodDisruptionBudget"): {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "a"}}}},
    ("rbac.authorization.k8s.io", "ClusterRole"): {"rules": []},
    ("rbac.authorization.k8s.io", "Role"): {"rules": []},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"roleRef": _VIEW},
    ("rbac.authorization.k8s.io", "RoleBinding"): {"roleRef": _VIEW},
    ("resource.k8s.io", "DeviceClass"): {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    ("resource.k8s.io", "ResourceClaim"): {"spec": _DRA},
    ("resource.k8s.io", "ResourceClaimTemplate"): {"spec": {"spec": _DRA}},
    ("resource.k8s.io", "ResourceSlice"): {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "n",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "devices": [],
        }
    },
    ("resource.k8s.io", "DeviceTaintRule"): {
        "spec": {"deviceSelector": {"driver": "gpu.example.com"}, "taint": {"key": "a/b", "effect": "NoSchedule"}}
    },
    ("scheduling.k8s.io", "PriorityClass"): {"value": 7},
    ("storage.k8s.io", "CSIDriver"): {"spec": {"attachRequired": False}},
    ("storage.k8s.io", "CSINode"): {"spec": {"drivers": []}},
    ("storage.k8s.io", "CSIStorageCapacity"): {"storageClassName": "planted"},
    ("storage.k8s.io", "StorageClass"): {"provisioner": "disk.example.com"},
    ("storage.k8s.io", "VolumeAttachment"): {
        "spec": {"attacher": "disk.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
    ("storage.k8s.io", "VolumeAttributesClass"): {"driverName": "disk.example.com", "parameters": {"iops": "1"}},
    ("storagemigration.k8s.io", "StorageVersionMigration"): {
        "spec": {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}}
    },
}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def served(cluster: Cluster) -> dict[tuple[str, str], list[str]]:
    """(group, kind) → its versions, as discovery gives them: the preferred first."""
    document = json.loads(cluster.kubectl("get", "--raw", "/apis"))
    found: dict[tuple[str, str], list[str]] = {}
    for group in document["groups"]:
        for version in group["versions"]:
            listed = json.loads(cluster.kubectl("get", "--raw", f"/apis/{version['groupVersion']}"))
            for resource in listed["resources"]:
                if "list" in resource["verbs"]:
                    found.setdefault((group["name"], resource["kind"]), []).append(version["version"])
    return found


def name_of(removal: ApiRemoval, how: str) -> str:
    name = f"{how}-{removal.version}"
    return f"{name}.example.com" if removal.kind in ("CSIDriver", "CustomResourceDefinition") else name


def plant(cluster: Cluster, removal: ApiRemoval, version: str, how: str) -> None:
    """An object of the kind in `version`."""
    meta = {"name": name_of(removal, how)}
    body = {"apiVersion": f"{removal.group}/{version}", "kind": removal.kind, "metadata": meta}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({**body, **_BODIES[removal.group, removal.kind]}))


def test_live_objects_are_found(every_api: Cluster, catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    versions = served(every_api)
    planted: list[tuple[ApiRemoval, str]] = []
    untried: list[str] = []
    for removal in catalog.kubernetes.removals:
        key = (removal.group, removal.kind)
        if key not in versions or key not in _BODIES:
            untried.append(f"{removal.api_version} {removal.kind}")
            continue
        if removal.version in versions[key]:
            try:
                plant(every_api, removal, removal.version, "old")
                planted.append((removal, "old"))
                continue
            except RuntimeError:  # its fields in that version differ from the newest ones: by the note, then
                pass
        note = json.dumps({"apiVersion": removal.api_version, "kind": removal.kind, "metadata": {"name": "x"}})
        plant(every_api, removal, versions[key][0], "noted")
        kind = f"{removal.kind}.{versions[key][0]}.{removal.group}".lower()
        every_api.kubectl("annotate", kind, name_of(removal, "noted"), f"{_LAST_APPLIED}={note}", "--overwrite")
        planted.append((removal, "noted"))
    snapshot = wiring.open_manager(kubeconfig=str(every_api.kubeconfig)).snapshot()
    findings = assessed(snapshot, catalog, day=date(2026, 11, 25), target=_FAR).findings
    unread = {gap.part.rpartition(":")[2] for gap in snapshot.gaps}
    dead_ends = [f"{r.api_version} {r.kind}" for r, _ in planted if _resource(r) in unread]
    planted = [(r, how) for r, how in planted if _resource(r) not in unread]
    missed = [f"{r.api_version} {r.kind} ({how})" for r, how in planted if not _named(findings, r, how, catalog)]
    with capsys.disabled():
        by_old = sum(how == "old" for _, how in planted)
        print(
            f"\nAPI versions that end, in live objects: {len(planted) - len(missed)} of {len(planted)} found "
            f"({by_old} written in the old version, {len(planted) - by_old} as kubectl apply notes it)"
        )
        print(f"  served in deprecated versions only, and so not read: {', '.join(dead_ends)}")
        print(f"  not stored, or not served by this server in any version: {', '.join(untried)}")
        print(f"  missed: {', '.join(missed) or 'none'}")
    assert missed == []


def _resource(removal: ApiRemoval) -> str:
    """`leasecandidates.coordination.k8s.io`, as a gap names it."""
    return f"{plural(removal.kind)}.{removal.group}"


def _named(findings: tuple[Finding, ...], removal: ApiRemoval, how: str, catalog: Catalog) -> bool:
    """Whether a finding names the version, the object and what to write instead."""
    wanted = catalog.kubernetes.replacement(removal, _FAR)
    return any(
        found.code.startswith("API")
        and str(found.subject) == f"{removal.api_version} {removal.kind}"
        and any(seen.subject.endswith(name_of(removal, how)) for seen in found.evidence)
        and (wanted or "no replacement") in fix_text(found)
        for found in findings
    )
