"""What a step is to change of an add-on's configuration: what is given, merged over what its owner has now.

Both states are stored where nobody else reads them, and the step is told their ids and which keys differ. Read through
the hands; called by manager.py before preflight, and by nothing that carries a plan out.
"""

from dataclasses import dataclass

from addonctl.errors import BadInput, Invalid, NotFound
from addonctl.hands import Kept, Ports, hand
from addonctl.hands.configuration import Parse, check_premise, configured, overruled, values_in
from addonctl.model import CreateAddon, live, owners
from addonctl.model.configuration import ConfigurationChange
from addonctl.model.plan import Step
from addonctl.values import Values, changes, merged

_KEEP_VALUES = (owners.EksAddon, owners.HelmRelease, owners.ArgoApplication, owners.FluxHelmRelease)


def check_owner(step: Step) -> None:
    """Raises BadInput where an owner has no values that could be changed."""
    if isinstance(step.owner, owners.Manifest):
        what = f"{step.installation} is kept as manifests, which have no values"
        raise BadInput(what, "Change the manifests, and give them with --manifests.")
    if not isinstance(step.owner, _KEEP_VALUES):
        raise BadInput(f"{step.installation} is kept by {step.owner}", "Change its configuration there.")


@dataclass(frozen=True, slots=True)
class Configuring:
    """For the cluster that `ports` lead to."""

    ports: Ports
    parse: Parse

    def change(self, cluster: str, step: Step, given: Values) -> ConfigurationChange | None:
        """What the values given change; None: nothing. Raises BadInput or Invalid where it cannot be changed."""
        if creation := step.creation:
            return self._created(cluster, step, creation, given)
        check_owner(step)
        kept = hand(step, self.ports).kept()
        present = values_in(step, kept, self.parse)
        wanted = merged(present, given)
        found = changes(present, wanted)
        if not found:
            return None
        if kept.manager is not None and any(each.to == "null" for each in found):
            raise Invalid(f"A null cannot be set in {step.owner}", "Give a value, or what the chart says by itself.")
        ignored = sorted({each.key for each in found} & overruled(kept, step))
        if ignored:
            what = f"Parameters of {step.owner} say what {', '.join(ignored)} is, whatever its values say"
            raise Invalid(what, "Change its parameters.")
        was, goal = (self._stored(cluster, step, state) for state in (kept, configured(step, kept, wanted)))
        return ConfigurationChange(changes=found, was=was, goal=goal)

    def _created(self, cluster: str, step: Step, creation: CreateAddon, given: Values) -> ConfigurationChange:
        """The whole configuration of what EKS does not keep yet."""
        addon = live.Addon(name=creation.addon, status="", version="")
        was, goal = (self._stored(cluster, step, state) for state in (Kept(), configured(step, Kept(eks=addon), given)))
        return ConfigurationChange(changes=changes({}, given), was=was, goal=goal)

    def check(self, step: Step) -> None:
        """Raises BadInput where what a step of a saved plan changes is not kept here, or not so any more."""
        change = step.configuration
        assert change is not None, f"step {step.id} changes a configuration"
        assert self.ports.configurations is not None, "who plans a change of configuration keeps it"
        try:
            for id in (change.was, change.goal):
                self.ports.configurations.load(id)
        except NotFound:
            what = f"The configuration that the plan brings to {step.installation} is not kept here, or no longer"
            raise BadInput(what, "Plan anew, where you update: a plan holds no values.") from None
        check_premise(step, self.ports)

    def _stored(self, cluster: str, step: Step, state: Kept) -> str:
        assert self.ports.configurations is not None, "who plans a change of configuration keeps it"
        checkpoint = state.checkpoint(cluster, step, str(step.to_version), self.ports.clock.now())
        return self.ports.configurations.save(checkpoint).id
