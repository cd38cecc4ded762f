"""What moto's handlers answer on our behalf: operations of EKS that it does not know, prices, costs, EC2 in pages.

Importing moto takes two seconds and 100 MiB: server.py does it when a server starts.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.session import Session
from botocore.validate import ParamValidator
from moto import backend_index
from moto.ce import urls as ce_urls
from moto.ce.responses import CostExplorerResponse
from moto.cloudwatch.models import Statistics
from moto.core.responses import ActionResult
from moto.ec2 import urls as ec2_urls
from moto.ec2.responses import EC2Response
from moto.eks import urls
from moto.eks.responses import EKSResponse

from tests.eks.state import Refusal, State

if TYPE_CHECKING:
    from tests.eks.server import EksServer

_MODEL = Session().get_service_model("eks")
current: "list[EksServer]" = []  # the server that runs; moto builds its handlers without arguments


def register() -> None:
    """Lets moto answer by these."""
    for path in _PATHS:
        urls.url_paths[path] = AddonResponse().dispatch
    ec2_urls.url_paths["{0}/"] = Ec2.dispatch
    ce_urls.url_paths["{0}/$"] = Billing.dispatch
    backend_index.backend_url_patterns.append(("ce", re.compile(r"https?://pricing\.")))
    Statistics.get_statistics_for_type = _statistic  # type: ignore[method-assign]


_KNOWN_STATISTIC = Statistics.get_statistics_for_type


def _statistic(self: Statistics, stat: str) -> Any:
    """moto knows no percentiles: the lowest value that so many are not above."""
    if not re.fullmatch(r"p\d+(\.\d+)?", stat):
        return _KNOWN_STATISTIC(self, stat)
    values = sorted(self.metric_single_values_list)
    return values[max(0, ceil(float(stat[1:]) / 100 * len(values)) - 1)] if values else None


class AddonResponse(EKSResponse):
    """The operations that moto does not know, and DescribeCluster with what moto leaves out."""

    @property
    def state(self) -> State:
        return current[-1].state

    def call_action(self) -> Any:
        operation = self._get_action()
        if operation in self.state.denied:
            return _refusal(403, "AccessDeniedException", f"User is not authorized to perform: eks:{operation}")
        if self.state.throttled.get(operation, 0) > 0:
            self.state.throttled[operation] -= 1
            return _refusal(429, "ThrottlingException", "Rate exceeded")
        try:
            return super().call_action()
        except Refusal as refusal:
            return _refusal(refusal.status, refusal.code, refusal.message)

    def _answer(self, operation: str, body: dict[str, Any]) -> ActionResult:
        shape = _MODEL.operation_model(operation).output_shape
        assert shape is not None, operation
        report = ParamValidator().validate(body, shape)
        if report.has_errors():
            self.state.violations.append(f"{operation}: {report.generate_report()}")
            raise Refusal("ServerException", report.generate_report())
        return ActionResult(body)

    def _page(self, operation: str, key: str, items: list[Any]) -> ActionResult:
        size = int(self._get_param("maxResults") or 100)
        start = int(self._get_param("nextToken") or 0)
        body: dict[str, Any] = {key: items[start : start + size]}
        if start + size < len(items):
            body["nextToken"] = str(start + size)
        return self._answer(operation, body)

    @property
    def _cluster(self) -> str:
        name = str(self._get_param("name"))
        self.eks_backend.describe_cluster(name)  # raises ResourceNotFoundException
        return name

    def describe_cluster(self) -> ActionResult:
        name = self._cluster
        known = self.eks_backend.describe_cluster(name)
        base = {
            "name": name,
            "arn": known.arn,
            "status": known.status,
            "version": known.version,
            "roleArn": known.role_arn,
            "endpoint": known.endpoint,
            "certificateAuthority": known.certificate_authority,
            "platformVersion": known.platformVersion,
            "resourcesVpcConfig": known.resources_vpc_config,
            "createdAt": known.created_at,
            "upgradePolicy": {"supportType": "EXTENDED"},
        }
        return self._answer("DescribeCluster", {"cluster": base | self.state.clusters.get(name, {})})

    def describe_addon_versions(self) -> ActionResult:
        name, minor = self._get_param("addonName"), self._get_param("kubernetesVersion")
        found = []
        for info in self.state.table.values():
            kept = [_narrowed(entry, minor) for entry in info["addonVersions"]] if minor else info["addonVersions"]
            kept = [entry for entry in kept if entry["compatibilities"]]
            if kept and name in (None, info["addonName"]):
                found.append(info | {"addonVersions": kept})
        return self._page("DescribeAddonVersions", "addons", found)

    def describe_addon_configuration(self) -> ActionResult:
        name, version = self._get_param("addonName"), self._get_param("addonVersion")
        schema = self.state.schema(name, version)
        body = {"addonName": name, "addonVersion": version, "configurationSchema": schema}
        return self._answer("DescribeAddonConfiguration", body)

    def create_addon(self) -> ActionResult:
        return self._answer("CreateAddon", {"addon": self.state.create(self._cluster, self._wanted())})

    def update_addon(self) -> ActionResult:
        wanted = self._wanted() | {"addonName": self._get_param("addonName")}
        return self._answer("UpdateAddon", {"update": self.state.update(self._cluster, wanted)})

    def _wanted(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.body or "{}")
        return body

    def list_addons(self) -> ActionResult:
        cluster = self._cluster
        return self._page("ListAddons", "addons", [name for where, name in self.state.addons if where == cluster])

    def describe_addon(self) -> ActionResult:
        addon = self.state.described(self._cluster, self._get_param("addonName"))
        return self._answer("DescribeAddon", {"addon": addon})

    def delete_addon(self) -> ActionResult:
        preserve = str(self._get_param("preserve")).lower() == "true"
        addon = self.state.delete(self._cluster, self._get_param("addonName"), preserve)
        return self._answer("DeleteAddon", {"addon": addon})

    def _updates(self) -> list[dict[str, Any]]:
        """Updates of the cluster itself, or of the add-on that the query names."""
        return self.state.updates.get((self._cluster, self._get_param("addonName") or ""), [])

    def list_updates(self) -> ActionResult:
        return self._page("ListUpdates", "updateIds", [update["id"] for update in self._updates()])

    def describe_update(self) -> ActionResult:
        found = next((one for one in self._updates() if one["id"] == self._get_param("updateId")), None)
        if found is None:
            raise Refusal("ResourceNotFoundException", "No update found")
        if addon := self._get_param("addonName"):
            self.state.asked_after(self._cluster, addon)
        return self._answer("DescribeUpdate", {"update": found})

    def list_insights(self) -> ActionResult:
        summaries = [
            {key: value for key, value in one.items() if key in _SUMMARY}
            for one in self.state.insights.get(self._cluster, ())
        ]
        return self._page("ListInsights", "insights", summaries)

    def describe_insight(self) -> ActionResult:
        wanted = self._get_param("id")
        found = next((one for one in self.state.insights.get(self._cluster, ()) if one["id"] == wanted), None)
        if found is None:
            raise Refusal("ResourceNotFoundException", "No insight found")
        return self._answer("DescribeInsight", {"insight": found})

    def list_pod_identity_associations(self) -> ActionResult:
        found = [
            {key: value for key, value in one.items() if key != "roleArn"}
            for one in self.state.associations.get(self._cluster, ())
        ]
        return self._page("ListPodIdentityAssociations", "associations", found)

    def describe_pod_identity_association(self) -> ActionResult:
        wanted = self._get_param("associationId")
        known = self.state.associations.get(self._cluster, ())
        found = next((one for one in known if one["associationId"] == wanted), None)
        if found is None:
            raise Refusal("ResourceNotFoundException", f"No association {wanted} found")
        return self._answer("DescribePodIdentityAssociation", {"association": found})

    def list_capabilities(self) -> ActionResult:
        found = self.state.capabilities.get(self._cluster, [])
        return self._page("ListCapabilities", "capabilities", found)

    def describe_capability(self) -> ActionResult:
        wanted = self._get_param("capabilityName")
        found = next(one for one in self.state.capabilities[self._cluster] if one["capabilityName"] == wanted)
        return self._answer("DescribeCapability", {"capability": found})


class Ec2(EC2Response):
    """EC2 that answers instance types in pages, as AWS does; moto answers with all 1,395, in six seconds."""

    def describe_instance_types(self) -> ActionResult:
        answer: Any = super().describe_instance_types().result
        found = answer["InstanceTypes"]
        size = int(self._get_param("MaxResults") or 100)
        start = int(self._get_param("NextToken") or 0)
        page: dict[str, Any] = {"InstanceTypes": found[start : start + size]}
        if start + size < len(found):
            page["NextToken"] = str(start + size)
        return ActionResult(page)


class Billing(CostExplorerResponse):
    """What AWS says of money: the Price List, which moto does not know and which speaks as Cost Explorer does; and in
    Cost Explorer costs, filtered and grouped, where moto answers what it was told.
    """

    @property
    def state(self) -> State:
        return current[-1].state

    def call_action(self) -> Any:
        operation = self._get_action()
        if operation in self.state.denied:
            service = "pricing" if operation == "GetProducts" else "ce"
            text = f"User is not authorized to perform: {service}:{operation}"
            return 400, {"status": 400}, json.dumps({"__type": "AccessDeniedException", "message": text})
        return super().call_action()

    def get_products(self) -> str:
        asked = json.loads(self.body)
        fields = {each["Field"]: each["Value"] for each in asked.get("Filters", ())}
        found = [
            json.dumps(product)
            for product in self.state.products
            if _is_asked_for(product, asked["ServiceCode"], fields)
        ]
        size, start = int(asked.get("MaxResults") or 100), int(asked.get("NextToken") or 0)
        body: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": found[start : start + size]}
        if start + size < len(found):
            body["NextToken"] = str(start + size)
        return self._said("pricing", "GetProducts", body)

    def get_cost_and_usage(self) -> str:
        """By day and by up to two dimensions, of what a filter of tags lets through; pages are of two days."""
        asked = json.loads(self.body)
        assert len(asked["GroupBy"]) <= 2, asked["GroupBy"]
        first, until = (date.fromisoformat(asked["TimePeriod"][end]) for end in ("Start", "End"))
        start = int(asked.get("NextPageToken") or 0)
        days = [first + timedelta(days=n) for n in range((until - first).days)]
        body: dict[str, Any] = {"ResultsByTime": [self._day(day, asked) for day in days[start : start + 2]]}
        if start + 2 < len(days):
            body["NextPageToken"] = str(start + 2)
        return self._said("ce", "GetCostAndUsage", body)

    def _day(self, day: date, asked: Mapping[str, Any]) -> dict[str, Any]:
        groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for cost in self.state.costs:
            if cost["day"] == day and _passes(cost, asked.get("Filter", {})):
                groups.setdefault(tuple(cost[each["Key"]] for each in asked["GroupBy"]), []).append(cost)
        time = {"Start": day.isoformat(), "End": (day + timedelta(days=1)).isoformat()}
        found = [{"Keys": list(keys), "Metrics": _metrics(costs, asked["Metrics"])} for keys, costs in groups.items()]
        return {"TimePeriod": time, "Total": {}, "Groups": found, "Estimated": False}

    def _said(self, service: str, operation: str, body: dict[str, Any]) -> str:
        """The answer, held against botocore's model."""
        shape = Session().get_service_model(service).operation_model(operation).output_shape
        assert shape is not None, operation
        report = ParamValidator().validate(body, shape)
        if report.has_errors():
            self.state.violations.append(f"{operation}: {report.generate_report()}")
        return json.dumps(body)


