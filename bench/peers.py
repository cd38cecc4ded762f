"""Other ways to update an add-on, as small policies in the simulated world of `addonctl simulate`.

Each does what its documentation says, with the defaults of its documentation, over the same API server, EKS and helm
that addonctl meets there. Calls that do not get through are tried again for a while, by all of them, and none of their
processes ever dies, while addonctl's does: both in their favour.

- `kubectl set image` (or apply): the Deployment, DaemonSet or StatefulSet is given the new image, and its controller
  rolls it out by the workload's own strategy. Nothing waits, nothing is watched (kubernetes.io, "Performing a Rolling
  Update"). A configuration that the new version does not take is nobody's to refuse: its containers end.
- EKS UpdateAddon: one call with version, role, identities and configuration as they were, resolveConflicts PRESERVE, as
  the user guide advises. EKS applies it and waits 20 minutes for the workloads; then the update is Failed, the new
  version stays applied and the add-on is DEGRADED until its workloads recover (docs.aws.amazon.com/eks, "Update an
  Amazon EKS add-on"; hashicorp/terraform-provider-aws#49104).
- `helm upgrade --rollback-on-failure` (Helm 4; `--atomic` before): applies, waits until all workloads are rolled out,
  by default 5 minutes, and on failure rolls back to the last revision that was deployed, once, with the same wait
  (helm.sh/docs/helm/helm_upgrade). The add-on is a release of a chart with the same manifests here, and with a schema
  that refuses values which the new version does not take; charts need not have one.
  What fails in EKS alone does not befall it.
- nothing: the same world without an update; what its users lose, no way of updating has lost.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from addonctl.errors import AddonctlError, Invalid, NotReachable, TimedOut, TooManyRequests, Unavailable
from addonctl.model import ObjectRef, live
from addonctl.sim.controllers import Behaviour
from addonctl.sim.eks import SimEksAddons
from addonctl.sim.faults import FAULTS, schedule
from addonctl.sim.helm import SimHelm
from addonctl.sim.keepers import ADDON, SPACE, ByHelm
from addonctl.sim.objects import SimObjects
from addonctl.sim.scenario import Scenario
from addonctl.sim.simulation import Drive
from addonctl.sim.stage import Stage
from addonctl.sim.weather import Call
from addonctl.sim.world import World

HELM_TIMEOUT_S = 300
_ATTEMPTS, _PAUSE_S, _PAUSE_MAX_S = 10, 0.5, 20.0
_PASSING = (TooManyRequests, Unavailable, NotReachable, TimedOut)
_T = TypeVar("_T")

Way = Callable[[Scenario, Callable[[Stage], object]], float]
"""Carries out the update of a scenario; who measures is shown the stage before. The second in which faults end."""


def addonctl(one: Scenario, shown: Callable[[Stage], object]) -> float:
    stage = Stage(one)
    shown(stage)
    drive = Drive(stage)
    drive.to_the_end()
    return drive.quiet_s


def new(stage: Stage) -> str:
    """The version that is brought."""
    return str(stage.states[-1].version)


def nothing(one: Scenario, shown: Callable[[Stage], object]) -> float:
    stage = Stage(one)
    shown(stage)
    return schedule(stage.scene, one.faults)


def rolling_update(one: Scenario, shown: Callable[[Stage], object]) -> float:
    if one.does.rejects:
        one = replace(one, does=Behaviour(crashes_after_s=2.0))
    stage = Stage(one)
    shown(stage)
    quiet_s = schedule(stage.scene, one.faults)
    objects = SimObjects(stage.store, weather=stage.storm)
    path = "/spec/template/spec/containers/0/image"
    body = [{"op": "replace", "path": path, "value": f"eks/{ADDON}:{new(stage)}"}]
    workload = ObjectRef.of(one.kind, ADDON, SPACE)
    with suppress(AddonctlError):
        patiently(stage.world, lambda: objects.patch(workload, body, form=live.PatchForm.JSON))
    return quiet_s


def eks_update(one: Scenario, shown: Callable[[Stage], object]) -> float:
    stage = Stage(one)
    shown(stage)
    quiet_s = schedule(stage.scene, one.faults)
    addons = SimEksAddons(stage.eks, stage.storm)
    with suppress(AddonctlError):
        was = addons.describe(ADDON)
        addons.update(
            ADDON,
            version=new(stage),
            role_arn=was.role_arn,
            identities=was.identities,
            configuration=was.configuration,
            resolve_conflicts=live.ResolveConflicts.PRESERVE,
            token="peer",
        )
    return quiet_s


def helm_upgrade(one: Scenario, shown: Callable[[Stage], object]) -> float:
    faults = tuple(each for each in one.faults if "eks" not in FAULTS[each.fault].needs)  # no EKS fails
    stage = Stage(replace(one, owner="Helm", faults=faults))
    shown(stage)
    quiet_s = schedule(stage.scene, faults)
    keeper = stage.keeper
    assert isinstance(keeper, ByHelm), "Helm keeps it here"
    helm = SimHelm(stage.store, keeper.charts, Patient(stage))
    (chart, _), *_ = keeper.charts
    values = stage.states[-1].values
    try:
        helm.upgrade(SPACE, ADDON, chart=chart, version=new(stage), values=values, timeout_s=HELM_TIMEOUT_S)
    except Invalid:
        return quiet_s  # before anything was changed
    except AddonctlError:
        with suppress(AddonctlError):
            helm.rollback(SPACE, ADDON, revision=1, timeout_s=HELM_TIMEOUT_S)
    return quiet_s


WAYS: dict[str, Way] = {
    "addonctl update": addonctl,
    "helm upgrade --rollback-on-failure": helm_upgrade,
    "EKS UpdateAddon": eks_update,
    "kubectl set image": rolling_update,
    "no update": nothing,
}


class Patient:
    """The weather of a helm that tries again what does not get through, and is never killed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def before(self, call: Call) -> None:
        if call.verb in ("upgrade", "rollback"):
            patiently(self._stage.world, lambda: self._stage.storm.before(call))

    def after(self, call: Call) -> None:
        """It did it itself: no answer is lost."""

    def watch_lag_s(self) -> float:
        return 0.0


def patiently(world: World, ask: Callable[[], _T]) -> _T:
    """What is asked, again and again with longer pauses where it does not get through."""
    for attempt in range(_ATTEMPTS):
        try:
            return ask()
        except _PASSING:
            if attempt + 1 == _ATTEMPTS:
                raise
            world.advance(min(_PAUSE_S * 2**attempt, _PAUSE_MAX_S))
    raise AssertionError("the last attempt returns or raises")
