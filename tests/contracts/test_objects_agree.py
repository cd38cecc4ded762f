"""The simulated API server against a real one: the same writes by several managers, drawn by seed, end alike.

Compared are what the contract leaves open: which fields conflict with whom, who owns which field afterwards, whether a
write changed anything, and the fields that were ever written. What the real server fills in by itself is not compared.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest

from addonctl.errors import AddonctlError, Conflict
from addonctl.model import ObjectRef, live
from tests.contracts.conftest import Api
from tests.contracts.test_objects import Side, real_side, simulated_side

MANAGERS = ("addonctl", "argocd", "helm")
STEPS = 14


@pytest.fixture
def sides(api: Api) -> Iterator[tuple[Side, Side]]:
    for real in real_side(api):
        yield real, simulated_side()


def some(random: Random, **values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if random.random() < 0.6}


def config_map(random: Random) -> dict[str, Any]:
    # Never empty: who owns an empty map that others have filled is answered otherwise by the simulated side.
    texts = {key: random.choice("123") for key in "abcd" if random.random() < 0.5} or {"a": "1"}
    labels = {key: random.choice("12") for key in ("app", "tier") if random.random() < 0.4}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": labels} if labels else {}, "data": texts}


def container(random: Random, name: str) -> dict[str, Any]:
    env = [{"name": key, "value": random.choice("12")} for key in "AB" if random.random() < 0.4]
    ports = [{"containerPort": port, "protocol": "TCP"} for port in (53, 80) if random.random() < 0.4]
    more = some(random, args=[random.choice("xy")], env=env, ports=ports)
    return {"name": name, "image": f"registry.local/{name}:{random.choice('12')}", **more}


def deployment(random: Random) -> dict[str, Any]:
    containers = [container(random, "dns")] + ([container(random, "side")] if random.random() < 0.4 else [])
    annotations = {key: random.choice("12") for key in ("a", "b") if random.random() < 0.3}
    metadata = {"labels": {"app": "dns"}} | ({"annotations": annotations} if annotations else {})
    spec = {
        "selector": {"matchLabels": {"app": "dns"}},
        "template": {"metadata": metadata, "spec": {"containers": containers}},
    }
    more = some(random, replicas=random.choice((1, 2, 3)), minReadySeconds=random.choice((0, 5)))
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec | more}


def service(random: Random) -> dict[str, Any]:
    offered = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))
    chosen = [one for one in offered if random.random() < 0.6] or [offered[0]]
    ports = [
        {"name": name, "port": port, "protocol": protocol, "targetPort": random.choice((port, 8080))}
        for name, port, protocol in chosen
    ]
    spec = {"ports": ports, "selector": {"app": random.choice(("dns", "other"))}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": spec}


def patch_of(random: Random, kind: str) -> dict[str, Any]:
    """A merge patch: it replaces lists as a whole."""
    if kind == "ConfigMap":
        return {"data": {key: random.choice(("1", "2", None)) for key in "abcd" if random.random() < 0.4}}
    if kind == "Deployment":
        return {"spec": some(random, replicas=random.choice((1, 2, 3)), minReadySeconds=random.choice((0, 5)))}
    return {"metadata": {"labels": {"app": random.choice(("1", "2", None))}}}


def the_one(side: Side, kind: str, group: str = "") -> ObjectRef:
    return ObjectRef(kind=kind, name="one", namespace=side.namespace, group=group)


Step = Callable[[Side], live.Object]


def step(random: Random, draw: Callable[[Random], dict[str, Any]]) -> Step:
    document = draw(random)
    kind = document["kind"]
    if random.random() < 0.25:
        body = patch_of(random, kind)
        group = document["apiVersion"].rpartition("/")[0]
        return lambda side: side.writer.patch(the_one(side, kind, group), body)
    manager, force = random.choice(MANAGERS), random.random() < 0.4
    dry_run = random.random() < 0.1

    def apply(side: Side) -> live.Object:
        wanted = copy.deepcopy(document)
        wanted["metadata"] |= {"name": "one", "namespace": side.namespace}
        return side.writer.apply(wanted, manager=manager, force=force, dry_run=dry_run)

    return apply


def leaves(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of a fieldsV1; that a map is there (`.`) is noted by some writes alone."""
    for name, held in node.items():
        if name != ".":
            yield from leaves(held, (*path, name))
    if not node.keys() - {"."}:
        yield path


def owners(found: live.Object) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    return {
        (entry["manager"], entry["operation"]): sorted(leaves(entry["fieldsV1"]))
        for entry in found.metadata.get("managedFields") or ()
    }


def owned(found: live.Object) -> dict[str, Any]:
    """What stands in the fields that somebody owns, taken from the text of both sides alike."""
    kept = ("data", "spec")
    return {key: found.document.get(key) for key in kept if found.document["kind"] == "ConfigMap"}


def outcome(side: Side, wanted: Step, before: str) -> tuple[Any, str]:
    try:
        found = wanted(side)
    except Conflict as error:
        named = [(cause.field, cause.message.split(" using ")[0]) for cause in error.causes]
        return ("Conflict", sorted(named)), before
    except AddonctlError as error:
        return (type(error).__name__, ""), before
    # A write that changes nothing and one that is not stored both leave the resourceVersion.
    return (found.resource_version != before, owners(found), owned(found)), found.resource_version


@pytest.mark.parametrize("draw", [config_map, deployment, service], ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("seed", range(12))
def test_the_same_writes_end_alike(
    sides: tuple[Side, Side], draw: Callable[[Random], dict[str, Any]], seed: int
) -> None:
    random = Random(f"{draw.__name__} {seed}")
    versions = ["", ""]
    done: list[Any] = []
    for _ in range(STEPS):
        wanted = step(random, draw)
        results = [outcome(side, wanted, before) for side, before in zip(sides, versions, strict=True)]
        versions = [version for _, version in results]
        done.append(results[0][0])
        assert results[1][0] == results[0][0], done
    sides[0].writer.delete(the_one(sides[0], "Service"))
