"""What the command lines of AWS and Helm print, as input: the same records that are read live.

`aws eks describe-…` and `list-…`, `aws ec2 describe-subnets`, `helm list|history|status|get -o json` (or yaml).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from addonctl.adapters import aws_records, helm
from addonctl.errors import BadInput
from addonctl.model import Eks, EksAddon, EksCluster, EksUpdate, Gap, GapReason, HelmRelease

_PARTS = {
    "addons": "eks:addons",
    "updates": "eks:updates",
    "insights": "eks:insights",
    "node_groups": "eks:node_groups",
    "fargate_profiles": "eks:fargate_profiles",
    "capabilities": "eks:capabilities",
    "pod_identities": "eks:pod_identities",
    "subnets": "ec2:subnets",
    "instance_types": "ec2:instance_types",
}
# The key of an answer of one thing → a key that the thing has, the part that it is of, and its decoder.
_DESCRIBED: Mapping[str, tuple[str, str, Callable[[Any], Any]]] = {
    "addon": ("addonName", "addons", aws_records.addon),
    "nodegroup": ("nodegroupName", "node_groups", aws_records.node_group),
    "update": ("params", "updates", lambda one: aws_records.update(one, "")),
    "insight": ("insightStatus", "insights", aws_records.insight),
    "association": ("associationId", "pod_identities", aws_records.pod_identity),
    "fargateProfile": ("fargateProfileName", "fargate_profiles", aws_records.fargate_profile),
    "capability": ("capabilityName", "capabilities", aws_records.capability),
}
# The same for answers of many.
_LISTED: Mapping[str, tuple[str, str, Callable[[Any], Any]]] = {
    "insights": ("insightStatus", "insights", aws_records.insight),
    "Subnets": ("SubnetId", "subnets", aws_records.subnet),
    "InstanceTypes": ("VCpuInfo", "instance_types", aws_records.instance_type),
}
# Answers that only name things; of add-ons, those that nothing else describes.
_NAMED = {
    "addons": "addons",
    "nodegroups": "node_groups",
    "fargateProfileNames": "fargate_profiles",
    "associations": "pod_identities",
    "capabilities": "capabilities",
    "updateIds": "updates",
}
_IDS = {
    "addons": "name",
    "updates": "id",
    "insights": "id",
    "node_groups": "name",
    "fargate_profiles": "name",
    "capabilities": "name",
    "subnets": "id",
    "instance_types": "name",
}
_PAGE = frozenset({"nextToken", "NextToken"})
# EKS writes when an add-on was changed some seconds after the update began.
_TOGETHER = timedelta(minutes=30)


@dataclass
class Answers:
    """The answers among files, collected for one cluster."""

    cluster: EksCluster | None = None
    releases: list[HelmRelease] = field(default_factory=list)
    count: int = 0
    _names: Counter[str] = field(default_factory=Counter)
    _parts: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)  # (name of the cluster, record)
    _listed: dict[str, set[str]] = field(default_factory=dict)
    _history: list[HelmRelease] = field(default_factory=list)

    def take(self, value: Any) -> bool:
        """Whether a parsed document is such an answer; it is kept then. Raises BadInput for a broken one."""
        try:
            known = self._helm(value) or (isinstance(value, Mapping) and self._aws(value))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"an answer of AWS lacks what it always has ({error})") from error
        self.count += known
        return known

    # ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aws(self, value: Mapping[str, Any]) -> bool:
        keys = value.keys() - _PAGE
        if len(keys) != 1:
            return False
        (key,) = keys
        inner = value[key]
        if isinstance(inner, Mapping):
            return self._described(str(key), inner)
        return isinstance(inner, list) and (self._all(str(key), inner) or self._named(str(key), inner))

    def _described(self, key: str, one: Mapping[str, Any]) -> bool:
        if key == "cluster" and isinstance(one.get("name"), str) and one.keys() & {"version", "platformVersion", "arn"}:
            arn = str(one.get("arn") or "").split(":")
            self.cluster = self.cluster or aws_records.cluster(one, arn[3] if len(arn) > len("arn") else "")
            return True
        sign, part, decode = _DESCRIBED.get(key, ("", "", dict))
        if not sign or sign not in one:
            return False
        self._keep(part, str(one.get("clusterName") or ""), decode(one))
        return True

    def _all(self, key: str, many: Sequence[Any]) -> bool:
        sign, part, decode = _LISTED.get(key, ("", "", dict))
        if not sign or not all(isinstance(one, Mapping) and sign in one for one in many):
            return False
        self._listed.setdefault(part, set())
        for one in many:
            self._keep(part, "", decode(one))
        return True

    def _named(self, key: str, many: Sequence[Any]) -> bool:
        part = _NAMED.get(key)
        if part is None:
            return False
        if all(isinstance(one, str) for one in many):
            self._listed.setdefault(part, set()).update(many)
            return True
        signs = {"associations": "associationId", "capabilities": "capabilityName", "addons": "addonVersions"}
        sign = signs.get(key)
        known = sign is not None and all(isinstance(one, Mapping) and sign in one for one in many)
        if known and key == "associations":
            self._listed.setdefault(part, set()).update(str(one["associationId"]) for one in many)
            for one in many:
                self._keep(part, str(one.get("clusterName") or ""), aws_records.pod_identity(one))
        return known

    def _keep(self, part: str, cluster: str, record: Any) -> None:
        self._names[cluster] += bool(cluster)
        self._parts.setdefault(part, []).append((cluster, record))

    def eks(self) -> tuple[Eks | None, tuple[Gap, ...]]:
        """What the answers say of the cluster, and gaps for what they do not; None if there are none of AWS."""
        if self.cluster is None and not self._parts and not self._listed:
            return None, ()
        name = self.cluster.name if self.cluster else next((name for name, _ in self._names.most_common(1)), "")
        found = {part: _one_each(part, kept, name) for part, kept in self._parts.items()}
        named = self._listed.get("addons", set()) - {addon.name for addon in found.get("addons", ())}
        addons = [*found.pop("addons", ()), *(EksAddon(name=each) for each in sorted(named))]
        addons, rest = _with_updates(addons, found.pop("updates", ()))
        cluster = self.cluster or EksCluster(name=name)
        eks = Eks(cluster=cluster, addons=tuple(addons), updates=tuple(rest), **{k: tuple(v) for k, v in found.items()})
        return aws_records.with_owned_identities(eks), tuple(self._gaps(named))

    def _gaps(self, undescribed: set[str]) -> Iterator[Gap]:
        for part, name in _PARTS.items():
            if part not in self._listed or (part == "addons" and undescribed):
                detail = f"the input has no list of {part.replace('_', ' ')}, as AWS answers it"
                yield Gap(part=name, reason=GapReason.NOT_IN_INPUT, detail=detail, absent=True)

    # ── Helm ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _helm(self, value: Any) -> bool:
        if isinstance(value, list) and value and all(map(_is_helm_row, value)):
            for row in value:
                (self.releases if "name" in row else self._history).append(_of_row(row))
            return True
        if not isinstance(value, Mapping) or "apiVersion" in value or not isinstance(value.get("name"), str):
            return False
        if isinstance(value.get("info"), Mapping) and "status" in value["info"]:
            self.releases.append(helm.release(value))
            return True
        if {"chart", "revision", "status", "namespace"} <= value.keys() and isinstance(value["chart"], str):
            self.releases.append(_of_metadata(value))
            return True
        return False

    def helm_releases(self) -> Iterator[HelmRelease]:
        """The releases; `helm history` does not say of which one it is, so it is that of the only one of its chart."""
        yield from self.releases
        for record in self._history:
            of_chart = {(each.namespace, each.name) for each in self.releases if each.chart == record.chart}
            namespace, name = next(iter(of_chart)) if len(of_chart) == 1 else ("", record.chart)
            yield replace(record, namespace=namespace, name=name)


def _one_each(part: str, kept: Iterable[tuple[str, Any]], cluster: str) -> list[Any]:
    """The records of this cluster, each once; what is described is preferred to what is only listed."""
    key = _IDS.get(part, "")
    found: dict[Any, Any] = {}
    for of, record in kept:
        if of in ("", cluster):
            id = getattr(record, key) if key else (record.namespace, record.service_account)
            found[id] = max(found.get(id, record), record, key=lambda each: len(repr(each)))
    return list(found.values())


def _with_updates(addons: Sequence[EksAddon], updates: Iterable[EksUpdate]) -> tuple[list[EksAddon], list[EksUpdate]]:
    """The add-ons with their updates: an update does not say of which it is, but its version and time do."""
    of: dict[str, list[EksUpdate]] = {}
    rest = []
    for update in updates:
        names = [addon.name for addon in addons if _is_of(update, addon)]
        if len(names) == 1:
            of.setdefault(names[0], []).append(replace(update, addon=names[0]))
        else:
            rest.append(update)
    return [replace(each, updates=tuple(of.get(each.name, ()))) for each in addons], rest


def _is_of(update: EksUpdate, addon: EksAddon) -> bool:
    if update.type != "AddonUpdate":
        return False
    same_version = update.params.get("AddonVersion") == addon.version
    near = bool(update.created and addon.modified and abs(addon.modified - update.created) < _TOGETHER)
    return near and (same_version or "AddonVersion" not in update.params or update.status != "Successful")


# ── Helm's rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

_ROW = {"revision", "updated", "status", "chart", "app_version"}
_CHART = re.compile(r"(.+?)-(v?\d+(?:\.\d+).*)")
_GO_TIME = re.compile(r"^(\S+) (\S+) ([+-]\d{2}):?(\d{2}).*$")


def _is_helm_row(row: Any) -> bool:
    return isinstance(row, Mapping) and row.keys() >= _ROW


def _of_row(row: Mapping[str, Any]) -> HelmRelease:
    """An entry of `helm list` or `helm history`."""
    named = _CHART.fullmatch(str(row["chart"]))
    chart, version = (named[1], named[2]) if named else (str(row["chart"]), "")
    return _release(row, chart, version, str(row["app_version"] or ""), str(row["updated"] or ""))


def _of_metadata(one: Mapping[str, Any]) -> HelmRelease:
    """`helm get metadata`."""
    chart, version, app = one["chart"], str(one.get("version") or ""), str(one.get("appVersion") or "")
    return _release(one, chart, version, app, str(one.get("deployedAt") or ""))


def _release(one: Mapping[str, Any], chart: str, version: str, app_version: str, updated: str) -> HelmRelease:
    revision, status = int(one["revision"]), str(one["status"])
    return HelmRelease(
        name=str(one.get("name") or ""),
        namespace=str(one.get("namespace") or ""),
        chart=chart,
        chart_version=version,
        app_version=app_version,
        revision=revision,
        status=status,
        updated=helm.when(_GO_TIME.sub(r"\1T\2\3:\4", updated)),
        deployed_revision=revision if status == helm.DEPLOYED else None,
    )
