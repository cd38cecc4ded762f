"""An add-on in the simulated world, under traffic; updated by the production code, by seed, whoever keeps it."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import pytest

from addonctl.adapters.gitops import GitOpsObjects
from addonctl.adapters.helm_binary import HelmSecrets
from addonctl.adapters.values_files import parsed
from addonctl.executor import Executor
from addonctl.hands import Hand, Ports, hand
from addonctl.model import Action, Answered, Apply, Counts, HelmUpgrade, Note, Objective, ObjectRef, live, owners
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.journal import Line
from addonctl.model.manifests import Manifests, ManifestSet
from addonctl.model.plan import Plan, Rollout, Step, Target, Wave
from addonctl.model.run import Limits, Run
from addonctl.ports import Clock
from addonctl.sim.checkpoints import SimCheckpoints
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.eks import Pace, SimEks, SimEksAddons
from addonctl.sim.faults import Scene, Storm
from addonctl.sim.helm import Chart, Render, SimHelm
from addonctl.sim.journal import HOLD_S, Shelf, SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.store import POD, Store, Stored, is_ready
from addonctl.sim.world import World
from addonctl.values import Values
from addonctl.versions import Version
from addonctl.worker import Worker


def seeds(numbers: range, every: int) -> list[Any]:
    """Every so many of the seeds for parametrize; `make prove` takes all of them."""
    return [pytest.param(seed, marks=() if n % every == 0 else pytest.mark.prove) for n, seed in enumerate(numbers)]


OLD, NEW = Version.of("v1.0.0-eksbuild.1"), Version.of("v1.1.0-eksbuild.1")
DEPLOYMENT, DAEMON_SET = ("apps", "Deployment"), ("apps", "DaemonSet")
INSTANCES, NODES = 3, 4
_RPS = 20
_LIMITS = Limits(apply_s=600)
_IMAGE = "eks/dns"
_ROLLOUTS = {
    "Deployment": Rollout.SURGE,
    "StatefulSet": Rollout.ONE_BY_ONE,
    "DaemonSet": Rollout.NODE_BY_NODE,
}
_BUDGET = ObjectRef(kind="PodDisruptionBudget", name="dns", namespace="kube-system", group="policy")
_OLD_MAP = ObjectRef(kind="ConfigMap", name="old", namespace="kube-system")


_ROLE = "arn:aws:iam::123456789012:role/dns"
VALUES = {"password": "hunter2-hunter2"}


def manifests(version: str, kind: str, values: Values = MappingProxyType({}), **more: Any) -> list[Mapping[str, Any]]:
    """`more`: of the workload's spec. Of `values`, `replicaCount`, `tag`, `level`, `corefile` and `settings` count."""
    metadata = {"name": "dns", "namespace": "kube-system"}
    labels = {"app": "dns"}
    containers: list[dict[str, Any]] = [{"name": "dns", "image": f"{_IMAGE}:{values.get('tag', version)}"}]
    if "level" in values:
        containers[0]["env"] = [{"name": "LEVEL", "value": values["level"]}]
    pods: dict[str, Any] = {"containers": containers}
    if "settings" in values:
        pods |= {"serviceAccountName": "dns", "volumes": [{"name": "settings", "configMap": {"name": "settings"}}]}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pods},
    }
    spec |= {} if kind == "DaemonSet" else {"replicas": values.get("replicaCount", INSTANCES)}
    spec |= ({"serviceName": "dns"} if kind == "StatefulSet" else {}) | more
    budget = {"minAvailable": 1, "selector": {"matchLabels": labels}}
    return [
        {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
        *_corefile(values),
        *(_settings(version) if "settings" in values else ()),
    ]


def _corefile(values: Values) -> Iterator[Mapping[str, Any]]:
    if "corefile" in values:
        metadata = {"name": "corefile", "namespace": "kube-system"}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": values["corefile"]}}


def _settings(version: str) -> Iterator[Mapping[str, Any]]:
    """What pods read, and what they may; a version says which it is, and the new one brings one more of each."""
    group, place = "rbac.authorization.k8s.io", {"namespace": "kube-system", "labels": {"app": "dns"}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "kube-system"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dns", "namespace": "kube-system"}}
    yield {**settings, "data": {"of": version, "password": VALUES["password"]}}
    yield account
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "dns"},
        "rules": [{"apiGroups": [""], "resources": ["services"], "resourceNames": [version], "verbs": ["get"]}],
    }
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "dns"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "dns"},
        "subjects": [{"kind": "ServiceAccount", "name": "dns", "namespace": "kube-system"}],
    }
    if version == str(NEW):
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", **place}, "data": {"a": "1"}}
        yield {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "more", **place}, "rules": []}


