"""Objects of an add-on that are degraded, where no other check has said so (HLT032).

Decided from the health of single objects (object_health.py), for those built-in kinds that no check of this package
looks at: autoscalers, claims, CronJobs. Called by check_health.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from addonctl.findings import finding, makes
from addonctl.health.case import Case, Told, seen
from addonctl.health.object_health import judge_one
from addonctl.model import Autoscaler, Finding, Health, KubernetesObject
from addonctl.remediation import kubectl

_KINDS = ("HorizontalPodAutoscaler", "PersistentVolumeClaim", "CronJob")
# The aggregated API behind each kind of metric, by the reason of an autoscaler's condition.
_METRICS: Mapping[str, str] = MappingProxyType(
    {
        "FailedGetResourceMetric": "metrics.k8s.io",
        "FailedGetContainerResourceMetric": "metrics.k8s.io",
        "FailedGetPodsMetric": "custom.metrics.k8s.io",
        "FailedGetObjectMetric": "custom.metrics.k8s.io",
        "FailedGetExternalMetric": "external.metrics.k8s.io",
    }
)


@makes("HLT032")
def degraded_objects(case: Case, told: Told) -> Iterator[Finding]:
    """One finding for each object."""
    for thing in _objects(case):
        health, why = judge_one(thing)
        if health is Health.DEGRADED and thing.ref not in told:
            fix = (kubectl("describe", thing.ref),)
            yield finding(
                "HLT032", thing.ref, seen("object", thing, why), fix=fix, cause=_metrics_api(case, thing, told)
            )


def _objects(case: Case) -> Iterator[KubernetesObject]:
    """Its own, and autoscalers of its workloads, whose labels may be anybody's."""
    own = {ref: case.view.objects.get(ref) for ref in case.owned(*_KINDS)}
    for workload in case.row.workloads:
        own |= {scaler.ref: scaler for scaler in case.view.autoscalers_of.get(workload, ())}
    yield from (thing for thing in own.values() if thing is not None)


def _metrics_api(case: Case, thing: KubernetesObject, told: Told) -> str | None:
    """The finding on the API that an autoscaler gets no metrics from."""
    reasons = [condition.reason for condition in thing.conditions] if isinstance(thing, Autoscaler) else []
    groups = {_METRICS[reason] for reason in reasons if reason in _METRICS}
    apis = (api for api in case.view.snapshot.api_services if api.group in groups)
    return next((told[api.ref] for api in apis if api.ref in told), None)
