"""What the EKS of the tests remembers, and how it behaves: one update at a time, no rollback of a failed one."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Applier = Callable[[str, str, str, Mapping[str, Any], str], None]
"""(cluster, add-on, version, configuration, resolveConflicts) → applies what EKS would; raises Conflict or NotReady."""

ACCOUNT = "123456789012"


class Conflict(Exception):
    """Server-side apply met fields that another manager owns."""

    code = "ConfigurationConflict"


class NotReady(Conflict):
    """What was applied did not become ready in time."""

    code = "InsufficientNumberOfReplicas"


class Refusal(Exception):
    """An error of the API: its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.status = _STATUS.get(code, 400)


_STATUS = {"ResourceNotFoundException": 404, "ResourceInUseException": 409, "ServerException": 500}


@dataclass
class State:
    """All clusters of one server. `table` maps add-on → AddonInfo as DescribeAddonVersions answers it."""

    table: Mapping[str, dict[str, Any]]
    resolve: dict[tuple[str, str], str] = field(default_factory=dict)  # said by the last change
    applier: Applier | None = None
    auto_finish: bool = True
    asks_to_finish: int | None = None  # else: a change ends when it has been asked after so many times
    stale_asks: int = 0  # so many times DescribeAddon answers after an update as if there had been none
    denied: set[str] = field(default_factory=set)  # operations answered with AccessDenied
    throttled: dict[str, int] = field(default_factory=dict)  # operation → how many more times
    fail_next: tuple[str, str] | None = None  # (error code, message) for the next update
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)  # what moto's DescribeCluster lacks
    addons: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    updates: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)  # (cluster, add-on) newest first
    insights: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    associations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    capabilities: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    schemas: dict[tuple[str, str], str] = field(default_factory=dict)  # (add-on, version) → JSON schema
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)  # clientRequestToken → first answer
    deleted: list[tuple[str, bool]] = field(default_factory=list)  # (add-on, preserve)
    stale: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)  # answers still to be given
    costs: list[dict[str, Any]] = field(default_factory=list)  # of Cost Explorer, a row each by day and dimensions
    products: list[dict[str, Any]] = field(default_factory=list)  # of the Price List
    violations: list[str] = field(default_factory=list)  # answers that botocore's model does not allow

    def schema(self, name: str, version: str) -> str:
        """What DescribeAddonConfiguration answers; without a schema of its own a version takes any object."""
        listed = self.table.get(name, {}).get("addonVersions", ())
        if not any(entry["addonVersion"] == version for entry in listed):
            raise Refusal("ResourceNotFoundException", f"No addon: {name} of version {version} found")
        return self.schemas.get((name, version), '{"type": "object"}')

    def addon(self, cluster: str, name: str) -> dict[str, Any]:
        found = self.addons.get((cluster, name))
        if found is None:
            raise Refusal("ResourceNotFoundException", f"No addon: {name} found in cluster: {cluster}")
        return found

    def described(self, cluster: str, name: str) -> dict[str, Any]:
        """What DescribeAddon answers, which may be late."""
        if late := self.stale.get((cluster, name)):
            return late.pop()
        found = self.addon(cluster, name)
        if found["status"] == "CREATING":
            self.asked_after(cluster, name)
        return found

    def asked_after(self, cluster: str, name: str) -> None:
        """Lets what is in flight go on: it ends by being watched."""
        if self.asks_to_finish is None or self.addons[cluster, name]["status"] not in _AT_WORK:
            return
        self.asks_to_finish -= 1
        if self.asks_to_finish < 0:
            self.asks_to_finish = None
            self.finish()

    def create(self, cluster: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """CreateAddon: the version must be listed for the cluster's Kubernetes, and the add-on must be new."""
        token = wanted.get("clientRequestToken")
        if token in self.tokens:
            return self.tokens[token]
        name = wanted["addonName"]
        if (cluster, name) in self.addons:
            raise Refusal("ResourceInUseException", f"Addon already exists: {name}")
        version = self._listed(cluster, name, wanted.get("addonVersion"))
        now = datetime.now(UTC)
        arn = f"arn:aws:eks:eu-central-1:{ACCOUNT}:addon/{cluster}/{name}/{uuid.uuid4()}"
        info = self.table[name]
        addon = {
            "addonName": name,
            "clusterName": cluster,
            "status": "CREATING",
            "addonVersion": version,
            "health": {"issues": []},
            "addonArn": arn,
            "createdAt": now,
            "modifiedAt": now,
            "tags": dict(wanted.get("tags") or {}),
            "owner": info.get("owner") or "aws",
            "publisher": info.get("publisher") or "eks",
        }
        for key in ("serviceAccountRoleArn", "configurationValues", "namespaceConfig"):
            if wanted.get(key):
                addon[key] = wanted[key]
        addon["podIdentityAssociations"] = self._associate(cluster, arn, wanted.get("podIdentityAssociations") or ())
        self.addons[cluster, name] = addon
        self.resolve[cluster, name] = wanted.get("resolveConflicts") or "OVERWRITE"
        if token:
            self.tokens[token] = addon
        self._settle(cluster, addon, "CREATE_FAILED")
        return addon

    def update(self, cluster: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateAddon, with what EKS does to members that are left out."""
        token = wanted.get("clientRequestToken")
        if token in self.tokens:
            return self.tokens[token]
        name = wanted["addonName"]
        addon = self.addon(cluster, name)
        if addon["status"] in _AT_WORK:
            text = f"Addon {name} cannot be updated as it is currently in {addon['status']} state"
            raise Refusal("ResourceInUseException", text)
        version = self._listed(cluster, name, wanted.get("addonVersion") or addon["addonVersion"])
        self.stale[cluster, name] = [dict(addon) for _ in range(self.stale_asks)]
        addon["addonVersion"] = version
        self.resolve[cluster, name] = wanted.get("resolveConflicts") or "NONE"
        if wanted.get("serviceAccountRoleArn"):
            addon["serviceAccountRoleArn"] = wanted["serviceAccountRoleArn"]
        else:
            addon.pop("serviceAccountRoleArn", None)  # left out: falls back to the node's role
        if wanted.get("configurationValues") is not None:
            addon["configurationValues"] = wanted["configurationValues"]
        if wanted.get("podIdentityAssociations") is not None:
            self._drop_owned(cluster, addon["addonArn"])
            addon["podIdentityAssociations"] = self._associate(
                cluster, addon["addonArn"], wanted["podIdentityAssociations"]
            )
        addon["status"], addon["modifiedAt"] = "UPDATING", datetime.now(UTC)
        given = ((key[0].upper() + key[1:], wanted.get(key)) for key in _PARAMS)
        update = {
            "id": str(uuid.uuid4()),
            "status": "InProgress",
            "type": "AddonUpdate",
            "errors": [],
            "params": [{"type": key, "value": str(value)} for key, value in given if value is not None],
            "createdAt": addon["modifiedAt"],
        }
        self.updates.setdefault((cluster, name), []).insert(0, update)
        if token:
            self.tokens[token] = update
        self._settle(cluster, addon, "DEGRADED")
        return update

    def delete(self, cluster: str, name: str, preserve: bool = False) -> dict[str, Any]:
        addon = self.addon(cluster, name)
        del self.addons[cluster, name]
        self._drop_owned(cluster, addon["addonArn"])
        self.deleted.append((name, preserve))
        return addon | {"status": "DELETING"}

    def finish(self) -> None:
        """Ends every update in flight."""
        for (cluster, _), addon in list(self.addons.items()):
            if addon["status"] in ("CREATING", "UPDATING"):
                self._finish_one(cluster, addon, "CREATE_FAILED" if addon["status"] == "CREATING" else "DEGRADED")

    def _settle(self, cluster: str, addon: dict[str, Any], failed: str) -> None:
        if self.auto_finish and self.asks_to_finish is None:
            self._finish_one(cluster, addon, failed)

    def _finish_one(self, cluster: str, addon: dict[str, Any], failed: str) -> None:
        """A failed update leaves the new version applied: EKS rolls nothing back."""
        update = next(iter(self.updates.get((cluster, addon["addonName"]), ())), None)
        problem, self.fail_next = self.fail_next, None
        if problem is None and self.applier is not None:
            try:
                values = json.loads(addon.get("configurationValues") or "{}")
                resolve = self.resolve.get((cluster, addon["addonName"]), "NONE")
                self.applier(cluster, addon["addonName"], addon["addonVersion"], values, resolve)
            except Conflict as conflict:
                problem = (conflict.code, str(conflict))
        addon["status"] = failed if problem else "ACTIVE"
        issues = [{"code": problem[0], "message": problem[1], "resourceIds": []}] if problem else []
        addon["health"] = {"issues": issues}
        if update is not None and update["status"] == "InProgress":
            update["status"] = "Failed" if problem else "Successful"
            if problem:
                update["errors"] = [{"errorCode": problem[0], "errorMessage": problem[1], "resourceIds": []}]

    def _listed(self, cluster: str, name: str, version: str | None) -> str:
        """The version asked for, or the default, if AWS offers it for the cluster's Kubernetes."""
        info = self.table.get(name)
        if info is None:
            raise Refusal("InvalidParameterException", f"Addon {name} is not supported")
        minor = self.clusters.get(cluster, {}).get("version", "")
        for entry in info["addonVersions"]:
            for cell in entry["compatibilities"]:
                fits = cell["clusterVersion"] == minor
                if fits and (entry["addonVersion"] == version or (version is None and cell["defaultVersion"])):
                    return str(entry["addonVersion"])
        raise Refusal("InvalidParameterException", "Addon version specified is not supported")

    def _associate(self, cluster: str, owner: str, wanted: Any) -> list[str]:
        arns = []
        for one in wanted:
            number = f"a-{uuid.uuid4().hex[:17]}"
            arn = f"arn:aws:eks:eu-central-1:{ACCOUNT}:podidentityassociation/{cluster}/{number}"
            self.associations.setdefault(cluster, []).append(
                {
                    "clusterName": cluster,
                    "namespace": "kube-system",
                    "serviceAccount": one["serviceAccount"],
                    "roleArn": one["roleArn"],
                    "associationArn": arn,
                    "associationId": number,
                    "ownerArn": owner,
                }
            )
            arns.append(arn)
        return arns

    def _drop_owned(self, cluster: str, owner: str) -> None:
        kept = [one for one in self.associations.get(cluster, ()) if one.get("ownerArn") != owner]
        self.associations[cluster] = kept


_AT_WORK = ("UPDATING", "CREATING", "DELETING")
_PARAMS = (
    "addonVersion",
    "serviceAccountRoleArn",
    "resolveConflicts",
    "configurationValues",
    "podIdentityAssociations",
)