class Keeper(Protocol):
    """Who installed the add-on, and keeps it. `do` is the step's change."""

    @property
    def owner(self) -> owners.Owner: ...

    @property
    def do(self) -> Action: ...

    @property
    def given(self) -> Manifests | None:
        """The new manifests."""
        ...

    def is_settled(self) -> bool: ...

    def audit(self, version: Version) -> None:
        """It has the version, and all else as it was."""
        ...


class Eks:
    owner, do = owners.EksAddon("dns"), Note("the new version")
    given: Manifests | None = None
    configuration = ""

    def __init__(self, cluster: "Cluster") -> None:
        self._addons = SimEksAddons(cluster.eks)
        self._addons.create(
            "dns",
            namespace="",
            version=str(OLD),
            role_arn=_ROLE,
            identities=(),
            configuration=self.configuration,
            resolve_conflicts=live.ResolveConflicts.OVERWRITE,
            token="first",
        )

    def is_settled(self) -> bool:
        return self._addons.describe("dns").status == "ACTIVE"

    def audit(self, version: Version) -> None:
        found = self._addons.describe("dns")
        assert (found.version, found.role_arn) == (str(version), _ROLE)


class Helm:
    """The chart sets what is patched for an update, so that Helm takes it back again and again."""

    owner = owners.HelmRelease("kube-system", "dns")
    given: Manifests | None = None
    newer: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {}
    )  # what the new version says of its workload beside the image
    values: ClassVar[Mapping[str, Any]] = VALUES
    do = HelmUpgrade(
        namespace="kube-system", name="dns", chart="dns", repository="https://charts.example.com", version=str(NEW)
    )

    def __init__(self, cluster: "Cluster") -> None:
        def render(version: Version) -> Render:
            more = {**rolling_of(cluster.kind), **(self.newer if version == NEW else {})}
            return lambda release, namespace, values: manifests(str(version), cluster.kind, values, **more)

        where = f"{self.do.repository}/dns"
        charts = {(where, str(each)): Chart(name="dns", version=str(each), render=render(each)) for each in (OLD, NEW)}
        self.releases = HelmSecrets(SimObjects(cluster.store))
        self.program = SimHelm(cluster.store, charts, cluster.storm)
        SimHelm(cluster.store, charts).install("kube-system", "dns", chart=where, version=str(OLD), values=self.values)

    def is_settled(self) -> bool:
        return True

    def audit(self, version: Version) -> None:
        *older, newest = self.releases.history("kube-system", "dns")
        assert (newest.chart_version, newest.status, newest.values) == (str(version), "deployed", self.values)
        assert "deployed" not in {each.status for each in older}


class Kubectl:
    """Applied by hand, as kubectl does it without --server-side. The new manifests hold one object more, one less."""

    owner, do = owners.Manifest("kubectl"), Apply(what="dns", file="new.yaml")
    values: ClassVar[Values] = MappingProxyType({})
    newer: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, cluster: "Cluster") -> None:
        self._store = cluster.store
        more = rolling_of(cluster.kind)
        old, new = (
            (*manifests(str(version), cluster.kind, self.values, **more, **newer), _config_map(name), *_beside())
            for version, name, newer in ((OLD, "old", {}), (NEW, "new", self.newer))
        )
        self.given: Manifests | None = Manifests("new.yaml", "ab" * 32, tuple(map(live.Object, new)))
        for document in old:
            note = {live.LAST_APPLIED: json.dumps(document)}
            metadata = {**document["metadata"], "annotations": note}
            self._store.create({**document, "metadata": metadata}, "kubectl-client-side-apply")

    def is_settled(self) -> bool:
        return True

    def audit(self, version: Version) -> None:
        """One of the two, and whoever applied the old manifests owns them again where they are back."""
        there = {name for name in ("old", "new") if self._store.get(("", "ConfigMap"), "kube-system", name)}
        assert there == {"old" if version == OLD else "new"}
        beside = self._store.get(("apps", "Deployment"), "kube-system", "beside")
        assert beside is not None
        manager = "kubectl-client-side-apply" if version == OLD else live.FIELD_MANAGER
        assert manager in {each.manager for each in beside.managers}


