"""Effects are linked to what brought them about, where values say so, and never in a circle."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.causes import linked
from addonctl.findings import by_urgency, finding
from addonctl.model import Evidence, Finding, MissingRef, ObjectRef, Severity

HOOKS = ObjectRef.of("ValidatingWebhookConfiguration", "policy")
SHOP, POLICY = (ObjectRef.of("Deployment", name, "apps") for name in ("shop", "policy"))


def refused(workload: ObjectRef, by: ObjectRef = HOOKS, cause: str | None = None) -> Finding:
    asked = Evidence(kind="webhook", subject="validate.policy", detail="does not answer", ref=by)
    return finding("HLT005", workload, asked, cause=cause)


def causes(*findings: Finding) -> dict[str, str | None]:
    return {found.id: found.cause for found in linked(findings)}


@pytest.mark.parametrize("code", ["HLT009", "INV004"])
def test_a_webhook_that_refuses_all_is_why_pods_are_not_made(code: str) -> None:
    broken = finding(code, HOOKS)
    assert causes(refused(SHOP), broken) == {f"HLT005 {SHOP}": broken.id, broken.id: None}


def test_an_expired_ca_refuses_as_well_and_one_that_ends_does_not() -> None:
    expired = finding("HLT012", HOOKS, severity=Severity.REQUIRED)
    assert causes(refused(SHOP), expired)[f"HLT005 {SHOP}"] == expired.id
    assert causes(refused(SHOP), finding("HLT012", HOOKS))[f"HLT005 {SHOP}"] is None


def test_a_webhook_that_is_ignored_while_it_is_down_refuses_nothing() -> None:
    ignored = finding("HLT009", HOOKS, severity=Severity.RECOMMENDED)
    assert causes(refused(SHOP), ignored)[f"HLT005 {SHOP}"] is None


def test_another_webhook_is_no_cause_and_a_known_cause_stays() -> None:
    other = finding("HLT009", replace(HOOKS, name="other"))
    assert causes(refused(SHOP), other)[f"HLT005 {SHOP}"] is None
    known = refused(SHOP, cause="HLT021 Node/a")
    assert causes(known, finding("HLT009", HOOKS))[known.id] == "HLT021 Node/a"


def test_what_a_workload_refers_to_and_lacks_comes_first() -> None:
    lost = finding("DEP003", MissingRef(SHOP, ObjectRef.of("ServiceAccount", "shop", "apps")))
    assert causes(refused(SHOP), finding("HLT009", HOOKS), lost)[f"HLT005 {SHOP}"] == lost.id


def test_a_webhook_that_refuses_its_own_pods_is_their_effect() -> None:
    own = refused(POLICY)
    down = replace(finding("HLT009", HOOKS), cause=own.id)
    assert causes(down, own, refused(SHOP)) == {down.id: own.id, own.id: None, f"HLT005 {SHOP}": down.id}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), unique=True, max_size=8))
def test_no_circle_of_webhooks_hides_a_finding(refusals: list[tuple[int, int]]) -> None:
    """Each webhook's pods may be refused by any other, and by itself."""
    hooks = [replace(HOOKS, name=f"hook-{n}") for n in range(5)]
    pods = [replace(POLICY, name=f"pods-{n}") for n in range(5)]
    down = [replace(finding("HLT009", hooks[n]), cause=f"HLT005 {pods[n]}") for n in range(5)]
    asked = {n: [by for whose, by in refusals if whose == n] for n in range(5)}
    short = [
        finding("HLT005", pods[n], *(item for by in asked[n] for item in refused(pods[n], hooks[by]).evidence))
        for n in range(5)
    ]
    listed = by_urgency(linked((*down, *short)))
    assert {found.id for found in listed} == {found.id for found in (*down, *short)}


def test_findings_that_name_each_other_are_both_listed() -> None:
    one, two = finding("HLT005", SHOP), finding("HLT005", POLICY)
    circle = (replace(one, cause=two.id), replace(two, cause=one.id))
    assert len(by_urgency(linked(circle))) == 2
