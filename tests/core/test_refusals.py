"""What the API server refuses to a pod's account is told by the words of its authorizer, once it lasts."""

import pytest

from addonctl.model import ObjectRef
from addonctl.refusals import lasting

ACCOUNT = ObjectRef.of("ServiceAccount", "controller", "addons")
_PLAIN = (
    'E1127 reflector.go:158] "Unhandled Error" err="failed to list *v1.CustomResourceDefinition: '
    'customresourcedefinitions.apiextensions.k8s.io is forbidden: User \\"system:serviceaccount:addons:controller\\" '
    'cannot list resource \\"customresourcedefinitions\\" in API group \\"apiextensions.k8s.io\\" at the cluster scope"'
)
_NODES = (
    '{"error":"nodes is forbidden: User \\\\\\"system:serviceaccount:addons:controller\\\\\\" cannot get resource '
    '\\\\\\"nodes/metrics\\\\\\" in API group \\\\\\"\\\\\\" at the cluster scope"}'
)
_UNQUOTED = _NODES.replace("\\", "")


def log(*lines: tuple[int, str]) -> str:
    return "".join(f"2026-11-27T00:00:{second:02}.123456789Z {text}\n" for second, text in lines)


def told(text: str) -> list[str]:
    return [each.subject.removeprefix(f"{ACCOUNT}: ") for each in lasting(text, ACCOUNT)]


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (_PLAIN, "list customresourcedefinitions.apiextensions.k8s.io"),
        (_NODES, "get nodes/metrics"),
        (_UNQUOTED, "get nodes/metrics"),
    ],
)
def test_a_right_that_is_refused_again_is_told_once_however_its_quotes_are_escaped(said: str, right: str) -> None:
    assert told(log((1, said), (2, "all is well"), (5, said), (13, said), (40, said))) == [right]


def test_a_role_may_come_moments_after_the_pods() -> None:
    assert told(log((1, _PLAIN), (3, _PLAIN), (10, _PLAIN))) == []
    assert told(log((1, _PLAIN), (30, _NODES))) == [], "each right for itself"


def test_what_others_are_refused_is_not_the_add_ons_lack() -> None:
    """An add-on that serves an API, or judges requests, writes of others'."""
    others = _PLAIN.replace("addons:controller", "apps:controller"), _PLAIN.replace(":controller", ":other")
    denied = 'admission webhook "x" denied the request: pods "a" is forbidden: violates PodSecurity'
    assert told(log(*((second, text) for second in (1, 20) for text in (*others, denied)))) == []


def test_a_line_without_a_time_tells_nothing() -> None:
    """A log that is cut begins anywhere."""
    assert told(f"{_PLAIN}\n{_PLAIN}\n") == []


def test_it_names_the_account_so_that_pods_of_before_are_refused_the_same() -> None:
    (guard,) = lasting(log((1, _PLAIN), (20, _PLAIN)), ACCOUNT)
    assert (guard.code, guard.ref) == ("DEP005", ACCOUNT)
    assert "lacks a right" in guard.detail
