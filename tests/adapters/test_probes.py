"""What a probe of DNS puts on the wire, and what it makes of the answer."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters.probes import admission_health, cluster_domain, dns_answer, dns_query
from addonctl.errors import AddonctlError, Forbidden, Invalid, NotFound, TimedOut, Unavailable
from addonctl.model import Health


def test_a_query_is_one_question_for_the_addresses_of_a_name() -> None:
    query = dns_query("kubernetes.default.svc")
    assert query[:12] == struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0), "one question, recursion desired"
    assert query[12:-4] == b"\x0akubernetes\x07default\x03svc\x00"
    assert query[-4:] == struct.pack(">HH", 1, 1), "type A, class IN"

    asked = dns_query("kubernetes.default.svc", 258, ipv6=True)
    assert (asked[:2], asked[-4:]) == (b"\x01\x02", struct.pack(">HH", 28, 1)), "an id of its own, type AAAA"


@given(st.lists(st.text("abcxyz0123456789-", min_size=1, max_size=63), min_size=1, max_size=6))
def test_the_name_in_a_query_can_be_read_back(labels: list[str]) -> None:
    question, read = dns_query(".".join(labels))[12:], []
    while question[0]:
        length = question[0]
        read.append(question[1 : 1 + length].decode())
        question = question[1 + length :]
    assert (read, len(question)) == (labels, 5)


@pytest.mark.parametrize(
    ("flags", "answers", "expected"),
    [(0x8180, 1, (0, 1)), (0x8183, 0, (3, 0)), (0x8182, 0, (2, 0)), (0x8580, 4, (0, 4))],
    ids=["an address", "no such name", "server failure", "several"],
)
def test_an_answer_says_how_it_went_and_how_many_records_came(
    flags: int, answers: int, expected: tuple[int, int]
) -> None:
    assert dns_answer(struct.pack(">HHHHHH", 1, flags, 1, answers, 0, 0)) == expected


@given(st.binary(max_size=11))
def test_what_is_too_short_to_be_an_answer_is_none_and_never_well(garbage: bytes) -> None:
    """A datagram that is cut off, or not DNS at all, must be a verdict and not a crash."""
    rcode, answers = dns_answer(garbage)
    assert rcode != 0 or answers == 0


def test_an_echo_of_the_query_is_no_answer() -> None:
    rcode, answers = dns_answer(dns_query("kubernetes.default.svc"))
    assert rcode != 0 or answers == 0


@pytest.mark.parametrize(
    ("corefiles", "domain"),
    [
        ([".:53 {\n  kubernetes corp.example. in-addr.arpa {\n"], "corp.example"),
        (["", ".:53 {\n  kubernetes {\n", "kubernetes second.example"], "second.example"),
        ([], "cluster.local"),
    ],
)
def test_the_domain_of_a_cluster_is_in_its_corefile(corefiles: list[str], domain: str) -> None:
    assert cluster_domain(corefiles) == domain


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (Invalid('admission webhook "a.example" denied the request: no'), Health.HEALTHY),
        (Forbidden('admission webhook "a.example" denied the request: no'), Health.HEALTHY),
        (Invalid("Pod is invalid: spec"), Health.HEALTHY),
        (Unavailable('failed calling webhook "a.example": timeout'), Health.DEGRADED),
        (Unavailable('failed calling webhook "b.example": timeout'), Health.UNKNOWN),
        (Forbidden("pods is forbidden"), Health.UNKNOWN),
        (NotFound("no namespace"), Health.UNKNOWN),
        (TimedOut("late"), Health.UNKNOWN),
    ],
)
def test_a_refused_dry_run_says_whether_the_webhook_answered(error: AddonctlError, health: Health) -> None:
    assert admission_health(error, "a.example") is health
