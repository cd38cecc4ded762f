"""The hand for Helm releases: `helm upgrade` to the step's chart with the values of the release or the plan, and back.

Helm does not wait for what it applies: when that is taken up is decided in waves, so Deployments are paused meanwhile.
Before Helm writes, the fields that were patched for the update are given up: what others own, its server-side apply
refuses to change. So it sets again those of them that the chart sets, and afterwards they are patched once more. Only a
DaemonSet whose chart sets its update strategy is free in between: it may begin with a node that nobody chose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from addonctl.errors import Invalid
from addonctl.hands.applied import rendered
from addonctl.hands.base import Kept, NotYet, Ports, Present, as_written, goal_of
from addonctl.instances import Instances
from addonctl.model import HelmUpgrade, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.owners import HelmRelease
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState
from addonctl.rollouts import of_checkpoint
from addonctl.values import Values
from addonctl.versions import parse

# So long Helm waits for each of a chart's hooks; what it applies it does not wait for.
_HOOK_S = 120
# Helm writes within seconds, hooks aside: a revision that is still pending then was left behind by one that was killed.
_DEAD_S, _BUSY_S = 180, 5.0
_PENDING = "pending-"


@dataclass(frozen=True, slots=True)
class HelmHand:
    step: Step
    owner: HelmRelease
    ports: Ports

    def present(self) -> Present:
        newest = self._history()[-1]
        unsettled = "" if newest.status == "deployed" else f"its revision {newest.revision} is {newest.status}"
        return Present(as_written(self.step, newest.chart_version), unsettled)

    def kept(self) -> Kept:
        deployed = (each for each in reversed(self._history()) if each.status == "deployed")
        return Kept(helm=next(deployed, None))

    def applied(self) -> tuple[live.Object, ...]:
        deployed = self.kept().helm
        return rendered(self.ports, self.owner.namespace, self.owner.name, deployed.revision) if deployed else ()

    def hold(self, before: Checkpoint) -> None:
        """Helm writes to the cluster only when it is asked to."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """After an update, what the new chart says of the temporary settings counts."""
        newest = self._history()[-1]
        if not list(_otherwise(newest, _release(before))):
            return
        chart = self.ports.helm.objects(self.owner.namespace, self.owner.name, newest.revision)
        for each in self._instances(before):
            for found in chart:
                if found.ref in (each.ref, replace(each.ref, namespace="")):
                    each.relax_to(found.document)

    # ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────

    def change(self, before: Checkpoint, token: str) -> str:
        was, (*_, newest) = _release(before), self._settled()
        values = _release(goal_of(self.step, self.ports) or before).values
        if not self._is_changed(newest, was, values):
            if newest.status.startswith(_PENDING):
                self._roll_back(before, was.revision)
            self._upgrade(before, str(self.step.to_version), values)
        for each in self._instances(before):
            each.harden()
        return self._ticket()

    def _is_changed(self, newest: live.Release, was: live.Release, values: Values) -> bool:
        changed = newest.revision > was.revision and newest.status == "deployed" and newest.values == values
        return changed and parse(newest.chart_version) == self.step.to_version

    def revert(self, before: Checkpoint, token: str) -> str:
        """By the revision of the checkpoint, or where Helm has forgotten it, by its chart and values."""
        was, history = _release(before), self._settled()
        newest = history[-1]
        if newest.status != "deployed" or list(_otherwise(newest, was)):
            kept = [each for each in history if each.revision == was.revision and not list(_otherwise(each, was))]
            if kept:
                self._roll_back(before, was.revision)
            else:
                self._upgrade(before, was.chart_version, was.values)
        return self._ticket()

    def _roll_back(self, before: Checkpoint, revision: int) -> None:
        self._disown(before)
        self.ports.helm_writer.rollback(
            self.owner.namespace, self.owner.name, revision=revision, timeout_s=_HOOK_S, wait=False
        )

    def _upgrade(self, before: Checkpoint, version: str, values: Values) -> None:
        chart = next((action for action in self.step.do if isinstance(action, HelmUpgrade)), None)
        if chart is None or not chart.chart:
            raise Invalid(f"Nobody knows where the chart of {self.owner} comes from", "Upgrade it with helm.")
        self._disown(before)
        self.ports.helm_writer.upgrade(
            self.owner.namespace,
            self.owner.name,
            chart=chart.chart,
            repository=chart.repository,
            version=version,
            values=values,
            timeout_s=_HOOK_S,
            wait=False,
        )

    def _disown(self, before: Checkpoint) -> None:
        for each in self._instances(before):
            each.disown()

    def _instances(self, before: Checkpoint) -> tuple[Instances, ...]:
        return of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, before)

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """What Helm has recorded of the newest revision."""
        if not ticket:
            return OwnerState.IDLE, ""
        newest = self._history()[-1]
        if newest.status.startswith(_PENDING):
            return OwnerState.AT_WORK, ""
        if newest.status == "deployed":
            return OwnerState.DONE, ""
        return OwnerState.FAILED, f"revision {newest.revision} is {newest.status}: {newest.description}"

    def differences(self, before: Checkpoint) -> Iterator[str]:
        was, newest = _release(before), self._history()[-1]
        if newest.status != "deployed":
            yield f"the status of {self.owner}: {newest.status}"
        for what in _otherwise(newest, was):
            yield f"the {what} of {self.owner}"

    def _ticket(self) -> str:
        return str(self._history()[-1].revision)

    def _history(self) -> tuple[live.Release, ...]:
        return self.ports.helm.history(self.owner.namespace, self.owner.name)

    def _settled(self) -> tuple[live.Release, ...]:
        """The history, when no helm is at work any more. Raises NotYet."""
        history = self._history()
        newest = history[-1]
        since = (self.ports.clock.now() - newest.updated).total_seconds() if newest.updated else _DEAD_S
        if newest.status.startswith(_PENDING) and since < _DEAD_S:
            raise NotYet(f"helm is at work: revision {newest.revision} is {newest.status}", _BUSY_S)
        return history


def _release(before: Checkpoint) -> live.Release:
    assert before.helm is not None, f"the checkpoint of {before.installation} is one of a Helm release"
    return before.helm


def _otherwise(one: live.Release, other: live.Release) -> Iterator[str]:
    """What two revisions do not have alike; never what they have."""
    if one.chart != other.chart:
        yield "chart"
    if one.chart_version != other.chart_version:
        yield "chart version"
    if one.values != other.values:
        yield "values"
