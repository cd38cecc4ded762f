"""The world itself: order, time, chance; the same seed is the same run."""

from datetime import UTC, datetime, timedelta

import pytest

from addonctl.model import ObjectRef, live
from addonctl.sim.clock import SimClock
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import BEGINNING, World


def test_what_is_due_happens_in_order_and_at_its_time() -> None:
    world = World(1)
    told: list[tuple[str, float]] = []

    def tell(what: str) -> None:
        told.append((what, world.seconds))

    world.after(2, lambda: tell("second"))
    world.after(1, lambda: world.after(1, lambda: tell("third, said later")))
    world.at(BEGINNING + timedelta(seconds=1), lambda: tell("first"))
    world.after(9, lambda: tell("not yet"))
    world.advance(3)
    assert told == [("first", 1.0), ("second", 2.0), ("third, said later", 2.0)]
    assert world.now == BEGINNING + timedelta(seconds=3)
    assert world.next_due == 6.0


def test_what_is_cancelled_does_not_happen() -> None:
    world = World(1)
    told: list[str] = []
    later = world.after(1, lambda: told.append("cancelled"))
    later.cancel()
    assert world.next_due is None
    assert not world.step()
    assert told == []


def test_what_is_overdue_happens_next_and_time_never_runs_backwards() -> None:
    world = World(1)
    world.advance(10)
    told: list[float] = []
    world.at(BEGINNING, lambda: told.append(world.seconds))
    world.advance(0)
    assert told == [10.0]
    with pytest.raises(AssertionError, match="backwards"):
        world.advance(-1)


def test_a_call_that_blocks_lets_the_world_go_on() -> None:
    world = World(1)
    told: list[tuple[str, float]] = []

    def block() -> None:
        world.advance(5)
        told.append(("blocked", world.seconds))

    world.after(1, block)
    world.after(2, lambda: told.append(("meanwhile", world.seconds)))
    world.advance(3)
    assert told == [("meanwhile", 2.0), ("blocked", 6.0)]
    assert world.seconds == 6.0


def test_waiting_ends_when_it_is_so_or_when_it_is_time() -> None:
    world = World(1)
    seen: list[int] = []
    for second in range(1, 6):
        world.after(second, lambda: seen.append(1))
    assert world.until(lambda: len(seen) == 3, 60)
    assert world.seconds == 3.0
    assert not world.until(lambda: len(seen) == 9, 10)
    assert world.seconds == 13.0


def test_streams_of_chance_do_not_disturb_each_other() -> None:
    alone, beside = World(5), World(5)
    for _ in range(3):
        beside.stream("other").random()
    assert [alone.stream("faults").random() for _ in range(5)] == [beside.stream("faults").random() for _ in range(5)]
    assert World(6).stream("faults").random() != World(5).stream("faults").random()


def test_a_clock_may_be_set_wrong_and_the_world_goes_on() -> None:
    world = World(1, datetime(2026, 5, 1, tzinfo=UTC))
    clock = SimClock(world)
    world.advance(1)
    clock.jump(-3600)
    assert clock.now() == datetime(2026, 4, 30, 23, 0, 1, tzinfo=UTC)
    assert world.now == datetime(2026, 5, 1, 0, 0, 1, tzinfo=UTC)


# ── The store ───────────────────────────────────────────────────────────────────────────────────────────────────

CONFIG_MAPS, CONFIG_MAPS_KEY = live.Kind("", "ConfigMap"), ("", "ConfigMap")


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def written(seed: int) -> tuple[World, SimObjects]:
    world = World(seed)
    objects = SimObjects(Store(world))
    for number in range(20):
        world.advance(world.random.random())
        objects.apply(config_map(f"n{number % 7}", x=str(number)))
    return world, objects


def test_the_same_seed_is_the_same_run_to_the_bit() -> None:
    (world, objects), (again, same) = written(3), written(3)
    assert world.trace == again.trace
    assert objects.list(CONFIG_MAPS) == same.list(CONFIG_MAPS)
    assert written(4)[0].trace != world.trace


def test_a_run_is_the_same_on_every_machine() -> None:
    """Pinned: a change of this digest is a change of every recorded seed."""
    assert written(3)[0].trace == "9b74a6a17bc1a71e272b51daabf2001f"


def test_what_was_applied_may_be_changed_afterwards() -> None:
    objects = SimObjects(Store(World(1)))
    given = config_map("one", a="1")
    answer = objects.apply(given)
    given["data"]["a"] = "changed"  # type: ignore[index]
    assert objects.get(answer.ref).document["data"] == {"a": "1"}


def test_a_watch_needs_no_thread() -> None:
    """It takes what there is and ends, and goes on when iterated again; with `idle=world.step` it waits."""
    world = World(1)
    store = Store(world)
    objects = SimObjects(store)
    watch = objects.watch(CONFIG_MAPS)
    objects.apply(config_map("a"))
    assert [type(event) for event in watch] == [live.Added]
    objects.apply(config_map("a", x="1"))
    objects.delete(ObjectRef(kind="ConfigMap", name="a", namespace="default"))
    assert [type(event) for event in watch] == [live.Modified, live.Deleted]
    assert list(watch) == []
    waiting = SimObjects(store, idle=world.step).watch(CONFIG_MAPS)
    world.after(30, lambda: None)
    world.after(60, lambda: store.apply(config_map("b"), "somebody"))
    assert [type(event) for event in waiting] == [live.Added]
    assert world.seconds == 60.0


def test_the_log_has_an_end() -> None:
    """As the server's watch cache: who is too far behind lists again, and is told each object once."""
    store = Store(World(1))
    objects = SimObjects(store)
    listing = objects.list(CONFIG_MAPS)
    for number in range(10_000):
        store.apply(config_map("a", x=str(number)), "somebody")
    assert len(store.changes(CONFIG_MAPS_KEY, store.version - 10) or ()) == 10
    assert store.changes(CONFIG_MAPS_KEY, int(listing.resource_version)) is None
    assert [type(event) for event in objects.watch(CONFIG_MAPS, since=listing)] == [live.Added]
