"""GitOps controllers of one cluster: told to leave their hands off, to apply another revision, and to synchronise."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from addonctl.model import ObjectRef, live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease
from addonctl.values import Values

Held = Mapping[ObjectRef, Mapping[str, Any]]
"""Workload → fields of its spec, with the values that they keep."""


class GitOpsWriter(Protocol):
    """Changes of the objects that Argo CD and Flux work from.

    All raise NotFound, and Conflict when the change would not last: the object is itself managed by an ApplicationSet
    or a GitOps controller, which must be changed instead, or something else changes it at the same moment.
    """

    def suspend(self, owner: live.Reconciled) -> live.Suspension:
        """Stops automatic synchronisation, and returns the previous setting. Does not wait for a running one.

        Suspending twice changes nothing; the second Suspension restores the suspended state.
        """
        ...

    def hold(self, owner: ArgoApplication | FluxHelmRelease, held: Held) -> live.Suspension:
        """Like `suspend`, but what it is asked for meanwhile is carried out, without waiting for instances.

        Such a synchronisation leaves `held` as it stands (Argo CD) or sets it (Flux, whose Helm upgrades would put it
        back). Holding again adds to what is held. `resume` takes all of it away.
        """
        ...

    def resume(self, suspension: live.Suspension) -> None:
        """Restores exactly what `suspend` or `hold` found. Resuming twice changes nothing.

        Raises Conflict when the object was recreated under the same name, or what was set was changed in the meantime:
        with the reason Changed, and nothing is restored.
        """
        ...

    def set_revision(
        self, owner: ArgoApplication | FluxHelmRelease, revision: str, *, source: int = 0, dry_run: bool = False
    ) -> str:
        """Sets an Application's targetRevision or a HelmRelease's chart version; returns the previous one.

        Empty means unset: HEAD for Argo CD, the newest for Flux. `source` is the index of an Application's source.
        Raises Invalid when the object has no such source, or refers to a separate chart object (`chartRef`).
        """
        ...

    def put_back(self, owner: ArgoApplication | FluxHelmRelease, was: live.Object, held: Held | None = None) -> None:
        """Makes what is applied that of `was`: an Application's sources, a HelmRelease's chart and values.

        `held`: what Flux's upgrade is to set as well, as `hold` has it, in the same change.
        """
        ...

    def sync(self, owner: ArgoApplication, token: str, *, prune: bool = False, only: Sequence[ObjectRef] = ()) -> None:
        """Starts one synchronisation with what the Application says now, as an automatic one. Does not wait.

        It is carried out also while automatic ones are off, and leaves what is held. Of the objects in `only`, if any
        are given, it leaves nothing, and runs no hooks. `prune`: what is no longer in the source is deleted. `token` is
        noted in the operation: asking again with that of the last one changes nothing. Raises Conflict with the reason
        InProgress while another is under way.
        """
        ...

    def retry(self, owner: FluxHelmRelease, token: str) -> None:
        """Has Flux try again what it has given up, as `flux reconcile helmrelease --reset` does.

        `token` is another one each time. Nothing where Flux has not handled the one before.
        """
        ...

    def end_sync(self, owner: ArgoApplication) -> bool:
        """Whether no synchronisation that `sync` started is under way; asks for its end where one is."""
        ...


class GitOpsSource(Protocol):
    """A checkout of the repository that a GitOps controller's objects come from."""

    def propose(self, owner: live.Reconciled, version: str, values: Values | None = None) -> live.Proposal:
        """Commits the version for the owner's object, and values over its own, on a new branch; nothing is pushed.

        Twice is once. Raises NotFound where no file has the object, Invalid where several have it, it names no version,
        or values cannot be set in their place, Conflict where the branch is there already with something else.
        """
        ...

    def push(self, proposal: live.Proposal, remote: str = "origin") -> None:
        """Pushes the branch."""
        ...
