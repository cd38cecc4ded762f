"""The world of a scenario: a cluster with the add-on settled in its first state, kept by whom the scenario says."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from addonctl.adapters.gitops import GitOpsObjects
from addonctl.configuring import Configuring
from addonctl.errors import Invalid
from addonctl.hands import Ports
from addonctl.model import READY, Note, Objective, ObjectRef
from addonctl.model.manifests import Manifests, ManifestSet
from addonctl.model.plan import Plan, Rollout, Step, Target, Wave
from addonctl.sim.assessor import SimAssessor
from addonctl.sim.checkpoints import SimCheckpoints
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.documents import Document
from addonctl.sim.eks import SimEks, SimEksAddons
from addonctl.sim.faults import Scene, Storm
from addonctl.sim.helm import SimHelm
from addonctl.sim.incidents import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from addonctl.sim.keepers import ADDON, KEEPERS, SPACE, ByArgo, ByEks, ByFlux, ByHelm, State
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.scenario import BEGINS_S, CONFIGURATION, CREATION, DELETION, Scenario
from addonctl.sim.store import Store
from addonctl.sim.traffic import SimSignals, Traffic
from addonctl.sim.weather import Calm, Weather
from addonctl.sim.world import World
from addonctl.values import Values
from addonctl.versions import Version

VERSIONS = tuple(Version.of(f"v1.{minor}.0-eksbuild.1") for minor in range(3))
LABELS = {"app": ADDON}
_ENCODED = base64.b64encode(b"canary-in-a-secret").decode()
CANARIES = ("canary-in-the-configuration", "canary-in-a-secret", _ENCODED, "canary-in-the-environment")
_CLUSTER, _IMAGE, _SLI = "prod-eu-1", "eks/dns", "answers"
_LEVEL, _OTHER_LEVEL = "info", "debug"
_VALUES: Values = {"token": CANARIES[0], "level": _LEVEL}
_ROLLOUTS = {DEPLOYMENT: Rollout.SURGE, DAEMON_SET: Rollout.NODE_BY_NODE, STATEFUL_SET: Rollout.ONE_BY_ONE}


def states(one: Scenario) -> tuple[State, ...]:
    """What the add-on is in before the first step, and after each."""
    first = State(VERSIONS[0], _VALUES)
    match one.change:
        case change if change == CONFIGURATION:
            return first, State(VERSIONS[0], {**_VALUES, "level": _OTHER_LEVEL})
        case change if change == CREATION:
            return State(None, _VALUES), first
        case change if change == DELETION:
            return first, State(None, _VALUES)
    return tuple(State(version, _VALUES) for version in VERSIONS[: one.steps + 1])


def tag(state: State) -> str:
    """Of the image that a state runs: by it, the auditor tells one from another. Empty: there are no instances."""
    if state.version is None:
        return ""
    level = state.values.get("level", _LEVEL)
    return str(state.version) if level == _LEVEL else f"{state.version}-{level}"


def manifests(one: Scenario, state: State) -> list[Document]:
    metadata = {"name": ADDON, "namespace": SPACE}
    environment = [{"name": "TOKEN", "value": CANARIES[-1]}]
    container: Document = {"name": ADDON, "image": f"{_IMAGE}:{tag(state)}", "env": environment}
    if one.drain_s:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": one.drain_s}}}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    spec: Document = {"selector": {"matchLabels": LABELS}, "template": template}
    if one.kind == DEPLOYMENT:
        rolling = {"maxSurge": one.surge, "maxUnavailable": "25%"}
        spec |= {"replicas": one.instances, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    if one.kind == STATEFUL_SET:
        spec |= {"replicas": one.instances, "serviceName": ADDON}
    budget = {"minAvailable": one.least, "selector": {"matchLabels": LABELS}}
    secret, settings = {"data": {"key": _ENCODED}}, {"data": {"of": tag(state)}}
    service = {"selector": LABELS, "ports": [{"port": 53}]}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **secret},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **settings},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
        {"apiVersion": "apps/v1", "kind": one.kind, "metadata": metadata, "spec": spec},
    ]


class Stage:
    """The world of a scenario, with the add-on settled in its first state, and a client's way to it."""

    def __init__(self, one: Scenario) -> None:
        self.scenario, self.world = one, World(one.seed)
        self.store, self.states = Store(self.world), states(one)
        behave = as_in({f"{_IMAGE}:{tag(self.states[-1])}": one.does}, Behaviour(stop_s=one.stop_s))
        self.controllers = Controllers(self.store, behave)
        for number, name in enumerate(one.node_names):
            self.controllers.nodes.add(name, {"topology.kubernetes.io/zone": "ab"[number % 2]})
        self.keeper = KEEPERS[one.owner](self.store, self._rendered, VERSIONS[: one.steps + 1])
        self.eks = self.keeper.eks if isinstance(self.keeper, ByEks) else SimEks(self.store, {})
        self._install()
        service = (SPACE, ADDON) if one.kind != DAEMON_SET else None
        self.traffic = Traffic(
            self.controllers,
            behave,
            LABELS,
            service=service,
            rps=one.rps if all(state.version for state in self.states) else 0.0,  # nobody asks what is not there
            probe_rps=one.probe_rps,
            usual=one.usual,
        )
        self.clock, self.storm = SimClock(self.world), Storm(self.world)
        self.scene = self._scene()
        self.checkpoints, self.configurations = SimCheckpoints(), SimCheckpoints()

    def _scene(self) -> Scene:
        keeper = self.keeper
        return Scene(
            self.store,
            self.storm,
            self.controllers,
            self.eks if isinstance(keeper, ByEks) else None,
            (self.clock,),
            self.traffic,
            argo=keeper.controller if isinstance(keeper, ByArgo) else None,
            flux=keeper.controller if isinstance(keeper, ByFlux) else None,
            helm=isinstance(keeper, ByHelm),
        )

    def _rendered(self, version: Version, values: Values) -> list[Document]:
        state = State(version, values)
        if self.scenario.does.rejects and state == self.states[-1]:
            raise Invalid("the values are not of the chart's schema")
        return manifests(self.scenario, state)

    def _install(self) -> None:
        if self.states[0].version is not None:
            self.keeper.install(self.states[0])
            assert self.world.until(self._is_settled, BEGINS_S / 2), f"seed {self.scenario.seed} does not settle"
        self.world.advance(BEGINS_S - self.world.seconds)

    def close(self) -> None:
        """Ends the world: it is one big cycle otherwise, which only the garbage collector finds."""
        self.world.end()
        self.store.end_all()

    def _is_settled(self) -> bool:
        found = self.store.get(("apps", self.scenario.kind), SPACE, ADDON)
        return found is not None and is_rolled_out(found) and self.keeper.is_settled()

    # ── A client's ways ─────────────────────────────────────────────────────────────────────────────────────────

    def ports(self, weather: Weather) -> Ports:
        addons, objects = SimEksAddons(self.eks, weather), SimObjects(self.store, weather=weather)
        helm = SimHelm(self.store, self.keeper.charts if isinstance(self.keeper, ByHelm) else {}, weather)
        return Ports(
            reader=objects,
            writer=objects,
            eks=addons,
            eks_writer=addons,
            checkpoints=self.checkpoints,
            configurations=self.configurations,
            signals=SimSignals(self.traffic, self.clock, _SLI),
            clock=self.clock,
            gitops=GitOpsObjects(objects, objects),
            helm=helm,
            helm_writer=helm,
            manifests=self,
            assessor=SimAssessor(self.store),
        )

    def read(self, path: str) -> Manifests:
        """ports.ManifestReader of what somebody has to be applied."""
        given = (self.keeper.given(state) for state in self.states if state.version)
        return next(each for each in given if each is not None and each.path == path)

    # ── The plan ────────────────────────────────────────────────────────────────────────────────────────────────

    def plan(self) -> Plan:
        steps = tuple(self._step(number) for number in range(len(self.states) - 1))
        return Plan(cluster=_CLUSTER, kubernetes=None, made=self.world.now, goal="newer", steps=steps)

    def _step(self, number: int) -> Step:
        one, last = self.scenario, number + 2 == len(self.states)
        was, to = self.states[number : number + 2]
        kinds = (("Secret", ""), ("Service", ""), ("PodDisruptionBudget", "policy"), ("ConfigMap", ""))
        step = Step(
            id=str(number + 1),
            installation=f"{ADDON}/{SPACE}/{ADDON}",
            addon=ADDON,
            owner=self.keeper.owner,
            from_version=was.version,
            to_version=to.version,
            do=(self.keeper.change(to),),
            undo=(Note("the old version"),),
            irreversible="the old version is offered no more" if one.irreversible and last else "",
            approval=one.approval and last,
            targets=(
                Target(ref=ObjectRef.of(one.kind, ADDON, SPACE), rollout=_ROLLOUTS[one.kind], instances=one.instances),
            ),
            objects=tuple(ObjectRef(kind=kind, name=ADDON, namespace=SPACE, group=group) for kind, group in kinds),
            waves=tuple(waves(one)),
            objectives=(Objective(sli=READY), Objective(sli=_SLI)),
            soak_s=one.soak_s,
            manifests=self._manifests(to),
        )
        return self._as_planned(step, to, **_BY_CHANGE.get(one.change, {}))

    def _as_planned(self, step: Step, to: State, **more: Any) -> Step:
        """With what a change that is no new version has otherwise."""
        if self.scenario.change == CREATION:
            assert isinstance(self.keeper, ByEks), "EKS alone is asked to create"
            targets = tuple(replace(each, rollout=Rollout.AT_ONCE, instances=0) for each in step.targets)
            more |= {"do": (self.keeper.creation(to),), "targets": targets, "objects": ()}
        step = replace(step, **more)
        if self.scenario.change not in (CONFIGURATION, CREATION):
            return step
        given = to.values if self.scenario.change == CREATION else {"level": _OTHER_LEVEL}
        return replace(step, configuration=Configuring(self.ports(Calm()), json.loads).change(_CLUSTER, step, given))

    def _manifests(self, to: State) -> ManifestSet | None:
        given = self.keeper.given(to) if to.version else None
        if given is None:
            return None
        return ManifestSet(path=given.path, sha256=given.sha256, objects=tuple(each.ref for each in given.documents))


_AT_ONCE = (Wave(instances=1, canary=True),)
_BY_CHANGE: dict[str, dict[str, Any]] = {
    CREATION: {"waves": _AT_ONCE, "objectives": (Objective(sli=READY, controlled=False),)},
    DELETION: {
        "waves": _AT_ONCE,
        "objectives": (),
        "removes": True,
        "undo": (),
        "irreversible": "what is deleted is gone",
    },
}


def waves(one: Scenario) -> Iterator[Wave]:
    """One instance, then up to twice as many as have it, as plans have it."""
    done = 0
    while done < one.instances:
        size = min(max(2 * done, 1), one.instances - done)
        yield Wave(instances=size, canary=not done)
        done += size
    if one.kind == DEPLOYMENT and one.instances == 1:
        yield Wave(instances=0)  # in which the old one goes