def _beside() -> list[dict[str, Any]]:
    """A workload that both versions have alike."""
    labels, metadata = {"app": "beside"}, {"name": "beside", "namespace": "kube-system"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "beside", "image": "beside:1"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}]


def _config_map(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "kube-system", "labels": {"app": "dns"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}


def rolling_of(kind: str) -> dict[str, Any]:
    """What charts and manifests say of rolling updates."""
    if kind != "Deployment":
        return {"updateStrategy": {"type": "RollingUpdate"}}
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}


class Read:
    """ports.ManifestReader of what a keeper is given."""

    def __init__(self, given: Manifests | None) -> None:
        self.given = given

    def read(self, path: str) -> Manifests:
        assert self.given is not None
        return self.given


class Cluster:
    """`bad_share`: of the requests that instances of the new version answer; `lost` counts what nobody answered.

    `behaviour` is that of the new version, `others` those of other images.
    """

    def __init__(
        self,
        seed: int,
        kind: str = "Deployment",
        behaviour: Behaviour | None = None,
        bad_share: float = 0.0,
        keeper: Callable[["Cluster"], Keeper] = Eks,
        others: Mapping[str, Behaviour] = MappingProxyType({}),
    ) -> None:
        self.world = World(seed)
        self.kind, self.bad_share, self.lost = kind, bad_share, 0
        self.store = Store(self.world)
        table = {**others, f"{_IMAGE}:{NEW}": behaviour} if behaviour else others
        self.controllers = Controllers(self.store, as_in(table))
        for number in range(NODES):
            self.controllers.nodes.add(f"node-{number}", {"topology.kubernetes.io/zone": "ab"[number % 2]})
        versions = {
            ("dns", str(each)): (lambda said, each=each: manifests(str(each), kind, parsed(said)))
            for each in (OLD, NEW)
        }
        self.eks = SimEks(self.store, versions, Pace(apply_s=5, poll_s=5))
        self.storm = Storm(self.world)
        self.scene = Scene(self.store, self.storm, self.controllers, self.eks)
        self.keeper: Keeper = keeper(self)
        assert self.world.until(self.rolled_out, 300)
        self.world.advance(60)
        addons, objects = SimEksAddons(self.eks, self.storm), SimObjects(self.store, weather=self.storm)
        program = self.keeper.program if isinstance(self.keeper, Helm) else SimHelm(self.store, {}, self.storm)
        self.hands = Ports(
            reader=objects,
            writer=objects,
            eks=addons,
            eks_writer=addons,
            checkpoints=SimCheckpoints(),
            configurations=SimCheckpoints(),
            signals=self,
            clock=SimClock(self.world),
            gitops=GitOpsObjects(objects, objects),
            helm=HelmSecrets(objects),
            helm_writer=program,
            manifests=Read(self.keeper.given),
        )
        self._chance = self.world.stream("traffic")

    def rolled_out(self) -> bool:
        found = self.store.get(("apps", self.kind), "kube-system", "dns")
        return found is not None and is_rolled_out(found) and self.keeper.is_settled()

    @property
    def spec(self) -> dict[str, Any]:
        found = self.store.get(("apps", self.kind), "kube-system", "dns")
        assert found is not None
        return dict(found.spec)

    @property
    def managers(self) -> set[tuple[str, str]]:
        """Who owns fields of the workload, by which operation."""
        found = self.store.get(("apps", self.kind), "kube-system", "dns")
        assert found is not None
        return {(each.manager, each.operation) for each in found.managers}

    def images(self) -> list[str]:
        """The versions that pods run, of those that are not on their way out."""
        pods = [pod for pod in self.store.rows(POD) if not pod.is_ending and pod.labels["app"] == "dns"]
        return sorted(pod.spec["containers"][0]["image"].partition(":")[2] for pod in pods)

    # ── ports.Signals ───────────────────────────────────────────────────────────────────────────────────────────

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        """Requests since then, spread evenly over the pods that are ready."""
        requests = round((self.world.now - since).total_seconds() * _RPS)
        ready = (pod for pod in self.store.rows(POD) if is_ready(pod) and not pod.is_ending)
        pods = [pod for pod in ready if pod.labels["app"] == "dns"]
        if not pods:
            self.lost += requests
            return (Answered(sli="dns", counts=Counts(requests, requests)),) if requests else ()
        return tuple(self._answered(pod, requests // len(pods)) for pod in pods)

    def _answered(self, pod: Stored, requests: int) -> Answered:
        new = pod.spec["containers"][0]["image"].endswith(str(NEW))
        failed = sum(self._chance.random() < self.bad_share for _ in range(requests)) if new else 0
        return Answered(sli="dns", counts=Counts(requests, failed), pod=pod.metadata["uid"])

    def close(self) -> None:
        """Nothing is held."""

    # ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────

    def plan(self) -> Plan:
        ref = ObjectRef.of(self.kind, "dns", "kube-system")
        by_node = self.kind == "DaemonSet"
        waves = _by_node() if by_node else (Wave(instances=1), Wave(instances=INSTANCES - 1))
        step = Step(
            id="1",
            installation="dns/kube-system/dns",
            addon="dns",
            owner=self.keeper.owner,
            from_version=OLD,
            to_version=NEW,
            do=(self.keeper.do,),
            undo=(Note("the old version"),),
            targets=(
                Target(
                    ref=ref,
                    rollout=_ROLLOUTS[self.kind],
                    instances=NODES if by_node else INSTANCES,
                ),
            ),
            objects=(_BUDGET, *((_OLD_MAP,) if self.keeper.given else ())),
            waves=waves,
            objectives=(Objective(sli="dns"),),
            soak_s=30,
            manifests=self._manifests(),
        )
        return Plan(cluster="prod-eu-1", kubernetes=None, made=self.world.now, goal="newer", steps=(step,))

    def _manifests(self) -> ManifestSet | None:
        given = self.keeper.given
        if given is None:
            return None
        refs = tuple(each.ref for each in given.documents)
        return ManifestSet(path=given.path, sha256=given.sha256, objects=refs, gone=(_OLD_MAP,))

    def update(self, step: Step | None = None, crash: float = 0.0, id: str = "run") -> Run:
        """Drives a run to its end; where the worker dies, the next one takes it from the journal."""
        plan = self.plan()
        plan = replace(plan, steps=(step,)) if step else plan
        shelf, crashes = Shelf(), self.world.stream("crashes")
        for number in itertools.count():
            journal = Mortal(shelf, f"worker-{number}", self.hands.clock, lambda: crashes.random() < crash)
            worker = Worker(f"worker-{number}", Executor(self.hands), journal, self.hands.clock)
            try:
                run = journal.take() if number else worker.begin(id, plan, "somebody", limits=_LIMITS)
                return worker.drive(run or journal.load(id))
            except Died:
                self.world.advance(HOLD_S + 1)
            assert self.world.seconds < 20_000, f"seed {self.world.seed}: no end, {shelf.kept}"
        raise AssertionError


def hand_of(cluster: Cluster, step: Step | None = None) -> Hand:
    """Of the cluster's own step, or of another one."""
    return hand(step or cluster.plan().steps[0], cluster.hands)


def checkpoint(cluster: Cluster, step: Step | None = None) -> Checkpoint:
    """What a run would store before that step."""
    entry = Executor(cluster.hands).checkpoint("prod-eu-1", step or cluster.plan().steps[0])
    return cluster.hands.checkpoints.load(entry.id)


class Died(Exception):
    """The worker's process was killed."""


class Mortal(SimJournal):
    """A journal whose worker may die just before or just after a move is stored."""

    def __init__(self, shelf: Shelf, worker: str, clock: Clock, dies: Callable[[], bool]) -> None:
        super().__init__(shelf, worker, clock)
        self._dies = dies

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        if self._dies():
            raise Died
        super().store(run, lines, heard)
        if self._dies():
            raise Died


def _by_node() -> tuple[Wave, ...]:
    return tuple(Wave(instances=len(nodes), nodes=nodes) for nodes in (("node-0",), ("node-1", "node-2"), ("node-3",)))
