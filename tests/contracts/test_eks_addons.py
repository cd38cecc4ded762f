"""The contract of ports.EksAddons and ports.EksAddonWriter, over EKS's API on loopback and over the simulated one.

A side gives the ports and the means to play EKS: how long changes take, what fails next.
"""

import json
from typing import Any, Protocol

import pytest

from addonctl import ports
from addonctl.adapters.aws import Aws
from addonctl.adapters.eks_addons import EksAddonApi
from addonctl.errors import BadInput, Conflict, Forbidden, Invalid, NotFound, NotReachable, TooManyRequests, Unavailable
from addonctl.model import EksUpdate, live
from addonctl.sim.eks import Pace, SimEks, SimEksAddons
from addonctl.sim.store import Store
from addonctl.sim.weather import Call, Calm
from addonctl.sim.world import World
from tests.eks.conftest import aws as aws_server
from tests.eks.conftest import eks as eks_server
from tests.eks.server import REGION, EksServer

aws, eks = aws_server, eks_server
OLD, NEW = "v1.12.4-eksbuild.18", "v1.13.2-eksbuild.21"
ROLE, OTHER_ROLE = "arn:aws:iam::123456789012:role/dns", "arn:aws:iam::123456789012:role/other"
IDENTITY = live.Identity("coredns", ROLE)
VALUES = '# by hand\nreplicaCount: 3\ncorefile: "hunter2-hunter2"\n'


class Side(Protocol):
    """EKS of one cluster, prod-eu-1 on 1.34 without add-ons."""

    reader: ports.EksAddons
    writer: ports.EksAddonWriter

    def slow(self, asks: int) -> None:
        """The next change ends after it was asked after so many times."""

    def late(self, asks: int) -> None:
        """After the next update, describe tells so many times what was before."""

    def fail_next(self, code: str) -> None: ...
    def deny(self, operation: str) -> None: ...
    def throttle(self, operation: str, times: int) -> None: ...
    def deleted(self) -> list[tuple[str, bool]]: ...
    def takes(self, version: str, schema: str) -> None:
        """The configuration of a version of coredns is held against a schema."""


class OverHttp:
    """boto3, HTTP, and EKS's add-on semantics behind botocore's own model."""

    def __init__(self, server: EksServer, aws: Aws | None = None) -> None:
        server.create_cluster("prod-eu-1", "1.34")
        self._state = server.state
        self.reader: ports.EksAddons = EksAddonApi(aws or Aws(REGION), "prod-eu-1")
        self.writer: ports.EksAddonWriter = EksAddonApi(aws or Aws(REGION), "prod-eu-1")

    def slow(self, asks: int) -> None:
        self._state.asks_to_finish = asks

    def late(self, asks: int) -> None:
        self._state.stale_asks = asks

    def fail_next(self, code: str) -> None:
        self._state.fail_next = (code, "The add-on is unhealthy")

    def deny(self, operation: str) -> None:
        self._state.denied = {operation}

    def throttle(self, operation: str, times: int) -> None:
        self._state.throttled = {operation: times}

    def deleted(self) -> list[tuple[str, bool]]:
        return self._state.deleted

    def takes(self, version: str, schema: str) -> None:
        self._state.schemas["coredns", version] = schema


class Simulated:
    """EKS of a world that takes no time, unless it is asked to: then each time it is asked after, a second passes."""

    def __init__(self) -> None:
        versions = {("coredns", version): (lambda configuration: ()) for version in (OLD, NEW)}
        self._pace = Pace(apply_s=0, delete_s=0, late_s=0)
        self._eks = SimEks(Store(World(7)), versions, self._pace)
        self._weather = PlannedWeather()
        self.reader: ports.EksAddons = self
        self._addons = SimEksAddons(self._eks, self._weather)
        self.writer: ports.EksAddonWriter = self._addons
        self.names = self._addons.names
        self.configuration_schema = self._addons.configuration_schema
        self._seconds = {"describe": 0.0, "update_status": 0.0}

    def describe(self, addon: str) -> live.Addon:
        self._eks.world.advance(self._seconds["describe"])
        return self._addons.describe(addon)

    def update_status(self, addon: str, update_id: str) -> EksUpdate:
        self._eks.world.advance(self._seconds["update_status"])
        return self._addons.update_status(addon, update_id)

    def slow(self, asks: int) -> None:
        self._pace.apply_s, self._seconds["update_status"] = asks + 0.5, 1.0
        self._eks.world.after(0.1, lambda: setattr(self._pace, "apply_s", 0))

    def late(self, asks: int) -> None:
        self._pace.late_s, self._seconds["describe"] = asks + 0.5, 1.0

    def fail_next(self, code: str) -> None:
        self._eks.fails_next = code

    def deny(self, operation: str) -> None:
        self._weather.denied.add(operation)

    def throttle(self, operation: str, times: int) -> None:
        self._weather.throttled[operation] = times

    def deleted(self) -> list[tuple[str, bool]]:
        return self._eks.deleted

    def takes(self, version: str, schema: str) -> None:
        self._eks.schemas["coredns", version] = schema


