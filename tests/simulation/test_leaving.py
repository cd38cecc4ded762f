"""A pod that ends leaves its Services first: in a world whose kubelets set right what others say of a pod."""

import pytest

from addonctl.leaving import Leaving
from addonctl.model import ObjectRef
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers.serving import SLICE
from addonctl.sim.store import POD, Stored
from tests.simulation.test_traffic import SPACE, Cluster


def _serving(cluster: Cluster) -> set[str]:
    """The names of the pods that the Service leads requests to."""
    (found,) = cluster.store.rows(SLICE)
    endpoints = found.document["endpoints"]
    return {each["targetRef"]["name"] for each in endpoints if each["conditions"]["serving"]}


def _pod(cluster: Cluster) -> Stored:
    return min(cluster.store.rows(POD), key=lambda pod: pod.name)


def _leaving(cluster: Cluster) -> Leaving:
    return Leaving(cluster.objects, cluster.objects, SimClock(cluster.world))


@pytest.mark.parametrize("seed", range(8))
def test_a_pod_has_left_and_comes_back_by_itself(seed: int) -> None:
    cluster = Cluster(seed)
    cluster.world.advance(seed * 1.3)  # the kubelet compares at any moment of this
    pod = _pod(cluster)
    assert _leaving(cluster).leave(pod.ref)
    assert len(_serving(cluster)) == 1
    assert pod.ref.name not in _serving(cluster)
    assert pod.uid in cluster.controllers.kubelets.running, "it serves on what still reaches it"
    cluster.world.advance(15)
    assert len(_serving(cluster)) == 2, "nobody has to undo it"
    assert cluster.account.whole.lost == 0


def test_what_serves_nothing_is_not_touched() -> None:
    cluster = Cluster(1)
    cluster.objects.delete(ObjectRef(kind="Service", name="dns", namespace=SPACE))
    for found in list(cluster.store.rows(SLICE)):
        cluster.objects.delete(found.ref)
    pod, since = _pod(cluster), cluster.world.seconds
    assert _leaving(cluster).leave(pod.ref)
    assert cluster.world.seconds == since
    assert _pod(cluster).is_ready


def test_one_that_is_gone_has_left() -> None:
    cluster = Cluster(1)
    gone = ObjectRef(kind="Pod", name="dns-gone", namespace=SPACE)
    assert _leaving(cluster).leave(gone)
