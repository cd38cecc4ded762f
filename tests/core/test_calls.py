"""What the API server calls is checked alike: webhooks, aggregated APIs and the conversion of CRDs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl import model
from addonctl.health.reaching import way_out
from addonctl.model import Condition, CrdVersion, Note, ObjectRef, Port, Severity, View
from tests.builders import NOW, snapshot
from tests.core.test_health import HOOK, codes, fix, gaps, only

TARGET = model.ServiceTarget(namespace="apps", name="hook", port=443)
SERVICE = model.Service(
    name="hook", namespace="apps", selector={"app": "hook"}, ports=(Port(name="https", number=443, target="8443"),)
)
SLICE = model.EndpointSlice(
    name="hook-1", namespace="apps", service="hook", ready=2, ports=(Port(name="https", number=8443),)
)
TWO = (CrdVersion(name="v1", storage=True), CrdVersion(name="v1beta1"))
CRD = model.CustomResourceDefinition(
    name="xs.hook.test", group="hook.test", kind="X", versions=TWO, stored_versions=("v1",), conversion=TARGET
)
TIMES_OUT = 'failed calling webhook "check.hook.test": Post "https://hook.apps.svc:443/": context deadline exceeded'
HOOKS = model.WebhookConfiguration(
    kind="ValidatingWebhookConfiguration",
    name="hook",
    webhooks=(model.Webhook(name="check.hook.test", service=TARGET),),
)


def test_a_conversion_is_called_where_there_is_something_to_convert() -> None:
    calls = View(snapshot(crds=(CRD,))).calls
    assert [(call.source, call.target, call.refuses) for call in calls] == [(CRD.ref, TARGET, True)]
    assert View(snapshot(crds=(replace(CRD, versions=TWO[:1]),))).calls == ()
    assert View(snapshot(crds=(replace(CRD, conversion=None),))).calls == ()


def test_a_conversion_without_a_ready_pod_is_as_urgent_as_a_dead_webhook() -> None:
    down = replace(SLICE, ready=0, not_ready=2)
    item = only("HLT026", HOOK, crds=(CRD,), services=(SERVICE,), endpoint_slices=(down,))
    assert item.severity is Severity.REQUIRED
    assert "has no ready pod" in item.evidence[0].detail
    assert "kubectl get pods -n apps -l app=hook" in fix(item)
    assert "HLT026" not in codes(HOOK, crds=(CRD,), services=(SERVICE,), endpoint_slices=(SLICE,))


def test_a_conversion_whose_service_is_gone_is_found_whosever_it_is() -> None:
    assert "conversion strategy" in fix(only("HLT026", HOOK, crds=(CRD,)))
    nobodys = replace(CRD, name="ys.y.test", group="y.test")
    assert str(only("HLT026", crds=(nobodys,)).subject) == "CustomResourceDefinition/ys.y.test"
    assert "HLT026" not in codes(HOOK, crds=(CRD,), gaps=gaps("services"))


def test_the_fix_knows_where_the_service_really_is() -> None:
    moved = replace(SERVICE, namespace="other")
    item = only("HLT026", HOOK, crds=(CRD,), services=(moved,))
    assert "apps/hook, which does not exist; there is other/hook" in item.evidence[0].detail
    assert '"namespace":"other"' in fix(item).replace(" ", "")
    two = (moved, replace(SERVICE, namespace="third"))
    assert "other/hook" not in only("HLT026", HOOK, crds=(CRD,), services=two).evidence[0].detail


def test_several_crds_that_convert_at_one_service_are_one_finding() -> None:
    more = replace(CRD, name="zs.hook.test", kind="Z")
    assert len(only("HLT026", HOOK, crds=(CRD, more)).evidence) == 2


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("no response from https://10.0.1.20:4443: context deadline exceeded", "security group"),
        ("dial tcp 10.0.1.20:4443: connect: connection refused", "targetPort"),
        ("x509: certificate signed by unknown authority", "CA bundle"),
        ("bad status from https://10.0.1.20:4443: 403", "auth-delegator"),
    ],
)
def test_ready_pods_that_are_not_reached_are_not_to_be_brought_back(message: str, word: str) -> None:
    failing = Condition(type="Available", status="False", reason="FailedDiscoveryCheck", message=message)
    api = model.ApiService(name="v1.hook.test", group="hook.test", service=TARGET, conditions=(failing,))
    item = only("HLT010", HOOK, api_services=(api,), services=(SERVICE,), endpoint_slices=(SLICE,))
    assert word in fix(item)
    assert "bring" not in fix(item)
    down = replace(SLICE, ready=0, not_ready=1)
    assert "bring" in fix(only("HLT010", HOOK, api_services=(api,), services=(SERVICE,), endpoint_slices=(down,)))


def test_an_error_that_says_nothing_of_the_way_leads_nowhere() -> None:
    assert way_out("the server is currently unable to handle the request") is None
    assert isinstance(way_out("i/o timeout"), Note)


def refused(message: str = TIMES_OUT, *, count: int = 9, minutes: int = 2) -> model.Event:
    subject = ObjectRef.of("Ingress", "shop", "shop")
    seen = NOW - timedelta(minutes=minutes)
    return model.Event(name="e", subject=subject, reason="Failed", message=message, count=count, last_seen=seen)


def test_a_webhook_whose_pods_are_ready_and_that_others_do_not_reach_is_found() -> None:
    parts = {"webhook_configurations": (HOOKS,), "services": (SERVICE,), "endpoint_slices": (SLICE,)}
    item = only("HLT009", HOOK, events=(refused(),), **parts)
    assert item.severity is Severity.REQUIRED
    assert "Ingress/shop/shop" in item.evidence[0].detail
    assert "security group" in fix(item)
    denied = refused('admission webhook "check.hook.test" denied the request: no')
    for silent in (refused(count=1), refused(minutes=40), denied):
        assert "HLT009" not in codes(HOOK, events=(silent,), **parts)
