"""The controllers, the scheduler and the kubelets of the world's cluster, in virtual time.

They see every change at once and act some milliseconds later, in an order that the seed decides. Which kinds are acted
on: Deployment, ReplicaSet, DaemonSet, StatefulSet, Pod, Node, EndpointSlices of Services, PodDisruptionBudget, owner
references, namespaces. Jobs, CronJobs and HorizontalPodAutoscalers are stored, and nothing happens to them.
"""

from addonctl.sim.controllers.daemons import REVISIONS, DaemonSets, Revisions
from addonctl.sim.controllers.garbage import Garbage
from addonctl.sim.controllers.nodes import Nodes
from addonctl.sim.controllers.pods import STEADY, Behave, Behaviour, Kubelets, Scheduler, as_in
from addonctl.sim.controllers.queue import InNamespace, Owned
from addonctl.sim.controllers.replicas import REPLICA_SET, Deployments, ReplicaSets
from addonctl.sim.controllers.serving import SERVICE, SLICE, Budgets, Endpoints
from addonctl.sim.controllers.stateful import StatefulSets
from addonctl.sim.readiness import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from addonctl.sim.store import POD, Store

_WITH_OWNERS = (DEPLOYMENT, REPLICA_SET, DAEMON_SET, STATEFUL_SET, POD, SLICE, SERVICE, REVISIONS, ("", "ConfigMap"))


class Controllers:
    """Everything that acts on the objects of a store. `behave` says what containers do, by image and node."""

    def __init__(self, store: Store, behave: Behave | None = None) -> None:
        self.store, self.nodes = store, Nodes(store)
        self._scheduler = Scheduler(store, self.nodes)
        self.kubelets = Kubelets(store, self.nodes, behave or as_in({}))
        pods = Owned(store, POD)
        self._replica_sets = ReplicaSets(store, pods)
        self._deployments = Deployments(store, pods)
        revisions = Revisions(store)
        self._daemon_sets = DaemonSets(store, pods, self.nodes, revisions)
        self._stateful_sets = StatefulSets(store, pods, revisions)
        by_namespace = InNamespace(store, POD)
        self._endpoints = Endpoints(store, by_namespace)
        self._budgets = Budgets(store, by_namespace)
        self._garbage = Garbage(store, _WITH_OWNERS)


__all__ = ["STEADY", "Behave", "Behaviour", "Controllers", "Nodes", "as_in"]