def _passes(cost: Mapping[str, Any], which: Mapping[str, Any]) -> bool:
    if "Not" in which:
        return not _passes(cost, which["Not"])
    if "Or" in which:
        return any(_passes(cost, each) for each in which["Or"])
    return not which or cost["tags"].get(which["Tags"]["Key"]) in which["Tags"]["Values"]


def _metrics(costs: list[Mapping[str, Any]], wanted: list[str]) -> dict[str, Any]:
    units = {cost["unit"] for cost in costs}
    unit = {"UsageQuantity": units.pop() if len(units) == 1 else "N/A"}
    return {
        name: {"Amount": str(sum(Decimal(cost[name]) for cost in costs)), "Unit": unit.get(name, costs[0]["currency"])}
        for name in wanted
    }


def _is_asked_for(product: Mapping[str, Any], service: str, fields: Mapping[str, str]) -> bool:
    said = {**product["product"]["attributes"], "productFamily": product["product"]["productFamily"]}
    return product["serviceCode"] == service and all(said.get(field) == value for field, value in fields.items())


_SUMMARY = ("id", "name", "category", "kubernetesVersion", "lastRefreshTime", "description", "insightStatus")


def _narrowed(entry: Mapping[str, Any], minor: str) -> dict[str, Any]:
    return {**entry, "compatibilities": [c for c in entry["compatibilities"] if c["clusterVersion"] == minor]}


def _refusal(status: int, code: str, message: str) -> tuple[int, dict[str, Any], str]:
    return status, {"status": status, "x-amzn-ErrorType": code}, json.dumps({"message": message})


_PATHS = {
    "{0}/addons/supported-versions$",
    "{0}/addons/configuration-schemas$",
    "{0}/clusters/(?P<name>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/addons$",
    "{0}/clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)/update$",
    "{0}/clusters/(?P<name>[^/]+)/updates$",
    "{0}/clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/insights$",
    "{0}/clusters/(?P<name>[^/]+)/insights/(?P<id>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/pod-identity-associations$",
    "{0}/clusters/(?P<name>[^/]+)/pod-identity-associations/(?P<associationId>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/capabilities$",
    "{0}/clusters/(?P<name>[^/]+)/capabilities/(?P<capabilityName>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/node-groups$",
    "{0}/clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)$",
    "{0}/clusters/(?P<name>[^/]+)/fargate-profiles$",
}
