"""What counters in Prometheus have grown by is counted once, by the pod that counted it, whenever it arrives."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.prometheus import Place, Series, at
from addonctl.adapters.signals.counters import CounterSignals, Ledger, Pods, Source, _between_scrapes
from addonctl.catalog import CountedSli
from addonctl.model import Counts, Objective
from tests import builders
from tests.contracts.api_server import Answer, ApiServer, Request, refusal, running

RESPONSES = CountedSli(name="responses", meaning="", metrics=("responses",), failed={"code": ("500",)})
LATENCY = CountedSli(
    name="latency",
    meaning="",
    metrics=("duration_bucket",),
    where={"le": ("1", "+Inf")},
    total={"le": ("+Inf",)},
    good={"le": ("1",)},
)
TWO = CountedSli(
    name="two",
    meaning="",
    metrics=("calls", "errors"),
    total={"__name__": ("calls",)},
    failed={"__name__": ("errors",), "kind": ("", "bad")},
)
_OLD = Source("old", 0.0)


def of_old(_labels: Any, _at: float) -> Source:
    return _OLD


def one(*points: tuple[float, float], pod: str = "a", **labels: str) -> Series:
    return Series({"pod": pod, "instance": pod, **labels}, points)


def test_what_a_counter_has_grown_by_is_counted_once() -> None:
    ledger = Ledger(RESPONSES)
    assert ledger.grown([one((100, 50), (130, 60), code="200")], of_old, 0) == {"old": Counts(10)}
    assert ledger.grown([one((100, 50), (130, 60), code="200")], of_old, 0) == {}
    assert ledger.grown([one((130, 60), (160, 75), code="200")], of_old, 0) == {"old": Counts(15)}


def test_what_arrives_late_is_counted_when_it_arrives() -> None:
    ledger = Ledger(RESPONSES)
    ledger.grown([one((100, 50), (130, 60), code="200")], of_old, 0)
    assert ledger.grown([], of_old, 0) == {}
    assert ledger.grown([one((100, 50), (130, 60), (160, 61), (190, 80), code="200")], of_old, 0) == {"old": Counts(20)}


def test_a_counter_that_begins_anew_loses_nothing_that_was_scraped() -> None:
    ledger = Ledger(RESPONSES)
    grown = ledger.grown([one((100, 50), (130, 60), (160, 7), (190, 9), code="200")], of_old, 0)
    assert grown == {"old": Counts(10 + 7 + 2)}


def test_a_failure_that_is_the_first_of_its_kind_counts_whole() -> None:
    """A series appears with its first failures: there is no point of before to compare with."""
    ledger = Ledger(RESPONSES)
    ledger.grown([one((100, 50), (130, 60), code="200")], of_old, 0)
    later = [one((130, 60), (160, 70), code="200"), one((160, 5), code="500")]
    assert ledger.grown(later, of_old, 0) == {"old": Counts(15, 5)}
    assert Ledger(RESPONSES).grown(later, of_old, 0) == {"old": Counts(15, 5)}, "also in the first reading"


def test_what_an_old_pod_counted_before_anybody_looked_is_not_counted() -> None:
    assert Ledger(RESPONSES).grown([one((100, 5000), code="500")], of_old, 0) == {}


def test_what_a_pod_that_began_in_sight_has_counted_is_counted_from_its_first_point() -> None:
    def of_new(_labels: Any, _at: float) -> Source:
        return Source("new", 95.0)

    assert Ledger(RESPONSES).grown([one((100, 30), code="500")], of_new, 50) == {"new": Counts(30, 30)}


def test_what_is_nobodys_of_the_step_is_left_out() -> None:
    assert Ledger(RESPONSES).grown([one((100, 1), (130, 9), code="200")], lambda *_: None, 0) == {}


def test_pods_of_one_name_are_told_apart_by_the_time() -> None:
    def of_set(_labels: Any, at: float) -> Source:
        return Source("new", 140.0) if at >= 140 else _OLD

    points = (100, 50), (130, 60), (160, 7)
    assert Ledger(RESPONSES).grown([one(*points, code="500")], of_set, 0) == {
        "old": Counts(10, 10),
        "new": Counts(7, 7),
    }


def test_the_same_counter_of_two_servers_is_counted_once() -> None:
    ledger = Ledger(RESPONSES)
    pair = [one((100, 50), (130, 60), code="200", prometheus_replica="0")]
    pair.append(one((115, 55), (145, 66), code="200", prometheus_replica="1"))
    assert ledger.grown(pair, of_old, 0) == {"old": Counts(11)}
    assert ledger.grown([one((130, 60), (160, 70), code="200", prometheus_replica="0")], of_old, 0) == {
        "old": Counts(4)
    }, "the point of before was of the other one"


def test_good_ones_of_a_histogram_leave_the_others_failed() -> None:
    found = [one((100, 0), (130, 80), le="1"), one((100, 0), (130, 100), le="+Inf")]
    assert Ledger(LATENCY).grown(found, of_old, 0) == {"old": Counts(100, 20)}


def test_failures_may_be_a_counter_of_their_own() -> None:
    found = [
        one((100, 0), (130, 100), __name__="calls"),
        one((100, 0), (130, 3), __name__="errors"),
        one((100, 0), (130, 4), __name__="errors", kind="bad"),
        one((100, 0), (130, 9), __name__="errors", kind="harmless"),
    ]
    assert Ledger(TWO).grown(found, of_old, 0) == {"old": Counts(100, 7)}
    assert Ledger(TWO).grown(found[1:2], of_old, 0) == {"old": Counts(3, 3)}, "what failed was asked"


@given(
    growth=st.lists(st.integers(0, 50), min_size=3, max_size=40),
    resets=st.sets(st.integers(1, 39)),
    seed=st.integers(0, 1000),
)
def test_however_it_is_read_nothing_is_lost_and_nothing_counted_twice(
    growth: list[int], resets: set[int], seed: int
) -> None:
    """Read at any time, over any window that reaches back to the reading before, and with points that come late."""
    value, points, told = 0, list[tuple[float, float]](), 0
    for place, more in enumerate(growth):
        value = more if place in resets else value + more
        before = points[-1][1] if points else None
        told += 0 if before is None else int(value - before if value >= before else value)
        points.append((place * 30.0, float(value)))
    chance, ledger, counted, until = random.Random(seed), Ledger(RESPONSES), 0, 1
    while until <= len(points):
        begin = chance.randrange(max(until - 5, 1)) if until > 5 else 0
        found = ledger.grown([one(*points[begin:until], code="200")], of_old, 0)
        counted += sum(each.requests for each in found.values())
        until += chance.randint(1, 4)
    found = ledger.grown([one(*points, code="200")], of_old, 0)
    assert counted + sum(each.requests for each in found.values()) == told


# ── Over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def pod(name: str, uid: str, address: str, began: datetime) -> dict[str, Any]:
    meta = {"name": name, "uid": uid, "namespace": "addons", "creationTimestamp": began.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"metadata": meta, "status": {"podIP": address}}


class World:
    """An API server that knows the pods of a Deployment, and a Prometheus that answers as it is told."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.pods: list[dict[str, Any]] = []
        self.answer = Answer(status=503, body=b"")
        self.api = stack.enter_context(running(ApiServer(self._api)))
        self.prometheus = stack.enter_context(running(ApiServer(lambda _: self.answer)))
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": self.api.url}}],
            "users": [{"name": "me", "user": {"token": "good"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        }
        (folder / "config").write_text(json.dumps(config))
        self.objects = ApiObjects(connect(None, f"{folder}/config"))

    def _api(self, request: Request) -> Answer:
        path = urlsplit(request.path)
        bodies: dict[str, Any] = {
            "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]},
            "/apis/apps": {"preferredVersion": {"version": "v1"}},
            "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]},
            "/apis/apps/v1/namespaces/addons/deployments/it": {
                "metadata": {"name": "it", "namespace": "addons"},
                "spec": {"selector": {"matchLabels": {"app": "it"}}},
            },
            "/api/v1/namespaces/addons/pods": {"items": self.pods},
        }
        if path.path.endswith("/pods"):
            assert parse_qs(path.query)["labelSelector"] == ["app=it"]
        return Answer(body=bodies[path.path]) if path.path in bodies else refusal(404)

    def counts(self, *found: Series) -> None:
        result = [{"metric": each.labels, "values": [[at, str(value)] for at, value in each.points]} for each in found]
        self.answer = Answer(body={"status": "success", "data": {"resultType": "matrix", "result": result}})


@pytest.fixture
def world(stack: ExitStack, tmp_path: Path) -> World:
    return World(stack, tmp_path)


_STEP = builders.step("ready", of="Deployment/addons/it")
_STEP = replace(_STEP, objectives=(*_STEP.objectives, Objective(sli="responses", additional=True, of_users=True)))


def test_a_pod_is_known_by_its_name_or_its_address(world: World) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    world.pods = [pod("it-1", "u1", "10.0.0.1", now - timedelta(hours=1)), pod("it-2", "u2", "10.0.0.2", now)]
    pods = Pods(world.objects, _STEP)
    pods.read()

    def uid(**labels: str) -> str | None:
        found = pods.of(labels, now.timestamp())
        return found.uid if found else None

    assert uid(namespace="addons", pod="it-2", instance="10.0.0.1:9153") == "u2"
    assert uid(instance="10.0.0.1:9153") == "u1"
    assert uid(instance="[10.0.0.2]:9153") == "u2"
    assert uid(namespace="elsewhere", pod="it-1", instance="10.0.0.1:9153") is None
    assert uid(namespace="addons") is None
    world.pods = [pod("it-1", "u3", "10.0.0.1", now + timedelta(seconds=60))]
    pods.read()
    assert uid(namespace="addons", pod="it-1") == "u1", "it is not forgotten, and the other was not there yet"
    assert uid(namespace="addons", pod="it-2") == "u2"


def _until(signals: CounterSignals, since: datetime) -> dict[tuple[str, str], Counts]:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if found := signals.counted(_STEP, since):
            return {(each.sli, each.pod): each.counts for each in found}
        time.sleep(0.02)
    return {}


def test_old_and_new_pods_are_counted_apart_from_the_first_reading_on(world: World) -> None:
    now = time.time()
    began = datetime.now(UTC)
    world.pods = [
        pod("it-1", "old", "10.0.0.1", began - timedelta(hours=1)),
        pod("it-2", "new", "10.0.0.2", began - timedelta(seconds=40)),
    ]
    world.counts(
        Series({"namespace": "addons", "pod": "it-1", "code": "200"}, ((now - 60, 1000), (now - 30, 1300))),
        Series({"namespace": "addons", "pod": "it-2", "code": "500"}, ((now - 20, 40),)),
    )
    signals = CounterSignals(
        lambda: at(Place(url=world.prometheus.url)), world.objects, lambda addon: [RESPONSES, LATENCY]
    )
    try:
        assert _until(signals, began) == {("responses", "old"): Counts(300), ("responses", "new"): Counts(40, 40)}
        assert signals.counted(_STEP, datetime.now(UTC)) == (), "what was told is not told again"
    finally:
        signals.close()
        signals.close()
    (asked,) = world.prometheus.seen
    assert parse_qs(urlsplit(asked.path).query)["query"] == ['{__name__=~"responses"}[300s]']


def test_one_that_does_not_answer_counts_nothing_and_raises_nothing(world: World) -> None:
    for answer in (Answer(status=401, body=b"no"), Answer(body=b"<html>"), Answer(status=404, body=b"")):
        world.answer = answer
        signals = CounterSignals(lambda: at(Place(url=world.prometheus.url)), world.objects, lambda _: [RESPONSES])
        asked = len(world.prometheus.seen)
        try:
            signals.counted(_STEP, datetime.now(UTC))
            end = time.monotonic() + 10
            while len(world.prometheus.seen) == asked and time.monotonic() < end:
                time.sleep(0.02)
            assert signals.counted(_STEP, datetime.now(UTC) - timedelta(hours=1)) == ()
        finally:
            signals.close()


def test_a_step_without_additional_slis_asks_nobody(world: World) -> None:
    signals = CounterSignals(lambda: pytest.fail("nobody is asked"), world.objects, lambda _: [RESPONSES])
    assert signals.counted(builders.step("ready", of="Deployment/addons/it"), datetime.now(UTC)) == ()
    signals.close()


@pytest.mark.parametrize(("gap", "pause"), [(5.0, 10.0), (30.0, 30.0), (120.0, 60.0)])
def test_it_is_read_as_often_as_it_is_scraped(gap: float, pause: float) -> None:
    assert _between_scrapes([one((0.0, 1), (gap, 2), (2 * gap, 2)), one((0.0, 1))]) == pause
    assert _between_scrapes([one((0.0, 1))]) is None
