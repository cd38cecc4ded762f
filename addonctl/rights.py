"""The rights that carrying a step out takes, by what its commands write: asked for before it begins.

What reading takes is found out by reading, what Helm applies is the chart's own business, and what is only better
ended or put back ahead of its owner is left where that is not allowed. Pure; called by inspection.py.
"""

from collections.abc import Iterator
from dataclasses import replace

from addonctl.leases import NAMESPACE
from addonctl.model import ObjectRef, live, owners
from addonctl.model.manifests import KEPT
from addonctl.model.plan import Rollout, Step, Target

_LEASE = ObjectRef(kind="Lease", name="", namespace=NAMESPACE, group="coordination.k8s.io")


def needed(step: Step) -> Iterator[live.Right]:
    """Each once, those of the Lease first."""
    yield from dict.fromkeys((*_of_leases(), *_of_owner(step), *_of_workloads(step), *_of_manifests(step)))


def _of_leases() -> Iterator[live.Right]:
    for verb in ("get", "create", "patch", "delete"):
        yield live.Right(verb, _LEASE)


def _of_owner(step: Step) -> Iterator[live.Right]:
    """Of the object that a GitOps controller works from."""
    if isinstance(step.owner, owners.ArgoApplication | owners.FluxHelmRelease | owners.FluxKustomization):
        for verb in ("get", "patch"):
            yield live.Right(verb, live.object_of(step.owner))


def _of_workloads(step: Step) -> Iterator[live.Right]:
    """What is created is watched alone, and what is deleted not even that."""
    for target in () if step.creates or step.removes else step.targets:
        yield live.Right("patch", target.ref)
        yield from _of_pods(target)


def _of_pods(target: Target) -> Iterator[live.Right]:
    pods = ObjectRef.of("Pod", "", target.ref.namespace)
    if target.rollout is Rollout.SURGE:
        yield live.Right("patch", pods, "status")
    elif target.rollout is not Rollout.AT_ONCE:
        yield live.Right("delete", pods)
        yield live.Right("create", pods, "eviction")


def _of_manifests(step: Step) -> Iterator[live.Right]:
    """Server-side apply patches what is there, and creates what is not, which goes again on the way back.

    To create cannot be granted by name.
    """
    given = step.manifests
    for ref in given.objects if given else ():
        yield live.Right("patch", ref)
        if ref not in step.objects:
            yield live.Right("create", replace(ref, name=""))
            if ref.kind not in KEPT:
                yield live.Right("delete", ref)
    for ref in given.gone if given else ():
        yield live.Right("delete", ref)