class PlannedWeather(Calm):
    """Refuses what it was told to."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.throttled: dict[str, int] = {}

    def before(self, call: Call) -> None:
        if call.verb in self.denied:
            raise Forbidden(f"not authorized to perform: eks:{call.verb}", reason="AccessDeniedException")
        if self.throttled.get(call.verb):
            self.throttled[call.verb] -= 1
            raise TooManyRequests("Too Many Requests", reason="ThrottlingException")


@pytest.fixture(params=["EKS's API", "simulated"])
def side(request: pytest.FixtureRequest) -> Side:
    return Simulated() if request.param == "simulated" else OverHttp(request.getfixturevalue("eks"))


def create(side: Side, token: str = "t-1", **more: Any) -> live.Addon:
    wanted: dict[str, Any] = {
        "version": OLD,
        "role_arn": ROLE,
        "identities": (IDENTITY,),
        "configuration": VALUES,
        "resolve_conflicts": live.ResolveConflicts.OVERWRITE,
        "namespace": "",
    }
    return side.writer.create("coredns", token=token, **(wanted | more))


def update(side: Side, token: str = "t-2", addon: str = "coredns", **more: Any) -> Any:
    wanted: dict[str, Any] = {
        "version": NEW,
        "role_arn": ROLE,
        "identities": (IDENTITY,),
        "configuration": VALUES,
        "resolve_conflicts": live.ResolveConflicts.PRESERVE,
    }
    return side.writer.update(addon, token=token, **(wanted | more))


def test_what_was_created_is_described_to_the_letter(side: Side) -> None:
    assert side.reader.names() == ()
    create(side)
    found = side.reader.describe("coredns")
    assert side.reader.names() == ("coredns",)
    assert (found.name, found.status, found.version, found.role_arn) == ("coredns", "ACTIVE", OLD, ROLE)
    assert found.configuration == VALUES
    assert found.identities == (IDENTITY,)
    assert found.arn.endswith(found.arn.rpartition("/")[2])
    assert "hunter2" not in repr(found)


def test_a_mark_stays_with_what_was_created(side: Side) -> None:
    assert create(side, mark="a1b2").mark == "a1b2"
    update(side)
    assert side.reader.describe("coredns").mark == "a1b2"


def test_all_that_is_needed_to_go_back_can_be_sent(side: Side) -> None:
    create(side)
    before = side.reader.describe("coredns")
    update(side, role_arn=OTHER_ROLE, identities=(), configuration='{"replicaCount": 5}')
    changed = side.reader.describe("coredns")
    assert (changed.version, changed.role_arn, changed.identities) == (NEW, OTHER_ROLE, ())
    update(
        side,
        "t-3",
        version=before.version,
        role_arn=before.role_arn,
        identities=before.identities,
        configuration=before.configuration,
    )
    after = side.reader.describe("coredns")
    for name in ("version", "role_arn", "identities", "configuration", "arn", "status"):
        assert getattr(after, name) == getattr(before, name), name


def test_another_configuration_at_the_same_version_and_back_to_the_letter(side: Side) -> None:
    create(side)
    changed = update(side, version=OLD, configuration='{"replicaCount":5}')
    assert side.reader.update_status("coredns", changed.id).status == "Successful"
    found = side.reader.describe("coredns")
    assert (found.version, found.configuration) == (OLD, '{"replicaCount":5}')
    assert (found.role_arn, found.identities) == (ROLE, (IDENTITY,))
    update(side, "t-3", version=OLD)
    assert side.reader.describe("coredns").configuration == VALUES


def test_no_role_is_none(side: Side) -> None:
    """EKS cannot be told to drop a role but by leaving it out; the port says it outright."""
    create(side)
    update(side, role_arn="")
    assert side.reader.describe("coredns").role_arn == ""


def test_no_configuration_resets_it(side: Side) -> None:
    create(side)
    update(side, configuration="")
    assert side.reader.describe("coredns").configuration == "{}"


def test_one_change_at_a_time(side: Side) -> None:
    create(side)
    side.slow(asks=2)
    first = update(side)
    with pytest.raises(Conflict, match="UPDATING") as error:
        update(side, "t-3", version=OLD)
    assert error.value.reason == "ResourceInUseException"
    assert error.value.retry_after_s is None
    states = [side.reader.update_status("coredns", first.id).status for _ in range(3)]
    assert states == ["InProgress", "InProgress", "Successful"]
    assert update(side, "t-4", version=OLD).status == "Successful"


def test_the_same_token_is_the_same_change(side: Side) -> None:
    create(side)
    side.slow(asks=1)
    first = update(side)
    assert update(side).id == first.id, "also while EKS is at work on it"
    side.reader.update_status("coredns", first.id)
    side.reader.update_status("coredns", first.id)
    assert update(side).id == first.id, "and when it is done"


def test_creating_again_with_the_same_token_answers_again(side: Side) -> None:
    assert create(side).arn == create(side).arn
    with pytest.raises(Conflict, match="exists"):
        create(side, "t-other")


@pytest.mark.parametrize("token", ["", "x" * 65, "a b"])
def test_no_change_without_a_token(side: Side, token: str) -> None:
    create(side)
    with pytest.raises(BadInput, match="token"):
        update(side, token)
    assert side.reader.describe("coredns").version == OLD


def test_a_failed_update_stays_applied(side: Side) -> None:
    """DEGRADED is a state to read, not an error; the way back is an update like any other."""
    create(side)
    side.fail_next("InsufficientNumberOfReplicas")
    done = side.reader.update_status("coredns", update(side).id)
    assert done.status == "Failed"
    assert [error.code for error in done.errors] == ["InsufficientNumberOfReplicas"]
    found = side.reader.describe("coredns")
    assert (found.status, found.version) == ("DEGRADED", NEW)
    assert [issue.code for issue in found.issues] == ["InsufficientNumberOfReplicas"]
    assert update(side, "t-3", version=OLD).status == "Successful"
    assert side.reader.describe("coredns").status == "ACTIVE"


def test_the_update_is_right_where_the_description_is_late(side: Side) -> None:
    create(side, identities=())
    side.late(asks=2)
    done = update(side, identities=())
    assert side.reader.update_status("coredns", done.id).status == "Successful"
    assert [side.reader.describe("coredns").version for _ in range(3)] == [OLD, OLD, NEW]


def test_a_description_of_two_times_is_none(side: Side) -> None:
    create(side)
    side.late(asks=1)
    update(side, identities=(live.Identity("coredns", OTHER_ROLE),))
    with pytest.raises(Unavailable) as error:
        side.reader.describe("coredns")
    assert error.value.retry_after_s is not None
    assert side.reader.describe("coredns").identities == (live.Identity("coredns", OTHER_ROLE),)


def test_an_update_shows_no_configuration(side: Side) -> None:
    create(side)
    done = update(side)
    assert done.params["AddonVersion"] == NEW
    assert "hunter2" not in repr(done) + repr(side.reader.update_status("coredns", done.id))


def test_what_is_refused_names_no_setting(side: Side) -> None:
    create(side)
    with pytest.raises(Invalid, match="not supported") as error:
        update(side, version="v0.0.1-eksbuild.1")
    assert "hunter2" not in str(error.value)
    assert side.reader.describe("coredns").version == OLD


@pytest.mark.parametrize("preserve", [True, False])
def test_deleting_twice_is_no_error(side: Side, preserve: bool) -> None:
    create(side)
    side.writer.delete("coredns", preserve=preserve)
    side.writer.delete("coredns", preserve=preserve)
    assert side.deleted() == [("coredns", preserve)]
    with pytest.raises(NotFound):
        side.reader.describe("coredns")


def test_what_is_not_there_is_not_found(side: Side) -> None:
    with pytest.raises(NotFound):
        side.reader.describe("coredns")
    with pytest.raises(NotFound):
        update(side)
    create(side)
    with pytest.raises(NotFound):
        side.reader.update_status("coredns", "00000000-0000-4000-8000-000000000000")


def test_each_version_has_a_schema_of_its_configuration(side: Side) -> None:
    side.takes(NEW, '{"type": "object", "required": ["replicaCount"]}')
    assert json.loads(side.reader.configuration_schema("coredns", NEW))["required"] == ["replicaCount"]
    assert "required" not in json.loads(side.reader.configuration_schema("coredns", OLD))
    for addon, version in (("coredns", "v0.0.1-eksbuild.1"), ("nothing", NEW)):
        with pytest.raises(NotFound):
            side.reader.configuration_schema(addon, version)


def test_a_missing_permission_is_forbidden(side: Side) -> None:
    create(side)
    side.deny("UpdateAddon")
    with pytest.raises(Forbidden, match="eks:UpdateAddon") as error:
        update(side)
    assert error.value.retry_after_s is None


def test_throttling_is_waited_out_first(side: Side) -> None:
    create(side)
    side.throttle("UpdateAddon", 1)
    assert update(side).status == "Successful"


# ── Of EKS's API alone: boto3's attempts, a cluster that is not there, connections ──────────────────────────────


class Impatient(Aws):
    """Asks once: with all its attempts, boto3 waits a minute before it says that it is throttled."""

    def client(self, service: str, attempts: int = 1) -> Any:
        return super().client(service, 1)


def test_throttling_that_lasts_says_when_to_try_again(eks: EksServer) -> None:
    side = OverHttp(eks, Impatient(REGION))
    create(side)
    side.throttle("UpdateAddon", 99)
    with pytest.raises(TooManyRequests) as error:
        update(side)
    assert error.value.retry_after_s is not None


def test_an_unknown_cluster_is_not_found(eks: EksServer) -> None:
    addons = EksAddonApi(Aws(REGION), "nowhere")
    with pytest.raises(NotFound, match="nowhere"):
        addons.names()
    with pytest.raises(NotFound, match="nowhere"):
        addons.delete("coredns", preserve=True)


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch, eks: EksServer) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NotReachable) as error:
        EksAddonApi(Impatient(REGION), "prod-eu-1").names()
    assert error.value.retry_after_s is not None
